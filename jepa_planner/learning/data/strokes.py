"""When a gripper was told to open or to close, whether its commands jump or go there little by little."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

STILL = 0.02
"""A commanded closure that changes less in a step rests."""
LEAST_STROKE = 0.3
"""A gripper acts where its commanded closure changes by more, without resting or turning."""


class Stroke(NamedTuple):
    """From the frame `begin`, the last one before it, to the frame `end`, the first one after it; change: of the
    closure, above 0 where the gripper closes.
    """

    begin: int
    end: int
    change: float


def strokes(closure: np.ndarray, least: float = LEAST_STROKE) -> list[Stroke]:
    """Those of an episode's commanded closure [T+1], in order."""
    steps = np.diff(closure.astype(np.float64))
    ways = np.where(np.abs(steps) > STILL, np.sign(steps), 0.0)
    edges = np.flatnonzero(np.diff(ways, prepend=0.0, append=0.0))
    found = [
        Stroke(int(begin), int(end), float(closure[end] - closure[begin]))
        for begin, end in pairwise(edges)
        if ways[begin]
    ]
    return [stroke for stroke in found if abs(stroke.change) > least]
