"""Barlow Twins: each predicted number agrees with its own, and with no other."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from jepa_planner.learning.training.objectives.encoded import Encoded

SPREAD_EPS = 1e-6


class BarlowTwins(nn.Module):
    """Distance of the correlations between predicted and true latents from the identity (arXiv 2103.03230).

    The twins are the predicted and the true latent of the same frame, each number standardised over the batch; the sum
    is divided by D. redundancy: weight of the correlations between different numbers, as in the paper.
    """

    def __init__(self, redundancy: float = 0.005) -> None:
        super().__init__()
        self.redundancy = redundancy

    def forward(self, encoded: Encoded, generator: Generator) -> Tensor:
        """See `Term`."""
        correlation = correlations(encoded.predicted.flatten(0, 1), encoded.latents[:, 1:].flatten(0, 1))
        own = correlation.diagonal()
        others = correlation.square().sum() - own.square().sum()
        return ((1.0 - own).square().sum() + self.redundancy * others) / len(own)


def correlations(one: Tensor, other: Tensor) -> Tensor:
    """Correlation [D, D] over a batch of each number of one [M, D] with each of the other; 0 for a constant one."""
    if len(one) < 2:
        raise ValueError(f"{len(one)} frame has no correlations; Barlow Twins needs a batch of at least 2")
    scaled = []
    for latents in (one, other):
        centred = latents - latents.mean(0)
        scaled.append(centred / torch.sqrt(centred.square().mean(0) + SPREAD_EPS))
    return scaled[0].T @ scaled[1] / len(one)
