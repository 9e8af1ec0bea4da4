"""Bags to episodes on disk: all bags are planned first, then pictures decoded, a bounded part of a bag at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from jepa_planner.learning.data.bags.marks import MarkedEpisode
from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.bags.opened_bag import OpenedBag, find_bags, opened
from jepa_planner.learning.data.bags.plan import BagPlan, PlannedEpisode, plan_bag
from jepa_planner.learning.data.bags.steps import RULE, Cut
from jepa_planner.learning.data.episodes import Episodes, write_shard
from jepa_planner.learning.data.recording import Recording

MOST_BYTES = 256 * 2**20
"""Of pictures that are held at a time, if one episode has no more."""
MIX = "recorded"


@dataclass(frozen=True)
class MadeEpisode:
    """One that was written. examples: its first, middle and last pictures, uint8 [3, V, H, W, 3]."""

    bag: BagPlan
    planned: PlannedEpisode
    shard: str
    row: int
    examples: np.ndarray


@dataclass
class Made:
    """All that was made of bags, and what was not; left_out: bags of which nothing could be read, and why."""

    recording: Recording
    episodes: list[MadeEpisode] = field(default_factory=list)
    plans: list[BagPlan] = field(default_factory=list)
    cuts: list[tuple[BagPlan, str, Cut]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    _scenes: dict[int, int] = field(default_factory=dict)

    def scene(self, marked: MarkedEpisode, number: int) -> int:
        """Of an episode of this number: pieces of one marked episode show one scene; others may show any."""
        return number if marked.begin_ns is None else self._scenes.setdefault(id(marked), number)


def make_episodes(
    paths: Sequence[Path], recording: Recording, out: Path, say: Callable[[str], None], most_bytes: int = MOST_BYTES
) -> Made:
    """Writes `episodes-000000.h5` and so on into `out`, each with the same number of steps, padded with rest.

    Raises BagError where no bag can be read, naming what is wrong with the first.
    """
    made = Made(recording)
    errors: list[BagError] = []
    for path in find_bags(paths):
        try:
            with opened(path) as bag:
                plan = plan_bag(bag, recording)
        except BagError as error:
            errors.append(error if str(path) in str(error) else BagError(f"{path}: {error}"))
            say(f"left out: {errors[-1]}")
            continue
        made.plans.append(plan)
        made.cuts += [(plan, name, cut) for name, cut in plan.cuts]
        say(f"{path}: {len(plan.episodes)} episodes of {len(plan.marked)} recorded, {len(plan.cuts)} cuts")
    if not made.plans:
        raise errors[0]
    made.left_out = [str(error) for error in errors]
    _check_together(made.plans)
    most_steps = max((len(one.piece) - 1 for plan in made.plans for one in plan.episodes), default=0)
    for plan in made.plans:
        if plan.episodes:
            with opened(plan.path) as bag:
                for part in _parts(plan, most_steps, recording, most_bytes):
                    _write_part(bag, plan, part, most_steps, made, out)
    return made


def _check_together(plans: Sequence[BagPlan]) -> None:
    first = plans[0]
    for plan in plans:
        for name in ("frame", "tcp_frame"):
            if getattr(plan, name) != getattr(first, name):
                raise BagError(
                    f"{plan.path} has {name} {getattr(plan, name)!r}, and {first.path} {getattr(first, name)!r}; "
                    "expected one in all"
                )


def _parts(
    plan: BagPlan, most_steps: int, recording: Recording, most_bytes: int
) -> Iterator[tuple[PlannedEpisode, ...]]:
    width, height = recording.picture_size_px
    each = (most_steps + 1) * len(plan.views) * width * height * 3
    count = max(1, most_bytes // each)
    for first in range(0, len(plan.episodes), count):
        yield plan.episodes[first : first + count]


def _write_part(
    bag: OpenedBag, plan: BagPlan, planned: Sequence[PlannedEpisode], most_steps: int, made: Made, out: Path
) -> None:
    """Decodes the pictures of some episodes and writes them as one shard; what cannot be decoded is cut out."""
    width, height = made.recording.picture_size_px
    images = np.zeros((len(planned), most_steps + 1, len(plan.views), height, width, 3), np.uint8)
    spoilt = _fill(bag, plan, planned, images)
    whole: list[tuple[PlannedEpisode, np.ndarray]] = []
    for row, one in enumerate(planned):
        for first, last, why in _runs(one, {step: why for (at, step), why in spoilt.items() if at == row}):
            times = one.piece.steps_ns
            if why:
                made.cuts.append((plan, one.marked.name, Cut("picture", int(times[first]), int(times[last]), why)))
            elif last - first < made.recording.cuts.least_steps:
                why = f"only {last - first} steps are left there, fewer than {made.recording.cuts.least_steps}"
                made.cuts.append((plan, one.marked.name, Cut("short", int(times[first]), int(times[last]), why)))
            else:
                steps = slice(first, last + 1)
                actions = replace(one.actions, values=one.actions.values[first:last])
                part = PlannedEpisode(one.marked, one.piece.part(steps), actions)
                whole.append((part, images[row, steps]))
    if not whole:
        return
    shard = out / f"episodes-{len({one.shard for one in made.episodes}):06d}.h5"
    episodes = _padded(whole, plan, most_steps, made, images if len(whole) == len(planned) and not spoilt else None)
    write_shard(
        shard,
        episodes,
        mix=MIX,
        notes={"recorded_rule": RULE, "recorded_actions": [one.actions.source for one, _ in whole]},
    )
    for row, (one, frames) in enumerate(whole):
        examples = frames[[0, len(frames) // 2, len(frames) - 1]].copy()
        made.episodes.append(MadeEpisode(plan, one, shard.name, row, examples))


def _fill(
    bag: OpenedBag, plan: BagPlan, planned: Sequence[PlannedEpisode], images: np.ndarray
) -> dict[tuple[int, int], str]:
    """Decodes pictures in the order in which files have them; returns why which steps [episode, step] have none."""
    wanted: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row, one in enumerate(planned):
        for step, numbers in enumerate(one.piece.pictures):
            for view, number in enumerate(map(int, numbers)):
                wanted.setdefault((view, number), []).append((row, step))
    spoilt: dict[tuple[int, int], str] = {}
    for number, file in enumerate(bag.files):
        ours = sorted((plan.places[key][1], key) for key in wanted if plan.places[key][0] == number)
        for (_, key), data in zip(ours, file.read([place for place, _ in ours]), strict=True):
            source = plan.views[key[0]]
            try:
                pixels = source.pixels(data, file.definitions)
            except BagError as error:
                spoilt |= dict.fromkeys(wanted[key], str(error))
                continue
            for row, step in wanted[key]:
                images[row, step, key[0]] = pixels
    return spoilt


def _runs(one: PlannedEpisode, spoilt: dict[int, str]) -> Iterator[tuple[int, int, str]]:
    """First and last steps of what is whole, with no reason, and of what is not, with the first one's."""
    first = 0
    for step in range(1, len(one.piece) + 1):
        if step == len(one.piece) or (step in spoilt) != (first in spoilt):
            yield first, step - 1, spoilt.get(first, "")
            first = step


def _padded(
    whole: Sequence[tuple[PlannedEpisode, np.ndarray]], plan: BagPlan, most_steps: int, made: Made,
    images: np.ndarray | None,
) -> Episodes:  # fmt: skip
    """Episodes of one length: what is missing shows the last step again, with actions of zero.

    images: of the right size, with each episode's at its place already; None: to be made.
    """
    count, before = len(whole), len(made.episodes)
    if images is None:
        images = np.zeros((count, most_steps + 1, *whole[0][1].shape[1:]), np.uint8)
    states = np.zeros((count, most_steps + 1, whole[0][0].piece.states.shape[1]), np.float32)
    actions = np.zeros((count, most_steps, whole[0][0].actions.values.shape[1]), np.float32)
    for row, (one, frames) in enumerate(whole):
        steps = len(one.piece)
        images[row, :steps], images[row, steps:] = frames, frames[-1]
        states[row, :steps], states[row, steps:] = one.piece.states, one.piece.states[-1]
        actions[row, : steps - 1] = one.actions.values
    tasks = tuple(one.marked.task or made.recording.task for one, _ in whole)
    numbers = np.arange(before, before + count)
    scenes = [made.scene(one.marked, number) for number, (one, _) in enumerate(whole, before)]
    return Episodes(
        images, states, actions, np.zeros((count, most_steps + 1, 4), np.float32),
        tuple(f"{plan.path.name}/{one.marked.name}" for one, _ in whole), numbers,
        tuple(view.view for view in plan.views), made.recording.time_step_s, scenes=np.array(scenes),
        motions=numbers, frame=plan.frame, tcp_frame=plan.tcp_frame,
        lengths=np.array([len(one.piece) - 1 for one, _ in whole]),
        success=np.array([one.success for one, _ in whole], np.int8),
        tasks=tasks,
    )  # fmt: skip
