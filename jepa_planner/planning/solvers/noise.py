"""Sources of the Gaussian numbers that searches draw; passing one in makes a plan repeatable."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

NoiseSource = Callable[[tuple[int, int, int]], Tensor]
"""Standard normal draws for a shape (horizon, samples, free axes)."""


class SeededNoise:
    """Draws from a generator of its own, float32 on the CPU so that every device sees the same numbers."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, shape: tuple[int, int, int]) -> Tensor:
        return torch.randn(shape, generator=self._generator)


def correlate_in_time(draws: Tensor, correlation: float) -> Tensor:
    """Turns independent draws [H, K, F] into an AR(1) sequence over H, standard normal at each step."""
    if correlation == 0.0:
        return draws
    steps = [draws[0]]
    for draw in draws[1:]:
        steps.append(correlation * steps[-1] + (1.0 - correlation**2) ** 0.5 * draw)
    return torch.stack(steps)


def colour(draws: Tensor, exponent: float) -> Tensor:
    """Turns independent draws [H, K, F] into noise of spectral density 1/frequency**exponent over H.

    Standard normal at each step. The longest period is twice the horizon, so that its ends are not tied together.
    """
    if exponent == 0.0:
        return draws
    steps = torch.arange(len(draws), dtype=torch.float64)
    frequencies = torch.fft.fftfreq(2 * len(draws), dtype=torch.float64).abs()
    power = frequencies.clamp_min(frequencies[1]) ** -exponent
    lags = (steps[:, None] - steps[None, :]).abs()
    covariance = (power * torch.cos(2.0 * math.pi * frequencies * lags[..., None])).sum(dim=-1) / power.sum()
    return torch.einsum("ts,skf->tkf", torch.linalg.cholesky(covariance).to(draws), draws)
