"""Which time of a message counts: its stamp, unless it has none or another clock made it; then that of recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jepa_planner.learning.data.bags.heard import HeardTopic

STRAY_SHARE = 0.01
"""Of a topic's stamps, that may be off without the rest being doubted."""
AHEAD_S = 0.02
"""Nothing is recorded before it happens: stamps that are later than this are of a clock that is ahead."""


RECORDING, HEADER = "recording", "header"
NEVER_CHANGES = ("/tf_static",)
"""Topics whose stamps say nothing of when they were recorded."""


@dataclass(frozen=True)
class TopicTimes:
    """When the messages of a topic happened.

    times_ns [N] as the messages stand in the bag; valid [N]: False where the stamp has jumped. clock: header or
    recording. delay_s: how long after its stamp a message was recorded, in the middle, and 5 and 95 of 100; None where
    nothing is stamped. notes: what is strange, in words.
    """

    topic: str
    msgtype: str
    times_ns: np.ndarray
    valid: np.ndarray
    clock: str
    delay_s: tuple[float, float, float] | None
    notes: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many messages can be used."""
        return int(self.valid.sum())

    def usable(self, numbers: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Growing times (ns), each once, and which messages they are of: of those with equal times the last one.

        numbers [M]: look at these messages alone; which of them is then told.
        """
        numbers = np.arange(len(self.times_ns)) if numbers is None else numbers
        ours = np.flatnonzero(self.valid[numbers])
        order = ours[np.argsort(self.times_ns[numbers[ours]], kind="stable")]
        times_ns = self.times_ns[numbers[order]]
        last = np.append(np.diff(times_ns) > 0, True) if len(times_ns) else np.zeros(0, bool)
        return times_ns[last], order[last]

    def to_plain(self) -> dict[str, object]:
        """For the report."""
        times_ns, _ = self.usable()
        gaps_s = np.diff(times_ns) * 1e-9
        return {
            "type": self.msgtype,
            "messages": len(self.times_ns),
            "used": len(times_ns),
            "clock": self.clock,
            "delay_s": None if self.delay_s is None else [round(delay, 4) for delay in self.delay_s],
            "period_s": round(float(np.median(gaps_s)), 5) if len(gaps_s) else None,
            "longest_gap_s": round(float(gaps_s.max()), 4) if len(gaps_s) else None,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class _Clock:
    """What a clock showed when messages were recorded: that of recording itself, or the one of a topic's stamps.

    logs_ns [N] grow; ahead_ns [N]: of the time of recording then, less first_ns.
    """

    name: str
    logs_ns: np.ndarray
    ahead_ns: np.ndarray
    first_ns: int = 0

    @classmethod
    def of(cls, topic: HeardTopic, bound_s: float) -> _Clock | None:
        """The clock of a topic's stamps; None where these have jumped back, or are not set."""
        stamps_ns, logs_ns = topic.times()
        logs_ns, order = np.unique(logs_ns, return_index=True)
        stamps_ns = stamps_ns[order]
        if not stamps_ns.all() or np.any(np.diff(stamps_ns) < -bound_s * 1e9):
            return None
        ahead_ns = stamps_ns - logs_ns
        return cls(topic.topic, logs_ns, (ahead_ns - ahead_ns[0]).astype(float), int(ahead_ns[0]))

    def at(self, logs_ns: np.ndarray) -> np.ndarray:
        """What it showed at times of recording, int64 (ns)."""
        if not len(self.logs_ns):
            return logs_ns
        since_ns = (logs_ns - self.logs_ns[0]).astype(float)
        more_ns = np.interp(since_ns, (self.logs_ns - self.logs_ns[0]).astype(float), self.ahead_ns)
        return logs_ns + self.first_ns + more_ns.round().astype(np.int64)

    def delays_s(self, topic: HeardTopic) -> np.ndarray:
        """How much later than its stamp each message of a topic was recorded, by this clock."""
        stamps_ns, logs_ns = topic.times()
        return (self.at(logs_ns) - stamps_ns) * 1e-9

    def agrees(self, topic: HeardTopic, bound_s: float) -> bool:
        """Whether a topic's stamps are of this clock."""
        delays_s = self.delays_s(topic)
        middle_s = np.median(delays_s)
        return bool(abs(middle_s) <= bound_s and np.mean(np.abs(delays_s - middle_s) > bound_s) <= STRAY_SHARE)


def times_of(heard: Mapping[str, HeardTopic], bound_s: float) -> tuple[dict[str, TopicTimes], str]:
    """When messages happened, all by one clock, and what is to be said of that clock.

    It is the clock with which the stamps of most topics agree: that of recording, or where all are stamped by another,
    as in a simulation, that one. Stamps that differ from it by more than the bound, in the middle, do not count, nor do
    they where many of them jump: then the time of recording does, as that clock showed it.
    """
    stamped = [topic for topic in heard.values() if topic.topic not in NEVER_CHANGES and any(topic.stamps_ns)]
    none = np.zeros(0, np.int64)
    clocks = [_Clock(RECORDING, none, none.astype(float))]
    clocks += [clock for topic in stamped if (clock := _Clock.of(topic, bound_s)) is not None]
    best = max(clocks, key=lambda clock: sum(clock.agrees(topic, bound_s) for topic in stamped))  # of equals the first
    says = ""
    if best.name != RECORDING:
        says = (
            f"stamps differ from the time of recording by {abs(best.first_ns) * 1e-9:.3f} s and agree with each other: "
            f"their clock counts, that of {best.name}"
        )
    return {name: _times_of(topic, best, bound_s) for name, topic in heard.items()}, says


def _times_of(topic: HeardTopic, clock: _Clock, bound_s: float) -> TopicTimes:
    stamps_ns, logs_ns = topic.times()
    by_clock_ns = clock.at(logs_ns)
    valid = np.ones(len(logs_ns), bool)
    notes = []
    if topic.unreadable:
        notes.append(f"{topic.unreadable} messages could not be used: {topic.complaint}")
    if not stamps_ns.any():
        return TopicTimes(topic.topic, topic.msgtype, by_clock_ns, valid, RECORDING, None, tuple(notes))
    delays_s = clock.delays_s(topic)
    middle_s = float(np.median(delays_s))
    stray = (np.abs(delays_s - middle_s) > bound_s) | (stamps_ns == 0)
    spread = tuple(float(part) for part in np.percentile(delays_s, (50, 5, 95)))
    delay_s = spread[0], spread[1], spread[2]
    if abs(middle_s) > bound_s:
        notes.append(
            f"its stamps are {abs(middle_s):.3f} s {'before' if middle_s > 0 else 'after'} the time of recording, of "
            f"another clock (bound {bound_s:g} s): the time of recording counts"
        )
    elif stray.mean() > STRAY_SHARE:
        notes.append(
            f"{int(stray.sum())} of its {len(stray)} stamps jump by more than {bound_s:g} s against the time of "
            "recording: the time of recording counts"
        )
    else:
        if stray.any():
            notes.append(f"{int(stray.sum())} messages are left out, whose stamps jump by more than {bound_s:g} s")
        if middle_s < -AHEAD_S:
            notes.append(f"its stamps are {-middle_s:.3f} s later than the time of recording: its clock is ahead")
        return TopicTimes(topic.topic, topic.msgtype, stamps_ns, valid & ~stray, HEADER, delay_s, tuple(notes))
    return TopicTimes(topic.topic, topic.msgtype, by_clock_ns, valid, RECORDING, delay_s, tuple(notes))
