"""Finds the pictures of several cameras that show one moment, though they arrive one after another. No ROS.

The rule is message_filters' ApproximateTime: of the sets of pictures, one of each view, that hold the pivot (the newest
of the views' oldest pictures), the tightest; it is given out once no picture still to come can make a better one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

Picture = TypeVar("Picture")
KEPT_PER_VIEW = 30
"""A second of a camera with 30 pictures a second: so much later than the others one may deliver."""
AGE_PENALTY = 5.0
"""A later set must be six times as tight: where a camera is half a period behind another, with jitter, taking now the
picture before and now the one after leaves pictures over.
"""
INTERVALS = 10
"""The shortest of so many between a view's pictures is how soon its next one can come."""


class ViewPairing(Generic[Picture]):
    """Pictures of each view by their stamps (s), each used once, until those of one moment are complete."""

    def __init__(self, views: int, tolerance_s: float) -> None:
        self.tolerance_s = tolerance_s
        self._views: list[_View[Picture]] = [_View() for _ in range(views)]
        self._rejected_s: deque[float] = deque(maxlen=KEPT_PER_VIEW)

    def add(self, view: int, stamp_s: float, picture: Picture) -> list[Picture] | None:
        """Takes a picture; returns those of all views, in order, of the newest moment that it completes.

        What is older than they are is let go. A stamp that was there before is no news; one that goes back is from a
        clock that was set back.
        """
        if stamp_s == self._views[view].newest_s:
            return None
        self._views[view].add(stamp_s, picture)
        newest = None
        while (moment := self._complete()) is not None:
            newest = moment
        return newest

    def spread_s(self) -> float | None:
        """How far apart, at least, the stamps were that could be no moment since the last one; None: nothing was."""
        return min(self._rejected_s, default=None)

    def _complete(self) -> list[Picture] | None:
        views = self._views
        while all(view.waiting for view in views):
            oldest_s = self._oldest_s()
            if (spread_s := _spread(oldest_s)) <= self.tolerance_s:
                break
            self._rejected_s.append(spread_s)
            views[oldest_s.index(min(oldest_s))].waiting.popleft()  # in the view of the newest, all are newer still
        if not all(view.waiting for view in views) or (best := self._tightest()) is None:
            return None
        self._rejected_s.clear()
        return [view.use(number) for view, number in zip(views, best, strict=True)]

    def _oldest_s(self) -> list[float]:
        """Of each view, the stamp of its oldest picture that waits."""
        return [view.waiting[0][0] for view in self._views]

    def _tightest(self) -> list[int] | None:
        """Which of each view's waiting pictures make the best set with the pivot; None while a better one may come."""
        pivot_s = max(self._oldest_s())
        numbers = [0] * len(self._views)
        best, best_from_s, best_to_s = numbers.copy(), -math.inf, math.inf
        while True:
            stamps_s = [view.stamp_s(number, pivot_s) for view, number in zip(self._views, numbers, strict=True)]
            from_s, to_s = min(stamps_s), max(stamps_s)
            later_s = (to_s - best_to_s) * (1.0 + AGE_PENALTY)
            if later_s >= pivot_s - best_from_s:
                return best
            if later_s < from_s - best_from_s:
                if any(number == len(view.waiting) for view, number in zip(self._views, numbers, strict=True)):
                    return None
                best, best_from_s, best_to_s = numbers.copy(), from_s, to_s
            if from_s >= pivot_s:
                return best
            numbers[stamps_s.index(from_s)] += 1


class _View(Generic[Picture]):
    """The pictures of one view that wait for others, oldest first, and how soon the next one can come."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[float, Picture]] = deque(maxlen=KEPT_PER_VIEW)
        self.newest_s = -math.inf
        self._intervals_s: deque[float] = deque(maxlen=INTERVALS)

    def add(self, stamp_s: float, picture: Picture) -> None:
        if stamp_s < self.newest_s:
            self.waiting.clear()
        elif math.isfinite(self.newest_s):
            self._intervals_s.append(stamp_s - self.newest_s)
        self.newest_s = stamp_s
        self.waiting.append((stamp_s, picture))

    def stamp_s(self, number: int, pivot_s: float) -> float:
        """Of a waiting picture; of the one after the last, the best that it can have for a set with the pivot.

        A view whose rate is not known yet is not waited for: its camera may be one that is triggered.
        """
        if number < len(self.waiting):
            return self.waiting[number][0]
        return max(pivot_s, self.newest_s + min(self._intervals_s, default=math.inf))

    def use(self, number: int) -> Picture:
        """Takes a picture out, and lets go of those before it."""
        for _ in range(number):
            self.waiting.popleft()
        return self.waiting.popleft()[1]


def _spread(stamps_s: Sequence[float]) -> float:
    return max(stamps_s) - min(stamps_s)
