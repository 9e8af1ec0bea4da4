"""Everything that is looked at before training, in the order in which somebody would mend it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jepa_planner.learning.data.episode_checks import check_episodes
from jepa_planner.learning.data.episodes import EpisodeError, Episodes
from jepa_planner.learning.data.images_on_disk import ImagesOnDisk
from jepa_planner.learning.data.inspection.action_use import judge_actions
from jepa_planner.learning.data.inspection.arm_region import ArmRegion
from jepa_planner.learning.data.inspection.camera_delay import Delay
from jepa_planner.learning.data.inspection.coverage import Coverage, judge_coverage
from jepa_planner.learning.data.inspection.dead_time import DeadTime, judge_dead_time
from jepa_planner.learning.data.inspection.episode_delay import delays, judge_delays
from jepa_planner.learning.data.inspection.exposure import judge_exposure
from jepa_planner.learning.data.inspection.gripper_use import GripperUse, judge_gripper
from jepa_planner.learning.data.inspection.how_many_more import Outlook, judge_amount
from jepa_planner.learning.data.inspection.judgement import Judgement, Level, of_finding, worst
from jepa_planner.learning.data.inspection.moved_camera import judge_cameras, sessions
from jepa_planner.learning.data.inspection.object_motion import ObjectMotion, judge_object_motion, object_motion
from jepa_planner.learning.data.inspection.seen import Seen
from jepa_planner.learning.data.reference_checks import check_in_distribution, frames_of
from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.model.world_model import WorldModel

UNITS = "what numbers and pictures mean"
"""Units, signs, axes, frames and times of the arm's numbers; cameras that see nothing, stand still or change places."""
SEEN_BY_MODEL = "pictures beside the model's"


@dataclass(frozen=True)
class Reference:
    """What a bundle to begin with knows: bounds of actions, frames, views, and what it saw."""

    model: WorldModel
    statistics: LatentStatistics | None


@dataclass(frozen=True)
class Inspection:
    """What was found, and what it was found by; parts are None where numbers are too wrong to go on."""

    judgements: tuple[Judgement, ...]
    seen: Seen
    coverage: Coverage | None = None
    gripper: GripperUse | None = None
    dead_time: DeadTime | None = None
    delays: dict[str, Delay] | None = None
    objects: ObjectMotion | None = None

    @property
    def level(self) -> Level:
        """The worst of all judgements."""
        return worst(self.judgements)


def inspect(episodes: Episodes, bounds: Sequence[float], reference: Reference | None = None) -> Inspection:
    """Looks at episodes as `train` does, and further.

    bounds: the largest action of each channel [A] that will be planned with. Raises EpisodeError where pictures cannot
    be read.
    """
    judgements = [*_as_train(episodes, reference)]
    seen = Seen.of(episodes)
    if worst(judgements) is Level.WRONG:  # the rest would be judged by wrong numbers
        return Inspection((*judgements, *judge_exposure(seen)), seen)
    step_s, of_model = episodes.time_step_s, "" if reference is None else reference.model.contract.name
    coverage, gripper, dead = Coverage.of(episodes), GripperUse.of(episodes), DeadTime.of(episodes)
    found, region = delays(seen, step_s), ArmRegion.of(seen)
    objects = object_motion(seen, region, step_s)
    moving_s = float((dead.recorded & ~dead.at_rest).sum()) * step_s
    judgements += [
        *judge_exposure(seen),
        *judge_cameras(sessions(seen, _files(episodes)), seen),
        *judge_delays(found, step_s),
        judge_coverage(coverage),
        *judge_actions(episodes, bounds, of_model),
        judge_gripper(gripper),
        judge_object_motion(objects, step_s),
        judge_dead_time(dead, step_s),
        judge_amount(Outlook.of(moving_s, int(gripper.grasps.sum()), gripper.fixed)),
    ]
    return Inspection(tuple(judgements), seen, coverage, gripper, dead, found, objects)


def _as_train(episodes: Episodes, reference: Reference | None) -> Iterator[Judgement]:
    """What training would say before it begins."""
    findings = check_episodes(episodes)
    yield from (of_finding(UNITS, finding) for finding in findings)
    if not findings:
        views = ", ".join(episodes.views)
        yield Judgement(
            UNITS, Level.GOOD,
            f"units, signs, axes, frames and times of {len(episodes)} episodes fit together, and views {views} see "
            "something, each its own",
        )  # fmt: skip
    contract = None if reference is None else reference.model.contract
    try:
        frame, tcp_frame = frames_of(episodes, ("", ""), contract)
    except EpisodeError as error:
        yield Judgement("frames", Level.WARNING, str(error), "name them: training asks for it")
    else:
        yield Judgement("frames", Level.GOOD, f"poses are those of {tcp_frame} in {frame}")
    if reference is None or contract is None:
        return
    if contract.image.views != episodes.views:
        yield Judgement(
            SEEN_BY_MODEL, Level.WARNING,
            f"{contract.name} knows views {', '.join(contract.image.views)}, these are {', '.join(episodes.views)}",
            "choose views with --view, or train anew",
        )  # fmt: skip
        return
    strange = [*check_in_distribution(reference.model, reference.statistics, episodes.images)]
    yield from (of_finding(SEEN_BY_MODEL, finding) for finding in strange)
    if not strange:
        known = "in its order of colours and views" if reference.statistics else "not compared: it has no statistics"
        yield Judgement(SEEN_BY_MODEL, Level.GOOD, known)


def _files(episodes: Episodes) -> list[str]:
    """The file of each episode; one name for all in memory."""
    images = episodes.images
    if not isinstance(images, ImagesOnDisk):
        return ["memory"] * len(episodes)
    return [images.files[file].path.name for file, _ in images.rows]
