"""Has the representation collapsed? Measures on latents, and a verdict in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CollapseReport:
    """Measures of latents flattened to D numbers a frame.

    effective_rank: exponential of the entropy of the normalised covariance eigenvalues, 1..D (Roy and Vetterli,
    2007). std_mean, std_min: spread of the D numbers over frames. dead_share: numbers with a spread below 0.05 of the
    median's. neighbour_ratio: distance of consecutive frames over that of unrelated ones; near 1 means that time left
    no trace.
    """

    numbers: int
    effective_rank: float
    std_mean: float
    std_min: float
    dead_share: float
    neighbour_ratio: float

    @property
    def collapsed(self) -> bool:
        """Whether the latents carry next to nothing: almost no spread, or spread along a few directions only."""
        return not np.isfinite(self.effective_rank) or self.effective_rank < 4.0 or self.std_mean < 1e-3

    def __str__(self) -> str:
        verdict = "COLLAPSED" if self.collapsed else "not collapsed"
        return (
            f"{verdict}: effective rank {self.effective_rank:.1f} of {self.numbers}, "
            f"spread {self.std_mean:.3f} (least {self.std_min:.3f}), "
            f"{self.dead_share:.0%} dead, neighbours {self.neighbour_ratio:.2f} of unrelated"
        )


def measure_collapse(latents: np.ndarray, rng: np.random.Generator) -> CollapseReport:
    """Measure latents [E, T, N, D] of episodes."""
    frames = latents.reshape(len(latents), latents.shape[1], -1)
    flat = frames.reshape(-1, frames.shape[-1]).astype(np.float64)
    if not np.all(np.isfinite(flat)):
        return CollapseReport(flat.shape[1], np.nan, np.nan, np.nan, 1.0, 1.0)
    std = flat.std(axis=0)
    eigenvalues = np.clip(np.linalg.eigvalsh(np.cov(flat, rowvar=False)), 0.0, None)
    total = eigenvalues.sum()
    share = eigenvalues[eigenvalues > 0] / total if total > 1e-12 else np.ones(1)
    steps = np.linalg.norm(np.diff(frames, axis=1), axis=-1).mean()
    one, other = rng.integers(len(flat), size=(2, 4096))
    unrelated = np.linalg.norm(flat[one] - flat[other], axis=-1).mean()
    return CollapseReport(
        numbers=flat.shape[1],
        effective_rank=float(np.exp(-(share * np.log(share)).sum())),
        std_mean=float(std.mean()),
        std_min=float(std.min()),
        dead_share=float((std < 0.05 * np.median(std)).mean()) if np.median(std) > 0 else 1.0,
        neighbour_ratio=float(steps / unrelated) if unrelated > 1e-9 else 1.0,
    )
