"""What was told of goals: energies of the one that is pursued, and how those before it ended."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from jepa_planner.nodes.verdicts import verdict_in_words

MOST_POINTS, MOST_GOALS = 3000, 100


@dataclass(frozen=True)
class EnergyPoint:
    """One round of planning: energy to the goal picture that is pursued, and at or below which it is reached."""

    time_s: float
    """By the planner's clock."""
    step: int
    sub_goal: int
    sub_goals: int
    energy: float
    tolerance: float
    verdict: str = ""
    """On the work, in words; empty where nothing was judged."""

    @classmethod
    def of(cls, told: Any) -> EnergyPoint:
        """What a jepa_planner/PlanStats tells, by its fields alone."""
        stamp = told.header.stamp
        time_s, verdict = stamp.sec + stamp.nanosec * 1e-9, verdict_in_words(told)
        return cls(time_s, told.step, told.sub_goal, told.sub_goals, told.energy, told.tolerance, verdict)


@dataclass(frozen=True)
class EndedGoal:
    """How a goal ended. outcome: name of its code; time_s: when, in seconds since 1970."""

    goal_id: str
    time_s: float
    code: int
    outcome: str
    message: str
    steps: int
    final_energy: float


class GoalLog:
    """Goals in the order in which they were told, whoever sent them; the newest ended one comes first in `ended`."""

    def __init__(self) -> None:
        self.pursued = ""
        """Id of the goal that began and has not ended; empty for none."""
        self.began = 0
        """How many did."""
        self._points: deque[EnergyPoint] = deque(maxlen=MOST_POINTS)
        self._ended: deque[EndedGoal] = deque(maxlen=MOST_GOALS)

    @property
    def points(self) -> tuple[EnergyPoint, ...]:
        """Of the goal that is pursued, or of the last one."""
        return tuple(self._points)

    @property
    def ended(self) -> tuple[EndedGoal, ...]:
        """All that ended since somebody listened, as many as are kept."""
        return tuple(self._ended)

    def begin(self, goal_id: str) -> None:
        """A goal begins; energies of the one before are let go."""
        self.pursued = goal_id
        self.began += 1
        self._points.clear()

    def plan(self, point: EnergyPoint) -> None:
        """A plan was made; that of a goal whose begin was not heard counts too."""
        if self._points and point.step < self._points[-1].step:  # steps of one goal only grow
            self._points.clear()
        self._points.append(point)

    def end(self, goal: EndedGoal) -> None:
        """A goal came to its end."""
        if self.pursued in ("", goal.goal_id):
            self.pursued = ""
        self._ended.appendleft(goal)
