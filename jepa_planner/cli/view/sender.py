"""Goals that were sent from the page: each is waited for in a thread of its own, whether a browser is open or not."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

from jepa_planner.action import ReachGoalImage
from jepa_planner.msg import GoalImage
from jepa_planner.nodes.client import PlannerClient, PlannerError


class Sender:
    """Sends goals for all browsers; `said` tells what became of the last one, and `missing` what it still lacks.

    Nothing is cancelled when a browser or this program ends: the planner pursues what it has taken.
    """

    def __init__(self, client: PlannerClient) -> None:
        self._client = client
        self.said = self.status = self.missing = ""
        self.refused = 0
        """How many goals the planner did not take, or lost."""
        self._newest = 0

    def send(self, goals: Sequence[GoalImage], max_steps: int = 0) -> None:
        """Returns at once."""
        self._newest += 1
        self.said, self.status, self.missing = "sent", "", ""
        threading.Thread(target=self._pursue, args=(self._newest, list(goals), max_steps), daemon=True).start()

    def _pursue(self, number: int, goals: list[GoalImage], max_steps: int) -> None:
        def hear(feedback: ReachGoalImage.Feedback) -> None:
            if number == self._newest:
                self.status, self.missing = feedback.status, feedback.missing

        try:
            result = self._client.reach(goals, max_steps, hear, timeout_s=math.inf)
            said = f"{result.outcome.name}: {result.message}"
        except PlannerError as error:
            said = str(error)
            self.refused += 1
        if number == self._newest:
            self.said, self.status = said, ""
