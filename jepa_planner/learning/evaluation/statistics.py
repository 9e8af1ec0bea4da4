"""Intervals and summaries of trials."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """95 % Wilson score interval of a success rate (Wilson, 1927). Raises ValueError unless 0 <= successes <= trials,
    trials > 0.
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"{successes} successes in {trials} trials is no proportion")
    from scipy.stats import binomtest  # takes a second to load

    interval = binomtest(successes, trials).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)


def percentile(values: Sequence[float], share: float) -> float:
    """Percentile 0..100 of values; NaN when there are none."""
    return float(np.percentile(values, share)) if len(values) else math.nan
