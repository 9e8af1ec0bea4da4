"""Finds the pictures of several cameras that show one moment, though they arrive one after another. No ROS."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

Picture = TypeVar("Picture")
KEPT_PER_VIEW = 30
"""A second of a camera with 30 pictures a second: so much later than the others one may deliver."""


class ViewPairing(Generic[Picture]):
    """Pictures of each view by their stamps (s), each used once, until those of one moment are complete."""

    def __init__(self, views: int, tolerance_s: float) -> None:
        self.tolerance_s = tolerance_s
        self._waiting: list[deque[tuple[float, Picture]]] = [deque(maxlen=KEPT_PER_VIEW) for _ in range(views)]

    def add(self, view: int, stamp_s: float, picture: Picture) -> list[Picture] | None:
        """Takes a picture; returns the pictures of all views, in order, when it completes a moment.

        The others are those nearest to it; what is older than them is let go.
        """
        waiting = self._waiting[view]
        if waiting and stamp_s <= waiting[-1][0]:  # a clock was set back
            waiting.clear()
        waiting.append((stamp_s, picture))
        if (moment := self._nearest(stamp_s)) is None or _spread(moment) > self.tolerance_s:
            return None
        for pictures, (used_s, _) in zip(self._waiting, moment, strict=True):
            while pictures and pictures[0][0] <= used_s:
                pictures.popleft()
        return [picture for _, picture in moment]

    def spread_s(self) -> float | None:
        """How far apart the nearest stamps of those are that wait; None while a view has none."""
        moments = [self._nearest(stamp_s) for stamp_s, _ in self._waiting[0]]
        return min((_spread(moment) for moment in moments if moment is not None), default=None)

    def _nearest(self, stamp_s: float) -> list[tuple[float, Picture]] | None:
        if not all(self._waiting):
            return None
        return [min(pictures, key=lambda one: abs(one[0] - stamp_s)) for pictures in self._waiting]


def _spread(moment: Sequence[tuple[float, object]]) -> float:
    stamps_s = [stamp_s for stamp_s, _ in moment]
    return max(stamps_s) - min(stamps_s)
