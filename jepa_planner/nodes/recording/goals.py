"""Goals of the planner as episodes, each of its own, beside those that people begin and end. No ROS."""

from __future__ import annotations

import math
from collections.abc import Callable

from jepa_planner.nodes.recording.episodes import Episodes, Phase, RefusedError, Success

LINGER_S = 1.0
"""Topics are heard each for itself: what was said before a goal's end may come after it."""


class GoalEpisodes:
    """Begins an episode with a goal, and keeps it a moment after that has ended.

    What a person records, or has yet to judge, is let alone: such a goal has no episode of its own. start: begins an
    episode. Times are seconds of a clock that is not set. Methods return what happened in words, or nothing.
    """

    def __init__(self, episodes: Episodes, start: Callable[[], str]) -> None:
        self._episodes, self._start = episodes, start
        self.trouble = ""
        """Why the last goal is not recorded; empty where it is."""
        self._goal_id = self._episode = ""
        self._success = Success.NOT_TOLD
        self._until_s = math.inf

    def began(self, goal_id: str) -> str:
        """Begins the episode of a goal; that of the goal before ends, as it was told or not."""
        before = self.close()
        if self._episodes.phase is not Phase.IDLE:
            return f"a goal began, which has no episode of its own: {self._episodes.current} is recorded by hand"
        try:
            said = self._start()
        except (RefusedError, OSError) as error:
            self.trouble = f"a goal is not recorded: {error}"
            return "; ".join(filter(None, (before, self.trouble)))
        self.trouble = ""
        self._goal_id, self._episode = goal_id, self._episodes.current
        return "; ".join(filter(None, (before, said)))

    def ended(self, goal_id: str, reached: bool, now_s: float) -> None:
        """Has the episode of a goal end in a moment."""
        if goal_id == self._goal_id:
            self._success, self._until_s = Success.YES if reached else Success.NO, now_s + LINGER_S

    def look(self, now_s: float, somebody_tells: bool) -> str:
        """Ends an episode whose moment is over, or whose goal's end nobody will tell any more."""
        return self.close() if now_s >= self._until_s or not somebody_tells else ""

    def close(self) -> str:
        """Keeps the episode of a goal now, unless a person has ended it."""
        name, success = self._episode, self._success
        self._goal_id, self._episode, self._success, self._until_s = "", "", Success.NOT_TOLD, math.inf
        if not name or self._episodes.phase is Phase.IDLE or self._episodes.current != name:
            return ""
        return self._episodes.keep(success)
