"""Clips of single cameras, drawn from episodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.images_on_disk import frames_at


@dataclass(frozen=True)
class ClipSettings:
    """Which clips a batch is made of."""

    moments: int = 24
    """Moments of episodes per batch; each camera's clip of it is one of the batch."""
    frames: int = 2
    """Frames of a clip, at least 1."""
    most_apart: int = 4
    """Steps of the episode between two frames of a clip, drawn from 1 to this."""


class ClipSampler:
    """The same batch for the same iteration and seed, whatever was drawn before."""

    def __init__(self, episodes: Episodes, numbers: np.ndarray, settings: ClipSettings, seed: int) -> None:
        """numbers: of the episodes to draw from. Raises ValueError where they are too short for a clip."""
        self._episodes, self._numbers, self._settings, self._seed = episodes, numbers, settings, seed
        shortest = int(episodes.lengths[numbers].min()) + 1
        if shortest < settings.frames:
            raise ValueError(f"an episode has {shortest} frames; clips have {settings.frames}: leave it out")

    def draw(self, iteration: int) -> Tensor:
        """uint8 [B, T, H, W, 3]; every other batch is of single frames, which is what a camera gives."""
        settings, images = self._settings, self._episodes.images
        rng = np.random.default_rng((self._seed, iteration))
        chosen = rng.choice(self._numbers, settings.moments)
        last = self._episodes.lengths[chosen]  # that of the last frame
        between = max(settings.frames - 1, 1)
        apart = np.minimum(rng.integers(1, settings.most_apart + 1, settings.moments), np.maximum(last // between, 1))
        first = rng.integers(0, np.maximum(last - apart * (settings.frames - 1), 0) + 1)
        frames = first[:, None] + apart[:, None] * np.arange(settings.frames)
        shown = frames_at(images, (chosen[:, None] * images.shape[1] + frames).ravel())
        clips = torch.from_numpy(shown).unflatten(0, frames.shape).movedim(2, 1).flatten(0, 1)
        return clips if iteration % 2 == 0 else clips.flatten(0, 1)[:, None]
