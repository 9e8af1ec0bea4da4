"""Second stage: the predictor, trained on frozen latents by teacher forcing and by its own rollouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.poses import apply_action
from jepa_planner.learning.data.images_on_disk import Images
from jepa_planner.learning.training.fit import FitSettings, fit
from jepa_planner.learning.training.mixed_precision import mixed_precision
from jepa_planner.learning.training.windows import WindowSampler
from jepa_planner.model.pixel_decoder import PixelDecoder
from jepa_planner.model.predictor_kind import Predictor
from jepa_planner.model.preprocess import preprocess

Difference = Literal["mse", "l1"]
DIFFERENCES: dict[Difference, Callable[[Tensor], Tensor]] = {"mse": torch.square, "l1": torch.abs}


@dataclass(frozen=True)
class PredictorTraining:
    """Settings of the second stage: windows hold the context and the longest rollout, or more for teacher forcing."""

    fit: FitSettings
    """How weights are fitted."""
    batch: int = 96
    """Windows per iteration."""
    context: int = 2
    """True frames that a rollout begins with, at least 1."""
    rollout: int = 4
    """Frames that the predictor imagines from there, fed with its own output, at least 1."""
    rollout_weight: float = 1.0
    """Weight of the error of rollouts, beside that of one step from the true past; at least 0."""
    teacher_frames: int = 0
    """Frames that a window holds at least, for teacher forcing; 0: as many as context and rollout need."""
    difference: Difference = "mse"
    """How far a latent is from the true one, squared or absolute, averaged over its numbers."""

    @property
    def window(self) -> int:
        """Frames per window."""
        return max(self.context + self.rollout, self.teacher_frames)


@dataclass(frozen=True)
class Pictures:
    """What is predicted instead of latents: pictures uint8 [E, T+1, V, H, W, 3], drawn by a decoder that stays."""

    images: Images
    decoder: PixelDecoder


def train_predictor(
    predictor: Predictor, latents: np.ndarray, states: np.ndarray, actions: np.ndarray,
    settings: PredictorTraining, folder: Path, seed: int, pictures: Pictures | None = None,
    lengths: np.ndarray | None = None,
) -> None:  # fmt: skip
    """Train in place, where the predictor is, on latents [E, T+1, N, D], states [E, T+1, S] and actions [E, T, A].

    pictures: of the same frames, where the loss is that of pixels rather than of latents. lengths: how many actions
    [E] of each episode were recorded; None: all.
    """
    sampler = WindowSampler(latents, states, actions, settings.window, settings.batch, seed, lengths=lengths)
    device = predictor.device

    def losses_at(iteration: int) -> dict[str, Tensor]:
        latents, states, actions = (part.to(device) for part in sampler.draw(iteration))
        if pictures is None:
            with mixed_precision(device):
                return predictor_losses(predictor, latents, states, actions, settings)
        images = replace(sampler, frames=pictures.images).draw(iteration)[0]  # the same windows
        true = preprocess(images.to(device), pictures.decoder.config.image_size)
        return predictor_losses(predictor, latents, states, actions, settings, pictures.decoder, true)

    fit("predictor", predictor, losses_at, settings.fit, folder)
    predictor.requires_grad_(False)


def predictor_losses(
    predictor: Predictor, latents: Tensor, states: Tensor, actions: Tensor,
    settings: PredictorTraining, draw: Callable[[Tensor], Tensor] = lambda latents: latents, true: Tensor | None = None,
) -> dict[str, Tensor]:  # fmt: skip
    """Losses on a window of latents [B, W, N, D], states [B, W, S], actions [B, W-1, A].

    "teacher" is one-step error with the true past; "rollout" that of the predictor fed with its own output. What is
    drawn from predicted latents is compared with the true [B, W, ..]: by default the latents themselves.
    """
    size, context = DIFFERENCES[settings.difference], settings.context
    true = latents if true is None else true
    end = context + settings.rollout
    forced = predictor.normalise_output(predictor(latents[:, :-1], actions, states[:, :-1]))
    imagined = imagine(predictor, latents[:, :context], states[:, :context], actions[:, : end - 1])
    losses = {
        "teacher": size(draw(forced) - true[:, 1:]).mean(),
        "rollout": size(draw(imagined) - true[:, context:end]).mean(),
    }
    losses["total"] = losses["teacher"] + settings.rollout_weight * losses["rollout"]
    return losses


@torch.inference_mode()
def rollout_errors(
    predictor: Predictor, latents: np.ndarray, states: np.ndarray, actions: np.ndarray, context: int,
    horizon: int, difference: Difference = "mse",
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Errors per step of imagined latents, and of copying the last one seen, over consecutive windows of episodes.

    Shapes as in `train_predictor`; both errors are [E, windows, horizon].
    """
    size = DIFFERENCES[difference]
    errors: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for start, imagined, last in rollout_windows(predictor, latents, states, actions, context, horizon):
        first = start + context
        future = torch.tensor(latents[:, first : first + horizon], device=imagined.device)
        for collected, guess in zip(errors, (imagined, last), strict=True):
            collected.append(size(guess - future).mean((-1, -2)).cpu().numpy())
    imagined_errors, copy_errors = (np.stack(collected, axis=1) for collected in errors)
    return imagined_errors, copy_errors


def rollout_windows(
    predictor: Predictor, latents: np.ndarray, states: np.ndarray, actions: np.ndarray, context: int,
    horizon: int,
) -> Iterator[tuple[int, Tensor, Tensor]]:  # fmt: skip
    """Of consecutive windows of episodes the first frame, the latents imagined after the context [E, horizon, N, D] and
    the last one seen [E, 1, N, D]; shapes as in `train_predictor`.
    """
    device, window = predictor.device, context + horizon
    for start in window_starts(states.shape[1], window):
        frames, steps = slice(start, start + context), slice(start, start + window - 1)
        parts = latents[:, frames], states[:, frames], actions[:, steps]
        seen, arm, act = (torch.tensor(part, device=device) for part in parts)
        yield start, imagine(predictor, seen, arm, act), seen[:, -1:]


def window_starts(frames: int, window: int) -> range:
    """First frames of consecutive windows."""
    return range(0, frames - window + 1, window)


def imagine(predictor: Predictor, latents: Tensor, states: Tensor, actions: Tensor) -> Tensor:
    """Roll out after a context: latents [B, C, N, D], states [B, C, S], actions [B, C-1+H, A] -> [B, H, N, D].

    The same computation as planning does, with gradients: own predictions are fed back, arm states follow the actions.
    """
    cache = predictor.new_cache()
    context = latents.shape[1]
    for step in range(context - 1):
        predictor.observe(latents[:, step], actions[:, step], states[:, step], cache)
    latent, state = latents[:, -1], states[:, -1]
    imagined = []
    for step in range(context - 1, actions.shape[1]):
        latent = predictor.normalise_output(predictor.step(latent, actions[:, step], state, cache))
        state = apply_action(state, actions[:, step])
        imagined.append(latent)
    return torch.stack(imagined, dim=1)
