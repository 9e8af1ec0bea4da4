"""What came on a topic: how often, how late, and how much of it is missing, told from stamps while it comes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

STEPS_KEPT = 40
STEPS_NEEDED = 8
"""So many steps between stamps must be known before their period is."""
SHORT, LONG = 0.25, 0.75
"""A topic's own period is the short quantile of its steps: with half of its messages lost, it is still one period."""
LOST_FROM_PERIODS = 1.6
UNEVEN = 1.25
"""A topic whose long quantile is so many times the short one comes as things change, not periodically."""
PAUSE_S = 1.0
"""A longer gap is a pause, as of commands while nobody moves the arm; `longest_gap_s` tells it."""
OTHER_CLOCK_S = 10.0
LATE_S = 0.2
"""A message that comes longer than this after its stamp is late, unless somebody says otherwise."""


@dataclass(frozen=True)
class Counts:
    """Since counting began.

    messages; dropped: gaps in stamps, in messages; unordered: stamps older than one that came before; late: came too
    long after their stamps; rate_hz: lately; longest_gap_s and worst_delay_s of stamps, 0 where there are none;
    other_clock: stamps and arrivals are not of one clock.
    """

    messages: int = 0
    dropped: int = 0
    unordered: int = 0
    late: int = 0
    rate_hz: float = 0.0
    longest_gap_s: float = 0.0
    worst_delay_s: float = 0.0
    other_clock: bool = False


class StreamCounts:
    """Counts one topic; a few microseconds for each message."""

    def __init__(self, late_s: float, is_periodic: bool = False) -> None:
        """late_s: a message that arrives longer than this after its stamp is late; is_periodic: as pictures come, so
        that steps of all lengths are losses.
        """
        self._late_s, self._is_periodic = late_s, is_periodic
        self._steps_s: deque[float] = deque(maxlen=STEPS_KEPT)
        self._period_s = 0.0
        self._newest_s = 0.0
        self._arrivals_s: deque[float] = deque(maxlen=STEPS_KEPT)
        self.restart()

    def restart(self) -> None:
        """Counts anew; the period that was learnt stays."""
        self._messages = self._dropped = self._unordered = self._late = 0
        self._longest_gap_s = self._worst_delay_s = 0.0

    def came(self, steady_s: float, stamp_s: float, now_s: float) -> None:
        """Takes a message. steady_s: arrival by a clock that nobody sets; stamp_s: 0 where it has none; now_s: arrival
        by the clock of stamps.
        """
        self._messages += 1
        self._arrivals_s.append(steady_s)
        if not stamp_s:
            return
        delay_s = now_s - stamp_s
        self._worst_delay_s = max(self._worst_delay_s, delay_s, key=abs)
        if self._late_s < delay_s < OTHER_CLOCK_S:
            self._late += 1
        step_s, self._newest_s = stamp_s - self._newest_s, max(stamp_s, self._newest_s)
        if step_s < 0.0:
            self._unordered += 1
            self._dropped = max(0, self._dropped - 1)  # it was taken for lost when those behind it came
        elif 0.0 < step_s < OTHER_CLOCK_S:
            self._take_step(step_s)

    def now(self, steady_s: float) -> Counts:
        """What was counted by now."""
        while self._arrivals_s and steady_s - self._arrivals_s[0] > max(2.0, 3.0 * self._period_s):
            self._arrivals_s.popleft()
        rate_hz = 0.0
        if len(self._arrivals_s) > 1:
            rate_hz = (len(self._arrivals_s) - 1) / max(self._arrivals_s[-1] - self._arrivals_s[0], 1e-3)
        return Counts(
            self._messages, self._dropped, self._unordered, self._late, rate_hz, self._longest_gap_s,
            self._worst_delay_s, abs(self._worst_delay_s) >= OTHER_CLOCK_S,
        )  # fmt: skip

    def _take_step(self, step_s: float) -> None:
        self._longest_gap_s = max(self._longest_gap_s, step_s)
        self._steps_s.append(step_s)
        if len(self._steps_s) < STEPS_NEEDED:
            return
        if not self._period_s or self._messages % STEPS_NEEDED == 0:
            ordered = sorted(self._steps_s)
            short_s, long_s = (ordered[int(quantile * len(ordered))] for quantile in (SHORT, LONG))
            self._period_s = short_s if self._is_periodic or long_s < UNEVEN * short_s else 0.0
        if self._period_s and LOST_FROM_PERIODS * self._period_s < step_s < PAUSE_S:
            self._dropped += round(step_s / self._period_s) - 1
