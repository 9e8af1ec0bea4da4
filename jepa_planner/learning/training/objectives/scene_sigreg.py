"""SIGReg within scenes: what never changes in a scene is no way to spread the latents."""

from __future__ import annotations

import math

from torch import Generator, Tensor

from jepa_planner.learning.training.objectives.encoded import Encoded
from jepa_planner.learning.training.objectives.sigreg import Sigreg

WINDOWS_PER_SCENE = 8
"""So many windows of each scene go into a batch that is trained with it."""


class SceneSigreg(Sigreg):
    """Sigreg of latents from which their scene's mean is taken away.

    Where tables, lights, colours and cameras differ between scenes, they spread latents at no cost: they are the same
    in the next frame, and so are predicted without knowing anything. Without the scene's mean they spread nothing, and
    only what moves does. Needs several windows of each scene in a batch (`WindowSampler.per_scene`).
    """

    def forward(self, encoded: Encoded, generator: Generator) -> Tensor:
        """See `Term`. Raises ValueError where each window shows another scene."""
        count, time, numbers = encoded.latents.shape
        together = encoded.together
        if together < 2 or count % together:
            raise ValueError(f"{count} windows, {together} of each scene: expected at least two of each")
        seen = encoded.latents.reshape(-1, together * time, numbers)
        spread = (seen - seen.mean(1, keepdim=True)) * math.sqrt(together * time / (together * time - 1))
        steps = spread.reshape(count, time, numbers).unbind(1)
        return sum((self.distance(latents, generator) for latents in steps), start=seen.new_zeros(())) / time
