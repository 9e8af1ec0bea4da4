"""How far changes that were asked for and changes that followed are one and the same."""

from __future__ import annotations

import math

import numpy as np

NO_MOTION = 1e-3
"""Steps (m, rad, closure) below do not move."""
LEAST_STEPS = 20
"""Fewer steps that move say nothing."""
CLEAR, FAINT = 0.6, 0.4
"""An explanation holds from this r on; another than what is expected is believed where that has less than this."""


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of changes, whose mean is known to be 0; 0 where one of them is 0 throughout."""
    size = math.sqrt(float((one * one).sum()) * float((other * other).sum()))
    return float((one * other).sum()) / size if size > 0.0 else 0.0


def explains(expected: float, other: float) -> bool:
    """Whether another explanation is so much better than the expected one that this cannot be chance."""
    return other > CLEAR and other - expected > 0.15 and (1 - other**2) < 0.6 * (1 - expected**2)


def tamed(done: np.ndarray) -> np.ndarray:
    """Changes [E, T, 3] without the weight of single jumps."""
    sizes = np.abs(done[np.abs(done) > NO_MOTION])
    return np.clip(done, -3 * np.quantile(sizes, 0.95), 3 * np.quantile(sizes, 0.95)) if len(sizes) else done
