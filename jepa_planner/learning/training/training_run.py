"""The whole training run: episodes in, model bundle out, with all that belongs in it."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.arm_layout import GRIPPER
from jepa_planner.core.strict_fields import to_plain
from jepa_planner.learning.data.episode_checks import check_episodes, check_length, heed
from jepa_planner.learning.data.episodes import EpisodeError, Episodes, read_episodes, shard_paths
from jepa_planner.learning.data.reference_checks import check_in_distribution, frames_of
from jepa_planner.learning.data.shown_work import folders_that_show_work, share_at_work, work_shown
from jepa_planner.learning.data.unseen_motion import without_blind_views
from jepa_planner.learning.training.action_bounds import action_max, action_scale, strokes_are_full
from jepa_planner.learning.training.add_latent_statistics import latent_statistics_noted
from jepa_planner.learning.training.add_sub_goals import SubGoalRun, add_sub_goals, has_keypoints
from jepa_planner.learning.training.add_verdict import VerdictRun, add_verdict
from jepa_planner.learning.training.collapse import measure_collapse
from jepa_planner.learning.training.distributed import join_group, leave_group, own_device, rank, size
from jepa_planner.learning.training.encoder_training import (
    EncoderTraining,
    encode_episodes,
    encode_some_alone,
    train_encoder,
)
from jepa_planner.learning.training.fit import FitSettings
from jepa_planner.learning.training.manifest import Run
from jepa_planner.learning.training.objectives.joint import names_in
from jepa_planner.learning.training.planned_ahead import planned_ahead
from jepa_planner.learning.training.predictor_sizes import PREDICTOR_KINDS
from jepa_planner.learning.training.predictor_training import Pictures, PredictorTraining, train_predictor
from jepa_planner.learning.training.probes import prediction_error, probe_latents
from jepa_planner.learning.training.recipe import (
    Recipe,
    batches_of,
    contract,
    new_planner_settings,
    planned_in_pixels,
    shipped_encoder,
    shipped_predictor,
)
from jepa_planner.learning.training.run_folder import check_same_run, content_hash, write_whole
from jepa_planner.learning.training.settled_band import settled_band
from jepa_planner.learning.training.shortcomings import notes_on_training
from jepa_planner.learning.training.verdict_training import NothingMoved
from jepa_planner.learning.training.warm_start import warm_start
from jepa_planner.learning.training.windows import split, state_scaling
from jepa_planner.model.bundle import load_contract, load_latent_statistics, save_bundle
from jepa_planner.model.contract import Contract
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.pixel_decoder import PixelDecoder
from jepa_planner.model.predictor_kind import Predictor
from jepa_planner.model.predictors import make_predictor
from jepa_planner.model.whole_bundle import whole_bundle
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings


class Collapsed(RuntimeError):
    """The encoder's latents collapsed; training stopped, and the run folder holds the measures."""


def run(
    data: Path | Sequence[Path], bundle: Path, run_folder: Path, recipe: Recipe, demonstrations: Sequence[Path] = (),
    layouts: Sequence[Path] = (),
) -> dict[str, Any]:  # fmt: skip
    """Train encoder, then predictor, probe both, measure what they know and write the bundle, once all is there;
    resumes from what `run_folder` holds. Returns the report.

    demonstrations: folders of episodes from which the bundle then learns to imagine sub-goals and to tell when the
    work is done; none: those of the data that show work. layouts: folders of
    episodes in which only things move, which the objective "layouts" sees along. Of several processes
    (see `distributed`) all train encoder and predictor, and the first one does the rest; the others return {}.
    Raises EpisodeError for unusable data and Collapsed when the encoder is not worth a predictor.
    """
    if bool(layouts) != ("layouts" in names_in(recipe.objective)):
        raise EpisodeError(
            f"objective {recipe.objective!r} and {len(layouts)} folders of layouts: its term of that name and episodes "
            "of `collect --behaviour layouts` go together"
        )
    for folder in (*demonstrations, *layouts):
        shard_paths(folder)
    if demonstrations:
        heed(check_episodes(read_episodes(demonstrations)), recipe.trust_data)  # not only after hours
    else:
        demonstrations = folders_that_show_work([data] if isinstance(data, Path) else data, recipe.episodes)
    recipe = _with_keypoints(recipe, demonstrations)
    join_group(recipe.device)
    started = Run("train", to_plain(recipe))
    recipe = replace(recipe, name=recipe.name or bundle.resolve().name)
    trained = _train_world_model(data, run_folder, recipe, layouts)
    if trained is None:
        return {}
    report = trained.report
    with whole_bundle(bundle) as new:
        trained.planner_settings.save(new)
        save_bundle(new, trained.encoder, trained.predictor, trained.contract, torch.float16, trained.decoder)
        report["out_of_distribution"] = latent_statistics_noted(
            new, trained.learned_from["data"], run_folder / "latent_statistics", trained.content
        )
        started.note(new, trained.learned_from)
        if demonstrations:
            report |= _heads(demonstrations, new, run_folder, recipe)
        _write_report(run_folder, report)
    return report


def _with_keypoints(recipe: Recipe, demonstrations: Sequence[Path]) -> Recipe:
    """The recipe with what was left open decided: heads have keypoints where demonstrations teach them."""
    taught = any(share_at_work(read_episodes(folder, recipe.episodes)) for folder in demonstrations)
    if (recipe.keypoints or recipe.keypoints_of) and not taught:
        raise EpisodeError(
            "keypoints are learned from episodes in which the hand takes or pushes something, and none of these show "
            "that: record such, or leave out --keypoints and --keypoints-of"
        )
    keypoints = taught if recipe.keypoints is None else recipe.keypoints
    begun_with = recipe.keypoints_of
    if keypoints and begun_with is None and recipe.init is not None and has_keypoints(recipe.init):
        begun_with = recipe.init
    return replace(recipe, keypoints=keypoints, keypoints_of=begun_with)


def _heads(demonstrations: Sequence[Path], bundle: Path, run_folder: Path, recipe: Recipe) -> dict[str, Any]:
    """Adds heads for sub-goals and for the verdict to a bundle; says what they are worth."""
    common: dict[str, Any] = {
        name: getattr(recipe, name)
        for name in ("seed", "episodes", "command", "trust_data", "keypoints", "keypoints_of")
    }
    sub_goals = SubGoalRun(iterations=recipe.sub_goal_iterations, checked=True, **common)
    report: dict[str, Any] = {
        "sub_goals": add_sub_goals(demonstrations, bundle, bundle, run_folder / "sub_goals", sub_goals)
    }
    verdict = VerdictRun(
        iterations=recipe.verdict_iterations, checked=True, arm_from_latents=bool(recipe.keypoints), **common
    )
    try:
        report["verdict"] = add_verdict(demonstrations, bundle, bundle, run_folder / "verdict", verdict)
    except NothingMoved as error:
        print(f"warning: {error}; the model will not say that the work is done", file=sys.stderr)
        report["verdict"] = None
    return report


@dataclass(frozen=True)
class Trained:
    """What a bundle is written of, and the episodes by what was learned from them; content: of "data", a hash."""

    encoder: VideoEncoder
    predictor: Predictor
    decoder: PixelDecoder | None
    contract: Contract
    planner_settings: PlannerSettings
    learned_from: dict[str, Episodes]
    content: str
    report: dict[str, Any]


@torch.random.fork_rng(devices=[])
def _train_world_model(
    data: Path | Sequence[Path], run_folder: Path, recipe: Recipe, layouts: Sequence[Path]
) -> Trained | None:
    device = own_device(recipe.device)
    settings = FitSettings(recipe.predictor_iterations, learning_rate=8e-4)
    predicting = PredictorTraining(settings)
    episodes = _checked_episodes(data, recipe, predicting.window)
    parts = split(episodes)
    encoder_config = replace(shipped_encoder(episodes), any_view=recipe.any_view)
    beside_encoder = shipped_predictor(encoder_config, "transformer")
    begin: tuple[dict[str, Tensor], dict[str, Tensor]] | None = None
    if recipe.init is not None:
        kinds = [shipped_predictor(encoder_config, kind) for kind in PREDICTOR_KINDS]
        torch.manual_seed(recipe.seed)
        start = warm_start(recipe.init, encoder_config, kinds)
        beside_encoder, begin = start.predictor_config, (start.encoder, start.predictor)
        if start.fresh:
            print(f"begins with {recipe.init}, but for {', '.join(start.fresh)}")
    action_std = action_scale(action_max(episodes.actions))
    training = EncoderTraining(
        FitSettings(recipe.first_stage_iterations), objective=recipe.objective, device=device,
        augmented=recipe.augmented, **batches_of(recipe),
    )  # fmt: skip
    if "appearance" in names_in(recipe.objective) and len(np.unique(episodes.motions)) == len(episodes):
        raise EpisodeError(
            f"objective {recipe.objective!r}: no motion has two variants; collect episodes with --variants"
        )
    shown = read_episodes(layouts) if layouts else None
    if shown is not None and shown.views != episodes.views:
        raise EpisodeError(f"layouts are seen by {shown.views}, the episodes by {episodes.views}: the same are needed")
    if shown is not None:
        heed(check_episodes(shown), recipe.trust_data)
    content = content_hash(episodes)
    _check_run(run_folder, recipe, content, shown)
    encoder, decoder = train_encoder(
        episodes, parts, encoder_config, beside_encoder, training, action_std, run_folder, recipe.seed, begin, shown
    )
    latents = encode_episodes(encoder, episodes.images)
    collapse = measure_collapse(latents, np.random.default_rng(recipe.seed))
    print(collapse)
    readouts = probe_latents(latents, episodes, parts)
    report: dict[str, Any] = {
        "episodes": len(episodes),
        "work": work_shown(episodes),
        "objective": recipe.objective,
        "collapse": dataclasses.asdict(collapse),
        "readouts": {name: dataclasses.asdict(readout) for name, readout in readouts.items()},
    }
    _write_report(run_folder, report)
    if collapse.collapsed:
        raise Collapsed(f"{collapse}; see {run_folder / 'report.json'}")
    torch.manual_seed(recipe.seed + 1)
    predictor = make_predictor(shipped_predictor(encoder_config, recipe.predictor))
    predictor.set_scaling(*state_scaling(episodes.states[parts.train]), action_std)
    predictor.to(device)
    train = parts.train
    seen = encode_some_alone(encoder, episodes.images[: len(train)], latents[train], np.random.default_rng(recipe.seed))
    pictures = None if decoder is None else Pictures(episodes.images[: len(train)], decoder)
    train_predictor(
        predictor, seen, episodes.states[train], episodes.actions[train],
        predicting, run_folder, recipe.seed, pictures, episodes.lengths[train],
    )  # fmt: skip
    predictor.eval()
    first = rank() == 0
    leave_group()
    if not first:
        return None
    for module in filter(None, (encoder, predictor, decoder)):
        module.cpu()
    report["prediction_error"] = prediction_error(predictor, latents, episodes, parts.held_out, horizon=4)
    report["notes"] = list(notes_on_training(report["prediction_error"], readouts["tcp"]))
    _write_report(run_folder, report)
    described = contract(encoder, predictor, episodes, recipe, shown)
    usual = new_planner_settings(described, latents)
    planner_settings = planned_ahead(usual, report["prediction_error"])
    if (ahead := planner_settings.search().horizon) < usual.search().horizon:
        print(f"plans {ahead} steps ahead: what is imagined beyond is worth little on held-out episodes")
    if described.action.max_abs[GRIPPER] >= 1.0 and strokes_are_full(episodes.states, episodes.actions):
        planner_settings = replace(planner_settings, gripper_full_strokes=True)
    if decoder is not None:
        planner_settings = planned_in_pixels(planner_settings, described, episodes)
    else:
        band = settled_band(latents, episodes, parts.held_out, planner_settings.energy.kind)
        report["settled"] = dataclasses.asdict(band)
        print(band.in_words())
        planner_settings = band.noted_in(planner_settings)
        _write_report(run_folder, report)
    described = replace(described, notes=tuple(report["notes"]))
    learned_from = {"data": episodes} if shown is None else {"data": episodes, "layouts": shown}
    return Trained(encoder, predictor, decoder, described, planner_settings, learned_from, content, report)


def _checked_episodes(data: Path | Sequence[Path], recipe: Recipe, predicted_frames: int) -> Episodes:
    """The episodes, once they were looked at, with their frames named, without views that are of no use."""
    episodes = read_episodes(data, recipe.episodes)
    seen_frames = batches_of(recipe).get("window", EncoderTraining.window)
    check_length(episodes.images.shape[1], max(seen_frames, predicted_frames))
    findings = check_episodes(episodes)
    if recipe.init is not None:
        model = WorldModel.load(recipe.init)
        if model.contract.image.views == episodes.views:
            findings += check_in_distribution(model, load_latent_statistics(recipe.init), episodes.images)
    heed(findings, recipe.trust_data)
    frame, tcp_frame = frames_of(episodes, (recipe.frame, recipe.tcp_frame))
    return replace(without_blind_views(episodes), frame=frame, tcp_frame=tcp_frame)


def _check_run(run_folder: Path, recipe: Recipe, content: str, layouts: Episodes | None) -> None:
    """Raises RunFolderError where a stage's checkpoint is of another run; the predictor's rests on the encoder's."""
    encoder: dict[str, Any] = {
        name: getattr(recipe, name) for name in ("seed", "objective", "encoder_batch", "any_view", "augmented")
    }
    encoder |= {
        "encoder_iterations": recipe.first_stage_iterations,
        "init": None if recipe.init is None else load_contract(recipe.init).files,
        "data": content, "layouts": None if layouts is None else content_hash(layouts),
        "processes": size(),
    }  # fmt: skip
    predictor = {**encoder, "predictor": recipe.predictor, "predictor_iterations": recipe.predictor_iterations}
    for stage, about in (("encoder", encoder), ("predictor", predictor)):
        check_same_run(run_folder / f"{stage}.json", run_folder / f"{stage}.ckpt", about)


def _write_report(folder: Path, report: dict[str, Any]) -> None:
    if rank() == 0:
        write_whole(folder / "report.json", report)
