"""Which time of a message counts: its stamp, unless it has none or another clock made it; then that of recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepa_planner.learning.data.bags.heard import HeardTopic

STRAY_SHARE = 0.01
"""Of a topic's stamps, that may be off without the rest being doubted."""
AHEAD_S = 0.02
"""Nothing is recorded before it happens: stamps that are later than this are of a clock that is ahead."""


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


def times_of(topic: HeardTopic, bound_s: float) -> TopicTimes:
    """Decides for a topic; stamps that differ from the time of recording by more than the bound, in the middle, do not
    count, nor do they where many of them jump.
    """
    stamps_ns, logs_ns = topic.times()
    valid = np.ones(len(logs_ns), bool)
    notes = []
    if topic.unreadable:
        notes.append(f"{topic.unreadable} messages could not be used: {topic.complaint}")
    if not stamps_ns.any():
        return TopicTimes(topic.topic, topic.msgtype, logs_ns, valid, "recording", None, tuple(notes))
    delays_s = (logs_ns - stamps_ns) * 1e-9
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
        return TopicTimes(topic.topic, topic.msgtype, stamps_ns, valid & ~stray, "header", delay_s, tuple(notes))
    return TopicTimes(topic.topic, topic.msgtype, logs_ns, valid, "recording", delay_s, tuple(notes))
