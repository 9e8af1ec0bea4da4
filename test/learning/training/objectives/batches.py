"""Encoded batches whose quality is known: spread evenly, or collapsed in one of many ways."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from jepa_planner.learning.training.objectives.encoded import ARM_CHANNELS, Encoded

BATCH, FRAMES, NUMBERS = 64, 4, 16
SPOILT: dict[str, Callable[[Tensor], Tensor]] = {
    "collapsed to zero": lambda z: 0.0 * z,
    "collapsed to a point": lambda z: 0.0 * z + 1.0,
    "rank one": lambda z: z[..., :1].expand_as(z),
    "half of the numbers say the same": lambda z: torch.cat([z[..., :8], z[..., :8]], dim=-1),
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian(seed: int = 0, spread: float = 1.0) -> Tensor:
    return spread * torch.randn(BATCH, FRAMES, NUMBERS, generator=generator(seed))


def encoded(latents: Tensor, predicted: Tensor | None = None) -> Encoded:
    """With perfect predictions unless others are given."""
    arm = torch.zeros(*latents.shape[:2], len(ARM_CHANNELS))
    return Encoded(latents, latents[:, 1:] if predicted is None else predicted, arm, arm[:, 1:])


def loss(term: nn.Module, latents: Tensor, predicted: Tensor | None = None, seed: int = 0) -> Tensor:
    return term(encoded(latents, predicted), generator(seed))


def follow_gradient(term: nn.Module, latents: Tensor, steps: int = 150) -> Tensor:
    """Where a term alone drives latents whose prediction is always perfect."""
    latents = latents.clone().requires_grad_()
    optimiser = torch.optim.Adam([latents], lr=0.05)
    for step in range(steps):
        optimiser.zero_grad()
        loss(term, latents, seed=step).backward()
        optimiser.step()
    return latents.detach()


def effective_rank(latents: Tensor) -> float:
    eigenvalues = torch.linalg.eigvalsh(torch.cov(latents.flatten(0, 1).T)).clamp(min=1e-12)
    share = eigenvalues / eigenvalues.sum()
    return torch.exp(-(share * share.log()).sum()).item()
