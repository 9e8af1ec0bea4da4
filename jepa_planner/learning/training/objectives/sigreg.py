"""SIGReg: latents are kept distributed like a Gaussian."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from jepa_planner.learning.training.objectives.encoded import Encoded


class Sigreg(nn.Module):
    """Distance of latents from an isotropic Gaussian, seen through random one-dimensional slices; mean over time steps.

    Collapsed latents score high. Source: LeJEPA (arXiv 2511.08544).
    """

    def __init__(self, slices: int = 256, knots: int = 17) -> None:
        super().__init__()
        t = torch.linspace(0.0, 3.0, knots)
        gaussian = torch.exp(-0.5 * t**2)
        trapezoid = torch.full((knots,), 2 * 3.0 / (knots - 1))
        trapezoid[[0, -1]] /= 2
        self.slices = slices
        self.register_buffer("t", t, persistent=False)
        self.register_buffer("gaussian", gaussian, persistent=False)
        self.register_buffer("weights", trapezoid * gaussian, persistent=False)

    def forward(self, encoded: Encoded, generator: Generator) -> Tensor:
        """See `Term`."""
        return torch.stack([self.distance(latents, generator) for latents in encoded.latents.unbind(1)]).mean()

    def distance(self, latents: Tensor, generator: Generator) -> Tensor:
        """Of latents [M, D] -> scalar.

        For each of `slices` random directions the empirical characteristic function is compared with that of N(0, 1)
        (Epps-Pulley test). The sum over `knots` in 0..3 is weighted by the Gaussian and scaled by M, so that its size
        for Gaussian latents does not depend on M.
        """
        directions = torch.randn(latents.shape[-1], self.slices, generator=generator, device="cpu").to(latents)
        directions = directions / directions.norm(dim=0)
        angles = (latents @ directions)[..., None] * self.t
        error = (angles.cos().mean(0) - self.gaussian) ** 2 + angles.sin().mean(0) ** 2
        return (error @ self.weights).mean() * len(latents)
