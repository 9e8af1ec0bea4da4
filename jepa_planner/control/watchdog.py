"""Notices when something that should keep arriving has gone silent."""

from __future__ import annotations

import math

FUTURE_TOLERANCE_S = 1.0


class Watchdog:
    """Judges the age of one input by its stamps; the caller passes the time, so that tests can move it as they like.

    Only a newer stamp counts as news: a source that repeats an old one is as silent as none.
    """

    def __init__(self, what: str, timeout_s: float) -> None:
        if not (math.isfinite(timeout_s) and timeout_s > 0):
            raise ValueError(f"timeout for {what} is {timeout_s} s, expected a finite number above 0")
        self.what = what
        self.timeout_s = timeout_s
        self.stamp_s: float | None = None

    def feed(self, stamp_s: float) -> bool:
        """Notes an arrival; returns whether it was news."""
        if not math.isfinite(stamp_s) or (self.stamp_s is not None and stamp_s <= self.stamp_s):
            return False
        self.stamp_s = stamp_s
        return True

    def forget(self) -> None:
        """Starts over, as if nothing had arrived; for clocks that jump back."""
        self.stamp_s = None

    def complaint(self, now_s: float) -> str:
        """Says in words what is wrong with the last arrival; empty when it is fresh."""
        if self.stamp_s is None:
            return f"no {self.what} yet"
        if now_s <= 0.0:
            return "simulated time has not begun: nothing came on /clock"
        age_s = now_s - self.stamp_s
        if age_s > self.timeout_s:
            return f"{self.what} is stale: {age_s:.2f} s old, limit {self.timeout_s:.2f} s"
        if age_s < -FUTURE_TOLERANCE_S:
            return f"{self.what} is stamped {-age_s:.2f} s in the future: the clocks of its source and this node differ"
        return ""
