"""Notices when something that should keep arriving has gone silent, comes late, or is stamped by another clock."""

from __future__ import annotations

import math

from jepa_planner.core.status import OK, Status, StatusCode

LEAD_TOLERANCE_S = 0.02
"""How far a stamp may be ahead of its arrival; less than the time for which a picture must show an arm at rest."""
SIMULATED_LEAD_TOLERANCE_S = 1.0
"""The same where `/clock` is the time: one clock for all, but a node's copy lags behind what is stamped with it."""
STEADY_DELAY_S = 0.05
LEAD_KEPT_S = 2.0
"""So long a lead is remembered: a clock stays ahead while some messages are late enough to hide it."""
OTHER_EPOCH_S = 1e7
"""Clocks that are further apart than this count from different beginnings."""


class Watchdog:
    """Judges the age of one input by stamps and arrivals, both in seconds; the caller passes the time.

    Age counts from the earlier of stamp and arrival: nothing can be from after its arrival. Only a newer stamp counts
    as news: a source that repeats an old one is as silent as none. One that goes back further than the timeout comes
    from a clock that was set back. reader: whose clock arrivals are told by.
    """

    def __init__(
        self, what: str, timeout_s: float, lead_tolerance_s: float = LEAD_TOLERANCE_S, reader: str = "this node"
    ) -> None:
        if not (math.isfinite(timeout_s) and timeout_s > 0):
            raise ValueError(f"timeout for {what} is {timeout_s} s, expected a finite number above 0")
        self.what = what
        self.timeout_s = timeout_s
        self.stamp_s: float | None = None
        self._lead_tolerance_s = lead_tolerance_s
        self._reader = reader
        self._explained = OK
        self._lead_s = self._led_at_s = -math.inf
        self.forget()

    def feed(self, stamp_s: float, arrived_s: float) -> bool:
        """Notes an arrival; returns whether it was news."""
        if not math.isfinite(stamp_s) or arrived_s <= 0.0:  # simulated time that has not begun tells no age
            return False
        if self.stamp_s is not None and self.stamp_s - self.timeout_s <= stamp_s <= self.stamp_s:
            return False
        self.stamp_s, self._arrived_s = stamp_s, arrived_s
        lead_s = stamp_s - arrived_s
        if lead_s >= self._lead_s or abs(arrived_s - self._led_at_s) > LEAD_KEPT_S:
            self._lead_s, self._led_at_s = lead_s, arrived_s
        return True

    def explain(self, why: Status) -> None:
        """Notes why nothing usable comes; OK: nothing is known to be the matter."""
        self._explained = why

    def forget(self) -> None:
        """Starts over, as if nothing had arrived; for clocks that jump back."""
        self.stamp_s = None
        self._arrived_s = 0.0
        self._lead_s = self._led_at_s = -math.inf

    @property
    def delay_s(self) -> float:
        """The smallest age on arrival of late; below 0 where the source's clock is ahead, infinite before anything."""
        return -self._lead_s

    def status(self, now_s: float) -> Status:
        """Whether the last arrival is fresh, or why it cannot be used."""
        if now_s <= 0.0:
            return Status(StatusCode.CLOCK_NOT_BEGUN, "simulated time has not begun: nothing came on /clock")
        if self.stamp_s is None:
            return Status(StatusCode.NOTHING_CAME, f"no {self.what} yet") if self._explained.ok else self._explained
        if self.stamp_s <= 0.0:
            text = f"{self.what} carries no time: its source leaves header.stamp at zero"
            return Status(StatusCode.UNSTAMPED, text)
        if not (clock := self.clock_status()).ok:
            return clock
        age_s = now_s - min(self.stamp_s, self._arrived_s)
        if age_s < -self._lead_tolerance_s:
            text = f"{self.what} came {-age_s:.2f} s from now: {self._reader}'s clock was set back"
            return Status(StatusCode.CLOCK_SET_BACK, text)
        if age_s <= self.timeout_s:
            return OK
        limit, because = f"limit {self.timeout_s:.2f} s", "" if self._explained.ok else f"; {self._explained.text}"
        silent_s, old_s = now_s - self._arrived_s, self._arrived_s - self.stamp_s
        if silent_s >= old_s:
            return Status(StatusCode.STALE, f"{self.what} is stale: {age_s:.2f} s old, {limit}{because}")
        old = f"{old_s:.2f} s old on arrival, {limit}: {_late(old_s, self._reader)}{because}"
        return Status(StatusCode.STALE, f"{self.what} is stale: {old}")

    def clock_status(self) -> Status:
        """Names the two clocks where stamps are ahead of their arrival."""
        return clock_status(f"{self.what} is stamped", self._lead_s, self._lead_tolerance_s, self._reader)

    def delay_status(self) -> Status:
        """Tells of input that is steadily old on arrival, though not too old."""
        if self.stamp_s is None or self.delay_s <= STEADY_DELAY_S:
            return OK
        text = f"{self.what} is at least {self.delay_s:.2f} s old on arrival: {_late(self.delay_s, self._reader)}"
        return Status(StatusCode.LATE_ON_ARRIVAL, text)


def clock_status(stamped: str, lead_s: float, tolerance_s: float, reader: str) -> Status:
    """Names the two clocks where something was stamped further ahead of its reader's clock than that."""
    if lead_s <= tolerance_s:
        return OK
    text = f"{stamped} {lead_s:.2f} s ahead of {reader}'s clock: {_differ(lead_s, reader)}"
    return Status(StatusCode.CLOCK_AHEAD, text)


def _differ(apart_s: float, reader: str) -> str:
    if apart_s > OTHER_EPOCH_S:
        return f"one of its source and {reader} runs on simulated time; set use_sim_time for all nodes or for none"
    return f"the clocks of its source's computer and of {reader}'s differ; synchronise them (chrony, PTP)"


def _late(old_s: float, reader: str) -> str:
    return _differ(old_s, reader) if old_s > OTHER_EPOCH_S else f"it comes late, or {_differ(old_s, reader)}"
