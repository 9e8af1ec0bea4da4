"""A goal that was recorded as a bag, read to be played: what cameras showed, energies, and how it ended."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jepa_planner.core.image_message import ConversionError
from jepa_planner.core.message_types import GOAL_EVENT, OWN, PICTURES
from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.bags.message_reader import reader_of
from jepa_planner.learning.data.bags.opened_bag import OpenedBag, find_bags, opened
from jepa_planner.learning.data.bags.pictures import pixels_of
from jepa_planner.nodes.watch.goal_log import EnergyPoint

PLAN_STATS = f"{OWN}PlanStats"


def recorded_goals(folder: Path) -> dict[str, Path]:
    """The bags of a folder by name, the newest first; none where there are none."""
    try:
        found = find_bags([folder])
    except BagError:
        return {}
    return {path.name: path for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)}


@dataclass(frozen=True)
class _Pictures:
    """Of one topic: type, times of recording (ns), and where each stands: number of the file, place in it."""

    kind: str
    times_ns: list[int]
    places: list[tuple[int, Any]]


class RecordedGoal:
    """A bag that is open to be looked at from any moment on; close it. Raises BagError for one that cannot be read."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._stack = ExitStack()
        self._bag: OpenedBag = self._stack.enter_context(opened(path))
        self._pictures: dict[str, _Pictures] = {}
        self._points: list[tuple[int, EnergyPoint]] = []
        self._goals: list[Any] = []
        self.ended = "it is not told how this goal ended"
        """In words."""
        self._begin_ns = self._end_ns = 0
        try:
            self._index()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets go of its files."""
        self._stack.close()

    @property
    def length_s(self) -> float:
        """From the first message to the last."""
        return (self._end_ns - self._begin_ns) * 1e-9

    @property
    def topics(self) -> list[str]:
        """Of pictures."""
        return sorted(self._pictures)

    def picture(self, topic: str, at_s: float) -> np.ndarray | None:
        """What a camera showed last at that time, uint8 RGB [H, W, 3]; None before its first picture.

        Raises BagError for one that is damaged.
        """
        pictures = self._pictures[topic]
        number = bisect_right(pictures.times_ns, self._ns(at_s)) - 1
        if number < 0:
            return None
        file_number, place = pictures.places[number]
        file = self._bag.files[file_number]
        (data,) = file.read([place])
        return _pixels(reader_of(pictures.kind, file.definitions)(data), f"on {topic}")

    def points(self, until_s: float) -> Sequence[EnergyPoint]:
        """Of each plan that was made until then."""
        return [point for time_ns, point in self._points if time_ns <= self._ns(until_s)]

    def goal(self, sub_goal: int) -> Mapping[str, np.ndarray]:
        """The goal picture of each view that was pursued as this sub-goal; empty where it was not recorded."""
        if not self._goals:
            return {}
        asked = self._goals[min(sub_goal, len(self._goals) - 1)]
        pictures = asked.views if len(asked.views) else asked.compressed_views
        names = list(asked.view_names) or [f"view {place}" for place in range(1, len(pictures) + 1)]
        return {name: _pixels(one, f"of goal picture {name}") for name, one in zip(names, pictures, strict=False)}

    def _ns(self, at_s: float) -> int:
        return self._begin_ns + round(at_s * 1e9)

    def _index(self) -> None:
        times_ns: list[int] = []
        for number, file in enumerate(self._bag.files):
            for message in file.messages(lambda _: True):
                times_ns.append(message.log_ns)
                if message.msgtype in PICTURES:
                    pictures = self._pictures.setdefault(message.topic, _Pictures(message.msgtype, [], []))
                    pictures.times_ns.append(message.log_ns)
                    pictures.places.append((number, message.place))
                elif message.msgtype in (PLAN_STATS, GOAL_EVENT):
                    self._take(message.log_ns, reader_of(message.msgtype, file.definitions)(message.data))
        if not times_ns:
            raise BagError(f"{self.name} holds no messages; expected a goal that was recorded")
        self._begin_ns, self._end_ns = min(times_ns), max(times_ns)

    def _take(self, time_ns: int, message: Any) -> None:
        if message.__msgtype__ == PLAN_STATS:
            self._points.append((time_ns, EnergyPoint.of(message)))
        elif message.kind == message.BEGAN:
            self._goals = list(message.goals)
        else:
            self.ended = f"{message.message} (code {message.code}), after {message.steps} steps"


def _pixels(message: Any, name: str) -> np.ndarray:
    try:
        return pixels_of(message, name)
    except ConversionError as error:
        raise BagError(f"the picture {name}: {error}") from error
