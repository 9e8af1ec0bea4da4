"""A bundle made good again for cameras that were moved, or another table: some twenty episodes, minutes of training.

Cheapest first: each view is warped to what it was; then encoder, predictor and heads go on from their weights. Every
part stays as it was where held-out episodes show that it did not get better. How to plan with the bundle stays, too;
but a verdict that takes what the episodes show for out of reach says so of nothing any more.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jepa_planner.core.strict_fields import to_plain
from jepa_planner.learning.data.episode_checks import check_episodes, check_length, heed
from jepa_planner.learning.data.episodes import EpisodeError, Episodes, read_episodes
from jepa_planner.learning.data.reference_checks import check_frames
from jepa_planner.learning.data.shown_work import not_failed
from jepa_planner.learning.data.unseen_motion import check_sees_the_arm
from jepa_planner.learning.training.adapted_bundle import Stage, widen_limits, write_adapted
from jepa_planner.learning.training.change import Change
from jepa_planner.learning.training.demonstrations import Demonstrations, encoded_demonstrations
from jepa_planner.learning.training.encoder_adaptation import EncoderAdaptation, adapt_encoder, weights_hash
from jepa_planner.learning.training.encoder_training import encode_some_alone
from jepa_planner.learning.training.fine_tuning import FineTuning, FineTuningError, training_settings
from jepa_planner.learning.training.head_adaptation import (
    HeadAdaptation,
    adapt_sub_goal_head,
    adapt_verdict_head,
    share_refused,
)
from jepa_planner.learning.training.manifest import Run
from jepa_planner.learning.training.predictor_training import PredictorTraining, rollout_errors, train_predictor
from jepa_planner.learning.training.run_folder import check_same_run, content_hash, write_whole
from jepa_planner.learning.training.verdict_training import VerdictTraining
from jepa_planner.learning.training.warp_fitting import FrozenModel, MomentSampler, WarpFitting, fit_warps, judge_warps
from jepa_planner.learning.training.windows import Split, split
from jepa_planner.model.bundle import load_bundle, load_latent_statistics, load_sub_goal_head, load_verdict_head
from jepa_planner.model.bundle_files import ENCODER_FILE, PREDICTOR_FILE, SUB_GOALS_FILE, VERDICT_FILE
from jepa_planner.model.contract import Contract
from jepa_planner.model.contract_sections import ImageSpec
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.picture_warp import UNMOVED, Warp
from jepa_planner.model.verdict_head import VerdictHead
from jepa_planner.model.whole_bundle import whole_bundle
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings

FAR = 0.5
"""A view that is shifted by more, in half pictures, leaves out a quarter of what it showed."""
FEWEST_EPISODES = 8
HELD_OUT_SHARE = 0.15


@dataclass(frozen=True)
class Adaptation:
    """How to adapt, and from which seed."""

    seed: int = 0
    """Seed of all random numbers."""
    episodes: int | None = None
    """Only the first so many are learned from; None: all."""
    name: str = ""
    """The new model's name; empty: that of the first one with -adapted."""
    command: str = ""
    """What was typed, as it is noted in the bundle."""
    trust_data: bool = False
    """Whether what is surely wrong with episodes is only said."""
    warps: WarpFitting = field(default_factory=WarpFitting)
    """How warps are sought."""
    encoder: EncoderAdaptation = field(default_factory=EncoderAdaptation)
    """How the encoder goes on."""
    predictor_iterations: int = 600
    """Batches from which the predictor goes on learning, at least 1."""
    heads: HeadAdaptation = field(default_factory=HeadAdaptation)
    """How the heads go on."""


@torch.random.fork_rng(devices=[])
def adapt(
    data: Path | Sequence[Path], init: Path, bundle: Path, run_folder: Path, settings: Adaptation
) -> dict[str, Any]:
    """Writes what becomes of the bundle `init` with episodes; returns the report, see `in_words`.

    Resumes from what `run_folder` holds. Raises EpisodeError, ContractError, BundleError, FineTuningError or
    RunFolderError for what does not fit.
    """
    run = Run("adapt", to_plain(settings) | {"init": init})
    if bundle.resolve() == init.resolve():
        raise FineTuningError(f"{bundle} is the model to begin with: name another folder for the new one")
    encoder, predictor, contract = load_bundle(init)
    planner_settings = PlannerSettings.load(init, contract)
    if planner_settings.energy.in_pixels:
        raise FineTuningError(f"{init} predicts pixels; such models are trained from nothing, --objective pixels")
    episodes = usable(read_episodes(data, settings.episodes), contract, settings.trust_data)
    training = training_settings(
        contract, planner_settings.energy.difference,
        FineTuning(iterations=settings.predictor_iterations), episodes.images.shape[1],
    )  # fmt: skip
    check_length(episodes.images.shape[1], training.window)
    parts, statistics = split(episodes, HELD_OUT_SHARE), load_latent_statistics(init)

    frozen = FrozenModel(encoder, predictor, statistics, load_verdict_head(init)).frozen()
    train, held_out = (MomentSampler(episodes, contract, some, settings.seed) for some in (parts.train, parts.held_out))
    image, looks = _seen_again(frozen, contract, train, held_out, settings)
    contract, stages = replace(contract, image=image), []
    _check_run(run_folder, contract, episodes, settings)
    warps = image.warps or _unmoved(image)
    if adapted := adapt_encoder(frozen, train, held_out, warps, settings.encoder, run_folder):
        encoder, change = adapted
        stages.append(Stage("encoder", ENCODER_FILE, encoder, change))
        contract = replace(contract, files={**contract.files, ENCODER_FILE: weights_hash(encoder)})
    model = WorldModel(contract, encoder, predictor)
    seen = encoded_demonstrations(episodes, model, run_folder, keep_images=True)
    stages.append(_predictor_goes_on(model, seen, episodes, parts, training, run_folder, settings.seed))
    shown = not_failed(episodes)
    if shown is not episodes:
        seen = encoded_demonstrations(shown, model, run_folder / "shown", keep_images=True)
    stages += _heads_go_on(init, seen, run_folder, settings)
    refused = _share_refused(stages, seen, planner_settings, settings.seed)
    with whole_bundle(bundle) as new:
        write_adapted(new, init, _noted(model.contract, episodes, settings), stages)
        if refused > VerdictTraining.refusals and planner_settings.verdict is not None:
            replace(planner_settings, verdict=replace(planner_settings.verdict, unreachable=None)).save(new)
        if statistics is not None:
            widen_limits(new, statistics, seen)
        run.note(new, {"data": episodes}, init)
    report: dict[str, Any] = {
        "episodes": len(episodes), "held_out_episodes": len(parts.held_out),
        "warps": dict(zip(image.views, map(list, image.warps), strict=False)),
        "refused": refused,
        "changes": {"pictures": asdict(looks), **{stage.part: asdict(stage.change) for stage in stages}},
    }  # fmt: skip
    write_whole(run_folder / "report.json", report)
    return report


def in_words(report: dict[str, Any]) -> str:
    """A table for a terminal, and what follows from it."""
    lines = [
        f"on {report['held_out_episodes']} held-out episodes of {report['episodes']}; less is better",
        f"{'':11s}{'':55s}{'before':>9s}{'after':>9s}",
    ]
    kept = []
    for part, change in report["changes"].items():
        better = Change(**change).better
        kept += [] if better else [part]
        mark = "" if better else "  no better: left as it was"
        lines.append(f"{part:11s}{change['measure']:55s}{change['before']:9.3g}{change['after']:9.3g}{mark}")
    for view, (_, _, x, _, _, y, _, _) in report["warps"].items():
        lines.append(f"view {view}: what lay in the middle now lies {50 * x:+.0f} % to the right, {50 * y:+.0f} % down")
    if report["refused"] > VerdictTraining.refusals:
        lines.append(
            f"{report['refused']:.1%} of what a hand brought to its place in these episodes would be called out of "
            "reach: the new model says that of nothing any more (verdict.unreachable in planner.yaml)."
        )
    if any(max(abs(warp[2]), abs(warp[5])) > FAR for warp in report["warps"].values()):
        lines.append("A view no longer shows a quarter of what it did: if work lies there, turn that camera back.")
    if len(kept) == len(report["changes"]):
        lines.append("Nothing got better: the model knows these pictures, or needs more episodes.")
    return "\n".join(lines)


def usable(episodes: Episodes, contract: Contract, trust_data: bool) -> Episodes:
    """The episodes, where a bundle can be adapted to them; raises EpisodeError, ContractError or FineTuningError."""
    if len(episodes) < FEWEST_EPISODES:
        raise EpisodeError(f"{len(episodes)} episodes given; expected {FEWEST_EPISODES} or more, some 20 are good")
    views = contract.pick_views(episodes.views)
    contract.check_images((1, len(views), *episodes.images.shape[3:]))
    if abs(episodes.time_step_s - contract.action.time_step_s) > 1e-3:
        raise FineTuningError(
            f"a step of the episodes is {episodes.time_step_s:g} s, of {contract.name} {contract.action.time_step_s:g} "
            "s; expected the same: record so, or train --predictor-only"
        )
    heed([*check_episodes(episodes), *check_sees_the_arm(episodes)], trust_data)
    check_frames(episodes, contract)
    return episodes


def _check_run(run_folder: Path, contract: Contract, episodes: Episodes, settings: Adaptation) -> None:
    """Raises RunFolderError where a checkpoint is of another run."""
    about = {"seed": settings.seed, "init": contract.files, "data": content_hash(episodes)}
    about |= {"warps": contract.image.warps, "predictor": settings.predictor_iterations, **asdict(settings.heads)}
    about |= {"encoder": asdict(settings.encoder)}
    for stage in ("encoder", "predictor", "sub_goals", "verdict"):
        check_same_run(run_folder / f"{stage}.json", run_folder / f"{stage}.ckpt", about)


def _seen_again(
    model: FrozenModel, contract: Contract, train: MomentSampler, held_out: MomentSampler, settings: Adaptation
) -> tuple[ImageSpec, Change]:
    """How pictures are to be seen: through warps, where the model then knows its arm better."""
    begin = contract.image.warps or _unmoved(contract.image)
    found = fit_warps(model, train, begin, settings.warps)
    before, after = (judge_warps(model, held_out, warps) for warps in (begin, found))
    change = Change("how well the model knows its own arm: loss", before, after)
    if not change.better:
        return contract.image, change
    try:
        return replace(contract.image, warps=found), change
    except ValueError as error:
        raise FineTuningError(
            f"no camera can have been moved so: {error}; are the views those of the model?"
        ) from error


def _unmoved(image: ImageSpec) -> tuple[Warp, ...]:
    """Warps through which views are seen as they come."""
    return (UNMOVED,) * len(image.views)


def _predictor_goes_on(
    model: WorldModel, seen: Demonstrations, episodes: Episodes, parts: Split, training: PredictorTraining,
    folder: Path, seed: int,
) -> Stage:  # fmt: skip
    """The predictor, or what became of it where that foresees held-out episodes better."""
    contract, old, train = model.contract, model.predictor, parts.train
    held_out = seen.latents[parts.held_out], seen.states[parts.held_out], seen.actions[parts.held_out]
    rolled = training.context, training.rollout, training.difference
    new = copy.deepcopy(old).requires_grad_(True)
    before = float(rollout_errors(old, *held_out, *rolled)[0].mean())
    if not isinstance(model.encoder, VideoEncoder):
        raise TypeError(f"the encoder is a {type(model.encoder).__name__}; expected that of backend torch")
    learned = encode_some_alone(
        model.encoder, episodes.images[: len(train)], seen.latents[train], np.random.default_rng(seed),
        contract.pick_views(episodes.views), contract.image.warps,
    )  # fmt: skip
    train_predictor(
        new, learned, seen.states[train], seen.actions[train], training, folder, seed, lengths=episodes.lengths[train]
    )
    change = Change("imagined latents: error", before, float(rollout_errors(new, *held_out, *rolled)[0].mean()))
    return Stage("predictor", PREDICTOR_FILE, new if change.better else old, change)


def _heads_go_on(init: Path, seen: Demonstrations, folder: Path, settings: Adaptation) -> list[Stage]:
    """Those that the bundle has, where the episodes show work from which they can learn."""
    parts, stages = split(seen.states, HELD_OUT_SHARE), []
    given = seen, parts, settings.heads, folder, settings.seed
    try:
        if (sub_goals := load_sub_goal_head(init)) is not None:
            head, change = adapt_sub_goal_head(sub_goals, *given)
            stages.append(Stage("sub-goals", SUB_GOALS_FILE, head, change))
        if (verdict := load_verdict_head(init)) is not None:
            judge, change = adapt_verdict_head(verdict, *given)
            stages.append(Stage("verdict", VERDICT_FILE, judge, change))
    except ValueError as error:  # no hand acts in them, or nothing was moved
        print(f"warning: {error}; the heads that were not adapted stay as they are", file=sys.stderr)
    return stages


def _share_refused(stages: Sequence[Stage], seen: Demonstrations, planned: PlannerSettings, seed: int) -> float:
    """What a verdict head, as it is now, would call out of reach of what the episodes show."""
    heads = [stage.module for stage in stages if isinstance(stage.module, VerdictHead)]
    if not heads or planned.verdict is None:
        return 0.0
    return share_refused(heads[0], seen, planned.verdict, seed)


def _noted(contract: Contract, episodes: Episodes, settings: Adaptation) -> Contract:
    """The contract under its new name, with what it was adapted to."""
    count, steps = episodes.actions.shape[:2]
    training = replace(
        contract.training, command=settings.command,
        data=f"{contract.name} ({contract.training.data}), then adapted to {count} episodes of {steps} steps",
    )  # fmt: skip
    return replace(contract, name=settings.name or f"{contract.name}-adapted", training=training)
