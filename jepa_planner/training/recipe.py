"""The whole training run: episodes in, model bundle out. This is how the shipped bundle was made."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jepa_planner.planning.action_space import GRIPPER
from jepa_planner.planning.cem import CemSettings
from jepa_planner.planning.energy import PIXELS
from jepa_planner.planning.mppi import MppiSettings
from jepa_planner.training.add_sub_goals import SubGoalRun, add_sub_goals
from jepa_planner.training.collapse import measure_collapse
from jepa_planner.training.distributed import join_group, leave_group, own_device, rank
from jepa_planner.training.encoder_training import (
    EncoderTraining,
    encode_episodes,
    encode_some_alone,
    train_encoder,
)
from jepa_planner.training.episodes import (
    ACTION_CHANNELS,
    STATE_CHANNELS,
    Episodes,
    read_episodes,
    seeds_in_words,
    shard_paths,
)
from jepa_planner.training.fit import FitSettings, use_all_cores
from jepa_planner.training.objectives.joint import SHIPPED, names_in
from jepa_planner.training.objectives.scene_sigreg import WINDOWS_PER_SCENE
from jepa_planner.training.predictor_training import Pictures, PredictorTraining, train_predictor
from jepa_planner.training.probes import prediction_error, probe_latents
from jepa_planner.training.windows import split, state_scaling
from jepa_planner.world_model.bundle import load_bundle, save_bundle
from jepa_planner.world_model.contract import Contract, ContractError
from jepa_planner.world_model.contract_sections import (
    ActionSpec,
    EnergySpec,
    ImageSpec,
    LatentSpec,
    PlanningSpec,
    StateSpec,
    TrainingSpec,
)
from jepa_planner.world_model.encoder import EncoderConfig, VideoEncoder
from jepa_planner.world_model.predictor import ActionConditionedPredictor, PredictorConfig
from jepa_planner.world_model.preprocess import preprocess

ACTION_MAX = (0.06, 0.06, 0.06, 0.0, 0.0, 0.12, 1.0)
"""Bounds of what is planned; yaw and gripper are held where they never moved in the episodes."""
YAW = 5
ACTION_SCALE = (0.03, 0.03, 0.03, 1.0, 1.0, 0.06, 0.5)
SHIPPED_PLANNING = PlanningSpec(
    reached_energy=0.01, final_reached_energy=0.005, steps_per_sub_goal=8, gripper_deadband=0.25,
    initial_std=(0.04, 0.04, 0.04, 0.0, 0.0, 0.08, 1.0),
    cem=CemSettings(
        horizon=3, samples=128, iterations=3, elites=16, answer="best", noise_correlation=0.8, use_warm_start=True,
        mean_as_candidate=True, kept_elites=4, seeded_candidates=("noop", "open", "close"),
    ),
    optimiser="mppi", mppi=MppiSettings(horizon=3, samples=32, iterations=6),
)  # fmt: skip
"""Settings of the search that did best on scenes kept for tuning (seeds from 1,500,000 on)."""


@dataclass(frozen=True)
class Recipe:
    """For what objective (see `JointObjective`) and how long to train, and from which seed; sizes are those of the
    shipped model. any_view: the encoder learns to do with any one of its cameras. init: a bundle whose encoder and
    predictor the first stage begins with, instead of with random weights.
    """

    seed: int = 0
    objective: str = SHIPPED
    encoder_iterations: int = 2200
    encoder_batch: int = 48
    predictor_iterations: int = 1500
    sub_goal_iterations: int = 6000
    episodes: int | None = None
    device: str = "cpu"
    any_view: bool = False
    init: Path | None = None
    name: str = "panda-tabletop"
    command: str = ""

    def __post_init__(self) -> None:
        names_in(self.objective)


class Collapsed(RuntimeError):
    """The encoder's latents collapsed; training stopped, and the run folder holds the measures."""


def run(
    data: Path | Sequence[Path], bundle: Path, run_folder: Path, recipe: Recipe, demonstrations: Sequence[Path] = ()
) -> dict[str, object]:
    """Train encoder, then predictor, probe both and write the bundle; resumes from what `run_folder` holds. Returns
    the report.

    demonstrations: folders of episodes from which the bundle then learns to imagine sub-goals. Of several processes
    (see `distributed`) all train encoder and predictor, and the first one does the rest; the others return {}.
    Raises EpisodeError for unusable data and Collapsed when the encoder is not worth a predictor.
    """
    for folder in demonstrations:
        shard_paths(folder)  # not only after hours
    join_group(recipe.device)
    report = _train_world_model(data, bundle, run_folder, recipe)
    if demonstrations and report:
        settings = SubGoalRun(recipe.seed, recipe.sub_goal_iterations, command=recipe.command)
        report["sub_goals"] = add_sub_goals(demonstrations, bundle, bundle, run_folder / "sub_goals", settings)
        _write_report(run_folder, report)
    return report


def _train_world_model(
    data: Path | Sequence[Path], bundle: Path, run_folder: Path, recipe: Recipe
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
        FitSettings(recipe.encoder_iterations), batch=recipe.encoder_batch, objective=recipe.objective, device=device,
        per_scene=WINDOWS_PER_SCENE if "scene_sigreg" in names_in(recipe.objective) else 1,
    )  # fmt: skip
    encoder, decoder = train_encoder(
        episodes, parts, encoder_config, predictor_config, training, action_std, run_folder, recipe.seed, begin
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
    described = contract(encoder, predictor, episodes, latents, recipe)
    if decoder is not None:
        described = planned_in_pixels(described, episodes)
    save_bundle(bundle, encoder, predictor, described, torch.float16, decoder)
    return report


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


def shipped_sizes(episodes: Episodes) -> tuple[EncoderConfig, PredictorConfig]:
    """Sizes of the shipped model for these episodes' images and views."""
    views, height, width = episodes.images.shape[2:5]
    encoder = EncoderConfig(
        image_size=(height, width),
        width=192,
        depth=4,
        heads=3,
        mlp_hidden=768,
        stem="conv",
        views=views,
        slots=8,
        slot_channels=16,
    )
    predictor = PredictorConfig(
        latent_channels=encoder.latent_channels, grid=encoder.latent_grid, width=192, depth=3, heads=3, mlp_hidden=768,
        state_dim=len(STATE_CHANNELS), action_dim=len(ACTION_CHANNELS), slot_embedding=True, residual=True,
        output_norm="none", extrinsics=False,
    )  # fmt: skip
    return encoder, predictor


def contract(
    encoder: VideoEncoder,
    predictor: ActionConditionedPredictor,
    episodes: Episodes,
    latents: np.ndarray,
    recipe: Recipe,
) -> Contract:
    """The contract of a freshly trained bundle."""
    config = encoder.config
    height, width = config.image_size
    flat = latents.reshape(-1, *latents.shape[2:])
    one, other = np.random.default_rng(0).integers(len(flat), size=(2, 4096))
    unrelated = float(((flat[one] - flat[other]) ** 2).mean())
    return Contract(
        name=recipe.name, version="1", licence="Apache-2.0",
        image=ImageSpec(height=height, width=width, views=episodes.views),
        latent=LatentSpec(tokens=config.latent_tokens, channels=config.latent_channels, grid=config.latent_grid),
        state=StateSpec(channels=STATE_CHANNELS, frame="panda_link0", tcp_frame="tcp"),
        action=ActionSpec(max_abs=action_max(episodes), time_step_s=episodes.time_step_s),
        energy=EnergySpec(kind="summed_mse", scale=round(unrelated, 3)),
        planning=SHIPPED_PLANNING,
        training=TrainingSpec(
            data=f"{len(episodes)} simulated episodes of {episodes.actions.shape[1]} steps, "
            f"seeds {seeds_in_words(episodes.seeds)}",
            command=recipe.command, seeds=(recipe.seed,),
            steps={"encoder": recipe.encoder_iterations, "predictor": recipe.predictor_iterations},
        ),
        encoder=encoder.config, predictor=predictor.config, context_frames=2,
    )  # fmt: skip


def action_max(episodes: Episodes) -> tuple[float, ...]:
    """Bounds of what is planned with a model of these episodes."""
    moved = {axis: bool(np.any(episodes.actions[..., axis])) for axis in (YAW, GRIPPER)}
    return tuple(bound if moved.get(axis, True) else 0.0 for axis, bound in enumerate(ACTION_MAX))


def planned_in_pixels(contract: Contract, episodes: Episodes) -> Contract:
    """The same contract with the energy in pixels, and tolerances that are the same share of that of unrelated frames,
    which for latents, standardised as they are, is 2.
    """
    images = episodes.images.reshape(-1, *episodes.images.shape[2:])
    picks = np.random.default_rng(0).integers(len(images), size=(2, 256))
    one, other = (preprocess(torch.from_numpy(images[pick]), contract.encoder.image_size) for pick in picks)
    scale = float((one - other).square().mean())
    planning = replace(
        contract.planning,
        reached_energy=contract.planning.reached_energy * scale / 2.0,
        final_reached_energy=contract.planning.tolerances(1)[0] * scale / 2.0,
    )
    energy = EnergySpec(kind=f"{PIXELS}{contract.energy.kind}", scale=round(scale, 3))
    return replace(contract, energy=energy, planning=planning)


def _write_report(folder: Path, report: dict[str, object]) -> None:
    if rank() == 0:
        (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
