"""What the shipped model was trained as: settings of a run, sizes of the networks, and the contract of its bundle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jepa_planner.core.arm_layout import ACTION_CHANNELS, STATE_CHANNELS
from jepa_planner.learning.data.episodes import Episodes, seeds_in_words
from jepa_planner.learning.data.images_on_disk import frames_at
from jepa_planner.learning.training.action_bounds import action_max, planned_within
from jepa_planner.learning.training.encoder_training import EncoderTraining
from jepa_planner.learning.training.objectives.appearance_invariance import VARIANTS_TOGETHER
from jepa_planner.learning.training.objectives.joint import SHIPPED, names_in
from jepa_planner.learning.training.objectives.scene_sigreg import WINDOWS_PER_SCENE
from jepa_planner.learning.training.predictor_sizes import PredictorKind, new_predictor_config
from jepa_planner.model.contract import Contract
from jepa_planner.model.contract_sections import (
    ActionSpec,
    ImageSpec,
    LatentSpec,
    StateSpec,
    TrainingSpec,
)
from jepa_planner.model.encoder import EncoderConfig, VideoEncoder
from jepa_planner.model.predictor_kind import Predictor
from jepa_planner.model.predictors import AnyPredictorConfig
from jepa_planner.model.preprocess import preprocess
from jepa_planner.planning.energy import PIXELS
from jepa_planner.planning.planner_settings import EnergySettings, PlannerSettings
from jepa_planner.planning.progress import ProgressSettings
from jepa_planner.planning.solvers.cem import CemSettings
from jepa_planner.planning.solvers.mppi import MppiSettings

TUNED_FOR = (0.06, 0.06, 0.06, 0.0, 0.0, 0.12, 1.0)
"""Bounds of actions in the episodes with whose models the search was tuned: those of the simulator."""
SHIPPED_PLANNING = PlannerSettings(
    energy=EnergySettings(kind="summed_mse", scale=2.0),
    reached_energy=0.01, final_reached_energy=0.005, steps_per_sub_goal=8, gripper_deadband=0.25,
    initial_std=(0.04, 0.04, 0.04, 0.0, 0.0, 0.08, 1.0),
    cem=CemSettings(
        horizon=3, samples=128, iterations=3, elites=16, answer="best", noise_correlation=0.8, use_warm_start=True,
        mean_as_candidate=True, kept_elites=4, seeded_candidates=("noop", "open", "close"),
    ),
    solver="mppi", mppi=MppiSettings(horizon=2, samples=32, iterations=6), progress=ProgressSettings(patience=18),
)  # fmt: skip
"""Settings of the search that did best on scenes kept for tuning (seeds from 1,500,000 on)."""
ITERATIONS, GOING_ON = 2200, 700
"""Of the encoder, from random weights and from those of a model that sees well already."""


@dataclass(frozen=True)
class Recipe:
    """For what objective and how long to train, and from which seed; sizes are those of the shipped model."""

    seed: int = 0
    """Seed of all random numbers."""
    objective: str = SHIPPED
    """Names of terms of the first stage, see `JointObjective`."""
    encoder_iterations: int | None = None
    """Iterations of the first stage; None: ITERATIONS, or GOING_ON where it begins with another bundle's weights."""
    encoder_batch: int = 48
    """Windows per iteration of the first stage, where the objective does not ask for more (see `batches_of`)."""
    predictor: PredictorKind | None = None
    """The kind that is planned with; None: the usual one of such latents."""
    predictor_iterations: int = 1500
    """Iterations of the second stage."""
    sub_goal_iterations: int | None = None
    """Iterations of the third stage, where there are demonstrations; None: as many as its head needs."""
    verdict_iterations: int | None = None
    """Iterations of the fourth stage, likewise; None: as many as its head needs."""
    keypoints: bool | None = None
    """Whether the heads of these two stages look at the pictures themselves; None: where episodes teach it."""
    keypoints_of: Path | None = None
    """A bundle with whose keypoints they begin; None: `init`, if it has some."""
    episodes: int | None = None
    """Only the first so many are learned from, at least 1; None: all."""
    device: str = "cpu"
    """Where the model is trained, such as cuda."""
    any_view: bool = False
    """Whether the encoder learns to do with any one of its cameras."""
    augmented: bool = False
    """Whether the first stage sees scenes turned, shifted and recoloured."""
    init: Path | None = None
    """A bundle whose encoder and predictor the first stage begins with, instead of with random weights."""
    name: str = ""
    """The model's name; empty: that of the bundle's folder."""
    frame: str = ""
    """What poses are given in, where episodes do not say it."""
    tcp_frame: str = ""
    """What poses are of, where episodes do not say it."""
    trust_data: bool = False
    """Whether what is surely wrong with episodes is only said."""
    command: str = ""
    """What was typed, as it is noted in the bundle."""

    def __post_init__(self) -> None:
        names_in(self.objective)

    @property
    def first_stage_iterations(self) -> int:
        """How many there are."""
        if self.encoder_iterations is not None:
            return self.encoder_iterations
        return ITERATIONS if self.init is None else GOING_ON


def batches_of(recipe: Recipe) -> dict[str, Any]:
    """Settings of batches in which windows have in common what the objective asks for.

    With variants windows are half as long: their frames are much alike, and what variants must agree on is what differs
    between moments. The frames saved are more windows, or layouts where there are any.
    """
    names = names_in(recipe.objective)
    if "appearance" in names:
        count = recipe.encoder_batch if "layouts" in names else 2 * recipe.encoder_batch
        return {
            "batch": count,
            "window": EncoderTraining.window // 2,
            "per_scene": VARIANTS_TOGETHER,
            "of_variants": True,
        }
    return {"batch": recipe.encoder_batch, "per_scene": WINDOWS_PER_SCENE if "scene_sigreg" in names else 1}


def shipped_encoder(episodes: Episodes) -> EncoderConfig:
    """Sizes of the shipped model's encoder for these episodes' images and views."""
    views, height, width = episodes.images.shape[2:5]
    return EncoderConfig(
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


def shipped_predictor(encoder: EncoderConfig, kind: PredictorKind | None = None) -> AnyPredictorConfig:
    """Sizes of a predictor for the shipped encoder and for arms as episodes know them."""
    return new_predictor_config(encoder, len(STATE_CHANNELS), len(ACTION_CHANNELS), kind)


def contract(
    encoder: VideoEncoder,
    predictor: Predictor,
    episodes: Episodes,
    recipe: Recipe,
    layouts: Episodes | None = None,
) -> Contract:
    """The contract of a freshly trained bundle; frames are those of the episodes."""
    seen = f"{len(episodes)} episodes of {episodes.actions.shape[1]} steps, seeds"
    data = f"{seen} {seeds_in_words(episodes.seeds)}"
    if layouts is not None:
        data += f"; {len(layouts)} variants of {layouts.images.shape[1]} layouts, seeds {seeds_in_words(layouts.seeds)}"
    config = encoder.config
    height, width = config.image_size
    bounds = action_max(episodes.actions)
    return Contract(
        name=recipe.name, version="1", licence="Apache-2.0",
        image=ImageSpec(height=height, width=width, views=episodes.views),
        latent=LatentSpec(tokens=config.latent_tokens, channels=config.latent_channels, grid=config.latent_grid),
        state=StateSpec(channels=STATE_CHANNELS, frame=episodes.frame, tcp_frame=episodes.tcp_frame),
        action=ActionSpec(max_abs=bounds, time_step_s=episodes.time_step_s),
        training=TrainingSpec(
            data=data, command=recipe.command, seeds=(recipe.seed,),
            steps={"encoder": recipe.first_stage_iterations, "predictor": recipe.predictor_iterations},
        ),
        encoder=encoder.config, predictor=predictor.config, context_frames=2,
    )  # fmt: skip


def new_planner_settings(contract: Contract, latents: np.ndarray) -> PlannerSettings:
    """How to plan with a freshly trained bundle; latents [E, T+1, N, D]: of its episodes."""
    flat = latents.reshape(-1, *latents.shape[2:])
    one, other = np.random.default_rng(0).integers(len(flat), size=(2, 4096))
    unrelated = float(((flat[one] - flat[other]) ** 2).mean())
    energy = replace(SHIPPED_PLANNING.energy, scale=round(unrelated, 3))
    return planned_within(replace(SHIPPED_PLANNING, energy=energy), TUNED_FOR, contract.action.max_abs)


def planned_in_pixels(settings: PlannerSettings, contract: Contract, episodes: Episodes) -> PlannerSettings:
    """The same settings with the energy in pixels, and tolerances that are the same share of that of unrelated frames,
    which for latents, standardised as they are, is 2.
    """
    images, size = episodes.images, contract.encoder.image_size
    picks = np.random.default_rng(0).integers(images.shape[0] * images.shape[1], size=(2, 256))
    one, other = (preprocess(torch.from_numpy(frames_at(images, pick)), size) for pick in picks)
    scale = float((one - other).square().mean())
    return replace(
        settings,
        energy=EnergySettings(kind=f"{PIXELS}{settings.energy.kind}", scale=round(scale, 3)),
        reached_energy=settings.reached_energy * scale / 2.0,
        final_reached_energy=settings.tolerances(1)[0] * scale / 2.0,
    )
