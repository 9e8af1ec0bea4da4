"""Batches of layouts: scenes in which only things move between pictures, in two takes that look different."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from jepa_planner.learning.data.episodes import EpisodeError, Episodes
from jepa_planner.learning.training.distributed import draw_seed

TAKES = 2


@dataclass(frozen=True)
class LayoutBatches:
    """Draws `scenes` scenes of episodes whose frames are layouts, and whose motions are filmed in several takes.

    Raises EpisodeError where something acts in them, or fewer than TAKES takes are there.
    """

    episodes: Episodes
    scenes: int
    seed: int
    _takes: list[np.ndarray] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.episodes.actions.any():
            raise EpisodeError("these are no layouts, the arm acts in them: collect some with --behaviour layouts")
        motions = self.episodes.motions
        order = np.argsort(motions, kind="stable")
        takes = np.split(order, np.flatnonzero(np.diff(motions[order])) + 1)
        if min(map(len, takes)) < TAKES:
            raise EpisodeError(f"layouts with fewer than {TAKES} takes of each: collect some with --takes {TAKES}")
        object.__setattr__(self, "_takes", takes)

    def draw(self, iteration: int) -> Tensor:
        """Pictures uint8 [scenes, TAKES, L, V, H, W, 3]; the same iteration gives the same ones, to each of several
        processes others.
        """
        rng = np.random.default_rng([*draw_seed(self.seed, iteration), 1])
        chosen = rng.choice(len(self._takes), self.scenes)
        numbers = np.stack([rng.choice(self._takes[scene], TAKES, replace=False) for scene in chosen])
        return torch.from_numpy(self.episodes.images[numbers])
