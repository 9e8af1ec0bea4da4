"""What a person at a terminal reads of a recording that goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jepa_planner.core.stream_counts import Counts
    from jepa_planner.nodes.record_node import Recorded

MEGABYTE = 1e6
GIGABYTE = 1e9


def recording_lines(now: Recorded, megabytes_per_s: float) -> list[str]:
    """One line for each topic, one for all of them together, and one for the episodes so far.

    megabytes_per_s: what was written lately.
    """
    width = max(map(len, now.counts), default=0)
    lines = [f"  {topic:<{width}}  {_counts(now, topic, counts)}" for topic, counts in sorted(now.counts.items())]
    reasons: dict[str, list[str]] = {}
    for topic, why in now.unheard.items():
        reasons.setdefault(why, []).append(topic)
    lines += [f"  not heard: {', '.join(topics)}: {why}" for why, topics in reasons.items()]
    return [*lines, _bag(now, megabytes_per_s), episodes_in_words(now) + (f"  task: {now.task}" if now.task else "")]


def _counts(now: Recorded, topic: str, counts: Counts) -> str:
    parts = [f"{counts.rate_hz:6.1f} Hz", f"dropped {counts.dropped}", f"late {counts.late}"]
    if counts.unordered:
        parts.append(f"unordered {counts.unordered}")
    if lost := now.overflowed.get(topic):
        parts.append(f"not written {lost}: the disk is too slow")
    if counts.longest_gap_s:
        parts.append(f"longest gap {counts.longest_gap_s:.2f} s")
    if counts.other_clock:
        parts.append(f"stamps are {abs(counts.worst_delay_s):.0f} s off this clock")
    return "  ".join(parts)


def _bag(now: Recorded, megabytes_per_s: float) -> str:
    parts = [now.phase.value]
    if now.phase.name != "IDLE":
        parts = [f"{now.phase.value}: {now.episode}"]
    if now.phase.name == "RECORDING":
        parts.append(f"{now.seconds:.1f} s")
    if now.bag_bytes:
        parts.append(f"{now.bag_bytes / MEGABYTE:.1f} MB")
    if megabytes_per_s > 0.0:
        minutes = now.free_bytes / (megabytes_per_s * MEGABYTE) / 60.0
        parts.append(f"{megabytes_per_s:.1f} MB/s, for {minutes:.0f} min")
    parts.append(f"{now.free_bytes / GIGABYTE:.1f} GB free")
    if now.queued_bytes > 10 * MEGABYTE:
        parts.append(f"{now.queued_bytes / MEGABYTE:.0f} MB wait for the disk")
    if now.trouble:
        parts.append(now.trouble)
    return "  ".join(parts)


def episodes_in_words(now: Recorded) -> str:
    """How many were kept and thrown away."""
    told = [success.name for success in now.kept.values()]
    numbers = f"{told.count('YES')} success, {told.count('NO')} failed, {told.count('NOT_TOLD')} not told"
    return f"kept {len(told)}: {numbers}; thrown away {len(now.thrown_away)}"
