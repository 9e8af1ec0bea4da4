"""VICReg: every number varies, and no two say the same."""

from __future__ import annotations

from torch import Generator, Tensor, nn

from jepa_planner.learning.training.objectives.encoded import Encoded

SPREAD_EPS = 1e-4


class Vicreg(nn.Module):
    """Variance and covariance terms of VICReg (arXiv 2105.04906); the prediction itself is its invariance term.

    variance: how far the spread of each number over the batch falls short of 1; covariance: squared covariances of
    different numbers, summed and divided by D. The weights keep the paper's proportions of 25 : 25 : 1 with an
    invariance term of weight 1.
    """

    def __init__(self, variance: float = 1.0, covariance: float = 0.04) -> None:
        super().__init__()
        self.variance, self.covariance = variance, covariance

    def forward(self, encoded: Encoded, generator: Generator) -> Tensor:
        """See `Term`."""
        latents = encoded.latents.flatten(0, 1)
        if len(latents) < 2:
            raise ValueError(f"{len(latents)} frame has no variance; VICReg needs a batch of at least 2")
        centred = latents - latents.mean(0)
        covariance = centred.T @ centred / (len(latents) - 1)
        own = covariance.diagonal()
        shortfall = (1.0 - (own + SPREAD_EPS).sqrt()).clamp(min=0.0).mean()
        shared = (covariance.square().sum() - own.square().sum()) / len(own)
        return self.variance * shortfall + self.covariance * shared
