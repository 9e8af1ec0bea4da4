"""How near measured times are to a straight line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Line:
    """time = offset_s + slope_s * size, fitted so that relative deviations are small; worst: the largest of them."""

    offset_s: float
    slope_s: float
    worst: float


def fitted_line(sizes: Sequence[float], seconds: Sequence[float]) -> Line:
    """Least squares of relative deviations. Raises ValueError for fewer than two sizes or a time that is not positive.

    Relative, because a plan twice as long may be off by twice as many milliseconds and is as linear as before.
    """
    x, y = np.asarray(sizes, float), np.asarray(seconds, float)
    if len(x) != len(y) or len(set(x)) < 2 or not (y > 0).all():
        raise ValueError(f"{len(x)} sizes and times {y.tolist()}; expected two or more, and positive times")
    columns = np.stack([np.ones_like(x), x], axis=1) / y[:, None]
    (offset_s, slope_s), *_ = np.linalg.lstsq(columns, np.ones_like(y), rcond=None)
    worst = np.abs(columns @ (offset_s, slope_s) - 1.0).max()
    return Line(float(offset_s), float(slope_s), float(worst))
