"""How messages came on each topic of bags: how often, how many are missing, how late, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from jepa_planner.core.message_types import PERIODIC
from jepa_planner.core.stream_counts import LATE_S, PAUSE_S, Counts, StreamCounts
from jepa_planner.learning.data.bags.heard import HeardTopic
from jepa_planner.learning.data.inspection.judgement import Judgement, Level

MISSING_SHARE, LATE_SHARE = 0.01, 0.01
"""Of a topic's messages: more is told as a warning."""


@dataclass
class TopicFlow:
    """One topic of all bags. counts: of each bag; steps_s: between stamps, or where there are none between times of
    recording, and delays_s of recording behind stamps, one array for each bag.
    """

    topic: str
    msgtype: str
    counts: list[Counts] = field(default_factory=list)
    steps_s: list[np.ndarray] = field(default_factory=list)
    delays_s: list[np.ndarray] = field(default_factory=list)
    stamped: bool = False

    def add(self, heard: HeardTopic) -> None:
        """Takes what was heard in one bag."""
        stamps_ns, logs_ns = heard.times()
        counter = StreamCounts(LATE_S, self.msgtype in PERIODIC)
        for stamp_ns, log_ns in zip(stamps_ns.tolist(), logs_ns.tolist(), strict=True):
            counter.came(log_ns * 1e-9, stamp_ns * 1e-9, log_ns * 1e-9)
        self.counts.append(counter.now(float("inf")))
        self.stamped |= bool(stamps_ns.any())
        times_ns = stamps_ns[stamps_ns > 0] if stamps_ns.any() else logs_ns
        self.steps_s.append(np.diff(np.sort(times_ns)) * 1e-9)
        self.delays_s.append((logs_ns - stamps_ns)[stamps_ns > 0] * 1e-9)

    @property
    def messages(self) -> int:
        """In all bags."""
        return sum(counts.messages for counts in self.counts)

    @property
    def dropped(self) -> int:
        """Gaps between stamps, in messages; none where messages come as things change."""
        return sum(counts.dropped for counts in self.counts)

    @property
    def rate_hz(self) -> float:
        """In the middle; 0 for a single message."""
        steps_s = np.concatenate(self.steps_s)
        return 1.0 / max(float(np.median(steps_s)), 1e-6) if len(steps_s) else 0.0

    @property
    def longest_gap_s(self) -> float:
        """Between two messages of one bag."""
        return max((float(steps_s.max()) for steps_s in self.steps_s if len(steps_s)), default=0.0)


def flows_of(bags: Iterable[Iterable[HeardTopic]]) -> dict[str, TopicFlow]:
    """Of each topic, in the order of names."""
    flows: dict[str, TopicFlow] = {}
    for bag in bags:
        for heard in bag:
            flows.setdefault(heard.topic, TopicFlow(heard.topic, heard.msgtype)).add(heard)
    return dict(sorted(flows.items()))


def judge_flows(flows: Iterable[TopicFlow]) -> Iterator[Judgement]:
    """One judgement for each topic."""
    for flow in flows:
        told, wrong, advice = [f"{flow.messages} messages"], [], []
        if flow.rate_hz and flow.msgtype in PERIODIC:
            told[0] += f" at {flow.rate_hz:.1f} Hz"
        if flow.dropped > MISSING_SHARE * flow.messages:
            wrong.append(f"{flow.dropped} are missing between the others, {_share(flow.dropped, flow)}")
            advice.append("record fewer or smaller topics, or with less else running: `jepa-planner record` counts")
        if flow.msgtype in PERIODIC and flow.longest_gap_s > PAUSE_S:
            wrong.append(f"for {flow.longest_gap_s:.1f} s none came")
            advice.append("look at the camera or driver: it stopped, and episodes are cut there")
        wrong += _wrong_stamps(flow, told, advice)
        numbers = {
            "messages": flow.messages, "rate_hz": round(flow.rate_hz, 2), "missing": flow.dropped,
            "longest_gap_s": round(flow.longest_gap_s, 3), "unordered": _sum(flow, "unordered"),
            "late": _sum(flow, "late"),
        }  # fmt: skip
        level = Level.WARNING if wrong else Level.GOOD
        says = "; ".join([", ".join(told), *wrong])
        yield Judgement(f"topic {flow.topic}", level, says, "; ".join(advice), numbers)


def _wrong_stamps(flow: TopicFlow, told: list[str], advice: list[str]) -> Iterator[str]:
    """What is wrong with a topic's stamps."""
    if not flow.stamped:
        if flow.msgtype in PERIODIC:
            yield "none has a stamp: the time of recording counts"
            advice.append("let the driver stamp its messages when it measures")
        return
    if any(counts.other_clock for counts in flow.counts):
        told.append("stamped by another clock than that of recording")
        return
    delays_s = np.concatenate(flow.delays_s)
    middle_ms, most_ms = 1000.0 * np.quantile(delays_s, (0.5, 0.95))
    told.append(f"recorded {middle_ms:.0f} ms after their stamps, 95 % within {most_ms:.0f}")
    late, unordered = _sum(flow, "late"), _sum(flow, "unordered")
    if late > LATE_SHARE * flow.messages:
        yield f"{late} came more than {LATE_S:g} s after their stamps, {_share(late, flow)}"
        advice.append("find what holds them up: a busy machine, a network, a driver that waits")
    if unordered:
        yield f"{unordered} have older stamps than one before"
        advice.append("two publishers on one topic, or a clock that was set back: leave one, or record anew")


def _sum(flow: TopicFlow, name: str) -> int:
    return sum(getattr(counts, name) for counts in flow.counts)


def _share(number: int, flow: TopicFlow) -> str:
    return f"{100.0 * number / (number + flow.messages):.0f} %"
