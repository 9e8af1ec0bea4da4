"""Batches of layouts: scenes in which only things move between pictures, in two variants that look different."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from jepa_planner.learning.data.episodes import EpisodeError, Episodes
from jepa_planner.learning.training.distributed import draw_seed

VARIANTS = 2


@dataclass(frozen=True)
class LayoutBatches:
    """Draws `scenes` scenes of episodes whose frames are layouts, and whose motions are filmed in several variants.

    Raises EpisodeError where something acts in them, or fewer than VARIANTS variants are there.
    """

    episodes: Episodes
    scenes: int
    seed: int
    _variants: list[np.ndarray] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.episodes.actions.any():
            raise EpisodeError("these are no layouts, the arm acts in them: collect some with --behaviour layouts")
        motions = self.episodes.motions
        order = np.argsort(motions, kind="stable")
        variants = np.split(order, np.flatnonzero(np.diff(motions[order])) + 1)
        if min(map(len, variants)) < VARIANTS:
            raise EpisodeError(
                f"layouts with fewer than {VARIANTS} variants of each: collect some with --variants {VARIANTS}"
            )
        object.__setattr__(self, "_variants", variants)

    def draw(self, iteration: int) -> Tensor:
        """Pictures uint8 [scenes, VARIANTS, L, V, H, W, 3]; the same iteration gives the same ones, to each of several
        processes others.
        """
        rng = np.random.default_rng([*draw_seed(self.seed, iteration), 1])
        chosen = rng.choice(len(self._variants), self.scenes)
        rows = np.stack([rng.choice(self._variants[scene], VARIANTS, replace=False) for scene in chosen])
        return torch.from_numpy(self.episodes.images[rows])
