"""Which parts of a bag are episodes: what who recorded has marked, or the whole bag where nobody has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jepa_planner.core.message_types import EPISODE_MARK
from jepa_planner.learning.data.bags.clocks import TopicTimes
from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.episodes import NOT_TOLD

START, STOP, KEEP, THROW_AWAY = range(4)


@dataclass(frozen=True)
class MarkedEpisode:
    """A part of a bag, from begin_ns to end_ns, None: to the bag's own ends. note: what is strange about it."""

    name: str
    begin_ns: int | None = None
    end_ns: int | None = None
    task: str = ""
    success: int = NOT_TOLD
    is_thrown_away: bool = False
    note: str = ""


@dataclass
class _Take:
    begin_ns: int
    end_ns: int | None = None
    task: str = ""
    success: int = NOT_TOLD
    verdict: int | None = None


@dataclass
class Marks:
    """Takes the marks, and tells the episodes."""

    types: tuple[str, ...] = (EPISODE_MARK,)
    _heard: list[tuple[int, Any]] = field(default_factory=list)

    def take(self, number: int, message: Any, log_ns: int) -> None:
        if not START <= message.kind <= THROW_AWAY:
            raise BagError(f"a mark has kind {message.kind}; expected {START} to {THROW_AWAY}")
        self._heard.append((number, message))

    def episodes(self, topic: TopicTimes | None, whole: str) -> list[MarkedEpisode]:
        """In the order of their beginnings; whole: the name of the only one where there are no marks.

        One that was begun again under its name counts as it was recorded last. One that was not stopped ends where the
        next begins, or with the bag.
        """
        if topic is None or not self._heard:
            return [MarkedEpisode(whole)]
        in_time = sorted(
            ((int(topic.times_ns[number]), mark) for number, mark in self._heard), key=lambda pair: pair[0]
        )
        takes: dict[str, list[_Take]] = {}
        begins = [at_ns for at_ns, mark in in_time if mark.kind == START]
        for at_ns, mark in in_time:
            of_name = takes.setdefault(mark.name, [])
            if mark.kind == START:
                of_name.append(_Take(at_ns, task=mark.task))
                continue
            if not of_name:
                continue  # its beginning was not recorded
            current = of_name[-1]
            if mark.kind == STOP:
                current.end_ns = at_ns
            else:
                current.verdict = mark.kind
            current.task = mark.task or current.task
            if mark.success != NOT_TOLD or mark.kind == KEEP:
                current.success = mark.success
        found = []
        for name, of_name in takes.items():
            for number, take in enumerate(of_name):
                later = [begin_ns for begin_ns in begins if begin_ns > take.begin_ns]
                end_ns, note = take.end_ns, ""
                if end_ns is None:
                    end_ns, note = (later[0] if later else None), "it was never stopped"
                again = number < len(of_name) - 1
                note = "it was recorded again under the same name" if again else note
                thrown = again or take.verdict == THROW_AWAY
                found.append(MarkedEpisode(name, take.begin_ns, end_ns, take.task, take.success, thrown, note))
        return sorted(found, key=lambda episode: episode.begin_ns or 0)
