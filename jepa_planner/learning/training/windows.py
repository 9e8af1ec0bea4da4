"""Short windows of episodes as training batches, drawn by iteration number."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.arm_layout import RPY
from jepa_planner.learning.data.images_on_disk import Images
from jepa_planner.learning.training.distributed import draw_seed


@dataclass(frozen=True)
class WindowSampler:
    """Draws `batch` windows of `window` consecutive frames from arrays [E, T+1, ...] (frames) and [E, T, ...]
    (actions), `per_scene` in a row from episodes of the same scene.

    scenes: a number [E] for each episode, the same for those of one scene; None: each has its own. at_once: windows of
    a scene begin at the same step and are of different episodes, as long as there are so many; with the numbers of
    motions as scenes they are variants of the same moments. lengths: how many actions [E] of each episode were
    recorded, at which windows end where they can; None: all.
    """

    frames: Images
    states: np.ndarray
    actions: np.ndarray
    window: int
    batch: int
    seed: int
    per_scene: int = 1
    scenes: np.ndarray | None = None
    at_once: bool = False
    lengths: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.batch % self.per_scene:
            raise ValueError(f"a batch of {self.batch} windows cannot hold {self.per_scene} of each scene")
        if self.frames.shape[1] < self.window:
            raise ValueError(f"episodes of {self.frames.shape[1]} frames are shorter than windows of {self.window}")

    def draw(self, iteration: int) -> tuple[Tensor, Tensor, Tensor]:
        """Frames [B, W, ...], states [B, W, S] and actions [B, W-1, A]; the same iteration gives the same
        windows, to each of several processes others.
        """
        rng = np.random.default_rng(draw_seed(self.seed, iteration))
        drawn = rng.integers(self.frames.shape[0], size=self.batch // self.per_scene)
        episode = self._of_the_same_scenes(drawn, rng)[:, None]
        starts = rng.integers(self._starts(episode[:, 0]), size=self.batch)
        if self.at_once:
            starts = starts[:: self.per_scene].repeat(self.per_scene)
        start = starts[:, None]
        steps = start + np.arange(self.window)
        frames = torch.from_numpy(self.frames[episode, steps])
        states = torch.from_numpy(self.states[episode, steps])
        return frames, states, torch.from_numpy(self.actions[episode, steps[:, :-1]])

    def _starts(self, episode: np.ndarray) -> int | np.ndarray:
        """How many frames a window of each episode may begin at."""
        in_all = self.frames.shape[1] - self.window + 1
        if self.lengths is None or np.all(self.lengths == self.actions.shape[1]):
            return in_all
        return np.clip(self.lengths[episode] + 2 - self.window, 1, in_all)

    def _of_the_same_scenes(self, drawn: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """`per_scene` episodes for each of those drawn, any that show its scene."""
        if self.scenes is None or self.per_scene == 1:
            return drawn.repeat(self.per_scene)
        same = [np.flatnonzero(self.scenes == self.scenes[episode]) for episode in drawn]
        return np.concatenate(
            [rng.choice(of, self.per_scene, replace=not self.at_once or len(of) < self.per_scene) for of in same]
        )


@dataclass(frozen=True)
class Split:
    """Numbers of the training and the held-out episodes."""

    train: np.ndarray
    held_out: np.ndarray


def split(episodes: Sized, held_out_share: float = 0.05) -> Split:
    """The last episodes, at least one, are held out."""
    count = max(1, round(len(episodes) * held_out_share))
    if len(episodes) <= count:
        raise ValueError(f"{len(episodes)} episodes cannot be split into training and held-out ones: collect more")
    order = np.arange(len(episodes))
    return Split(order[:-count], order[-count:])


def state_scaling(states: np.ndarray) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [S] over episodes, of angles about the mean of their directions; constant channels
    get a deviation of 1.
    """
    flat = states.reshape(-1, states.shape[-1])
    directions = np.arctan2(np.sin(flat[:, RPY]).mean(axis=0), np.cos(flat[:, RPY]).mean(axis=0))
    around = flat.copy()
    around[:, RPY] -= 2 * np.pi * np.round((flat[:, RPY] - directions) / (2 * np.pi))
    std = around.std(axis=0)
    return torch.from_numpy(around.mean(axis=0)).float(), torch.from_numpy(np.where(std < 1e-3, 1.0, std)).float()
