"""Second stage: the predictor, trained on frozen latents by teacher forcing and by its own rollouts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jepa_planner.training.fit import FitSettings, fit
from jepa_planner.training.windows import WindowSampler
from jepa_planner.world_model.poses import apply_action
from jepa_planner.world_model.predictor import ActionConditionedPredictor


@dataclass(frozen=True)
class PredictorTraining:
    """Settings of the second stage: windows hold the context and the longest rollout."""

    fit: FitSettings
    batch: int = 96
    context: int = 2
    rollout: int = 4
    rollout_weight: float = 1.0

    @property
    def window(self) -> int:
        """Frames per window."""
        return self.context + self.rollout


def train_predictor(
    predictor: ActionConditionedPredictor, latents: np.ndarray, states: np.ndarray, actions: np.ndarray,
    settings: PredictorTraining, folder: Path, seed: int,
) -> None:  # fmt: skip
    """Train in place on latents [E, T+1, N, D], states [E, T+1, S] and actions [E, T, A]."""
    sampler = WindowSampler(latents, states, actions, settings.window, settings.batch, seed)

    def losses_at(iteration: int) -> dict[str, Tensor]:
        return predictor_losses(predictor, *sampler.draw(iteration), settings)

    fit("predictor", predictor, losses_at, settings.fit, folder)
    predictor.requires_grad_(False)


def predictor_losses(
    predictor: ActionConditionedPredictor, latents: Tensor, states: Tensor, actions: Tensor, settings: PredictorTraining
) -> dict[str, Tensor]:
    """Losses on a window of latents [B, W, N, D], states [B, W, S], actions [B, W-1, A].

    "teacher" is one-step error with the true past; "rollout" that of the predictor fed with its own output.
    """
    forced = predictor.normalise_output(predictor(latents[:, :-1], actions, states[:, :-1]))
    imagined = imagine(predictor, latents[:, : settings.context], states[:, : settings.context], actions)
    losses = {
        "teacher": (forced - latents[:, 1:]).pow(2).mean(),
        "rollout": (imagined - latents[:, settings.context :]).pow(2).mean(),
    }
    losses["total"] = losses["teacher"] + settings.rollout_weight * losses["rollout"]
    return losses


def imagine(predictor: ActionConditionedPredictor, latents: Tensor, states: Tensor, actions: Tensor) -> Tensor:
    """Roll out after a context: latents [B, C, N, D], states [B, C, S], actions [B, C-1+H, A] -> [B, H, N, D].

    The same computation as planning does, with gradients: own predictions are fed back, arm states follow the actions.
    """
    cache = predictor.new_cache()
    context = latents.shape[1]
    for step in range(context - 1):
        predictor.step(latents[:, step], actions[:, step], states[:, step], cache)
    latent, state = latents[:, -1], states[:, -1]
    imagined = []
    for step in range(context - 1, actions.shape[1]):
        latent = predictor.normalise_output(predictor.step(latent, actions[:, step], state, cache))
        state = apply_action(state, actions[:, step])
        imagined.append(latent)
    return torch.stack(imagined, dim=1)
