"""Variants of the same motion have the same latents, whatever the table looks like."""

from __future__ import annotations

from torch import Generator, Tensor, nn

from jepa_planner.learning.training.objectives.encoded import Encoded

VARIANTS_TOGETHER = 2
"""So many variants of each motion go into a batch that is trained with it."""


class AppearanceInvariance(nn.Module):
    """Mean squared difference between the latents of two variants of the same moment.

    What two variants share is where the arm is and where the things are; colours, light and cameras are not shared, and
    are what an encoder of pictures finds first. The multi-view term of LeJEPA (arXiv 2511.08544), with a simulator's
    other variants as the views. Alone it is content with a constant: something else must keep latents apart.
    """

    def forward(self, encoded: Encoded, generator: Generator) -> Tensor:
        """See `Term`. Raises ValueError where no windows are variants of the same motion."""
        count, together = len(encoded.latents), encoded.together
        if together < 2 or count % together:
            raise ValueError(f"{count} windows, {together} of each motion: expected at least two variants of each")
        return 2.0 * encoded.latents.unflatten(0, (-1, together)).var(1).mean()
