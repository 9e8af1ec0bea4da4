"""The whole training run: episodes in, model bundle out. This is how the shipped bundle was made."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jepa_planner.training.add_sub_goals import SubGoalRun, add_sub_goals
from jepa_planner.training.collapse import measure_collapse
from jepa_planner.training.distributed import join_group, leave_group, own_device, rank
from jepa_planner.training.encoder_training import (
    EncoderTraining,
    encode_episodes,
    encode_some_alone,
    train_encoder,
)
from jepa_planner.training.episodes import EpisodeError, read_episodes, shard_paths
from jepa_planner.training.fit import FitSettings, use_all_cores
from jepa_planner.training.objectives.joint import names_in
from jepa_planner.training.objectives.scene_sigreg import WINDOWS_PER_SCENE
from jepa_planner.training.objectives.takes_agree import TAKES_TOGETHER
from jepa_planner.training.predictor_training import Pictures, PredictorTraining, train_predictor
from jepa_planner.training.probes import prediction_error, probe_latents
from jepa_planner.training.recipe import Recipe, contract, planned_in_pixels, shipped_sizes
from jepa_planner.training.windows import split, state_scaling
from jepa_planner.world_model.bundle import load_bundle, save_bundle
from jepa_planner.world_model.contract import ContractError
from jepa_planner.world_model.encoder import EncoderConfig
from jepa_planner.world_model.predictor import ActionConditionedPredictor, PredictorConfig

ACTION_SCALE = (0.03, 0.03, 0.03, 1.0, 1.0, 0.06, 0.5)
"""Typical actions (m, rad, closedness), by which the predictor divides what it is given."""


class Collapsed(RuntimeError):
    """The encoder's latents collapsed; training stopped, and the run folder holds the measures."""


def run(
    data: Path | Sequence[Path], bundle: Path, run_folder: Path, recipe: Recipe, demonstrations: Sequence[Path] = (),
    layouts: Sequence[Path] = (),
) -> dict[str, object]:  # fmt: skip
    """Train encoder, then predictor, probe both and write the bundle; resumes from what `run_folder` holds. Returns
    the report.

    demonstrations: folders of episodes from which the bundle then learns to imagine sub-goals. layouts: folders of
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
        shard_paths(folder)  # not only after hours
    join_group(recipe.device)
    report = _train_world_model(data, bundle, run_folder, recipe, layouts)
    if demonstrations and report:
        settings = SubGoalRun(recipe.seed, recipe.sub_goal_iterations, command=recipe.command)
        report["sub_goals"] = add_sub_goals(demonstrations, bundle, bundle, run_folder / "sub_goals", settings)
        _write_report(run_folder, report)
    return report


def _train_world_model(
    data: Path | Sequence[Path], bundle: Path, run_folder: Path, recipe: Recipe, layouts: Sequence[Path]
) -> dict[str, object]:
    use_all_cores()
    device = own_device(recipe.device)
    episodes = read_episodes(data, recipe.episodes)
    parts = split(episodes)
    encoder_config, predictor_config = shipped_sizes(episodes)
    if recipe.any_view:
        encoder_config = replace(encoder_config, any_view=True)
    begin = None if recipe.init is None else _weights_to_begin_with(recipe.init, encoder_config, predictor_config)
    action_std = torch.tensor(ACTION_SCALE)
    training = EncoderTraining(
        FitSettings(recipe.encoder_iterations), objective=recipe.objective, device=device, augmented=recipe.augmented,
        **_batches(recipe),
    )  # fmt: skip
    if "takes" in names_in(recipe.objective) and len(np.unique(episodes.motions)) == len(episodes):
        raise EpisodeError(f"objective {recipe.objective!r}: no motion has two takes; collect episodes with --takes")
    shown = read_episodes(layouts) if layouts else None
    if shown is not None and shown.views != episodes.views:
        raise EpisodeError(f"layouts are seen by {shown.views}, the episodes by {episodes.views}: the same are needed")
    encoder, decoder = train_encoder(
        episodes, parts, encoder_config, predictor_config, training, action_std, run_folder, recipe.seed, begin, shown
    )
    latents = encode_episodes(encoder, episodes.images)
    collapse = measure_collapse(latents, np.random.default_rng(recipe.seed))
    print(collapse)
    readouts = probe_latents(latents, episodes, parts)
    report: dict[str, object] = {
        "episodes": len(episodes),
        "objective": recipe.objective,
        "collapse": dataclasses.asdict(collapse),
        "readouts": {name: dataclasses.asdict(readout) for name, readout in readouts.items()},
    }
    _write_report(run_folder, report)
    if collapse.collapsed:
        raise Collapsed(f"{collapse}; see {run_folder / 'report.json'}")
    torch.manual_seed(recipe.seed + 1)
    predictor = ActionConditionedPredictor(predictor_config)
    predictor.set_scaling(*state_scaling(episodes.states[parts.train]), action_std)
    predictor.to(device)
    train = parts.train
    seen = encode_some_alone(encoder, episodes.images[: len(train)], latents[train], np.random.default_rng(recipe.seed))
    pictures = None if decoder is None else Pictures(episodes.images[: len(train)], decoder)
    train_predictor(
        predictor, seen, episodes.states[train], episodes.actions[train],
        PredictorTraining(FitSettings(recipe.predictor_iterations, learning_rate=8e-4)), run_folder, recipe.seed,
        pictures,
    )  # fmt: skip
    predictor.eval()
    first = rank() == 0
    leave_group()
    if not first:
        return {}
    for module in filter(None, (encoder, predictor, decoder)):
        module.cpu()
    report["prediction_error"] = prediction_error(predictor, latents, episodes, parts.held_out, horizon=4)
    _write_report(run_folder, report)
    described = contract(encoder, predictor, episodes, latents, recipe, shown)
    if decoder is not None:
        described = planned_in_pixels(described, episodes)
    save_bundle(bundle, encoder, predictor, described, torch.float16, decoder)
    return report


def _batches(recipe: Recipe) -> dict[str, int | bool]:
    """Settings of batches in which windows have in common what the objective asks for.

    With takes windows are half as long: their frames are much alike, and what takes must agree on is what differs
    between moments. The frames saved are more windows, or layouts where there are any.
    """
    names = names_in(recipe.objective)
    if "takes" in names:
        count = recipe.encoder_batch if "layouts" in names else 2 * recipe.encoder_batch
        return {"batch": count, "window": EncoderTraining.window // 2, "per_scene": TAKES_TOGETHER, "of_takes": True}
    return {"batch": recipe.encoder_batch, "per_scene": WINDOWS_PER_SCENE if "scene_sigreg" in names else 1}


def _weights_to_begin_with(
    bundle: Path, encoder: EncoderConfig, predictor: PredictorConfig
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights of a bundle's encoder and predictor. Raises ContractError where it has other sizes than are trained."""
    found_encoder, found_predictor, found = load_bundle(bundle)
    if replace(found.encoder, any_view=encoder.any_view) != encoder or found.predictor != predictor:
        raise ContractError(
            f"{bundle} cannot be begun with: it holds {found.encoder} and {found.predictor}, expected {encoder} and "
            f"{predictor}"
        )
    return found_encoder.state_dict(), found_predictor.state_dict()


def _write_report(folder: Path, report: dict[str, object]) -> None:
    if rank() == 0:
        (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
