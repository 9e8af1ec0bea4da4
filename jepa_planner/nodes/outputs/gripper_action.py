"""Gripper commands as goals of an action server; GripperCommand and ParallelGripperCommand fill them in."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.lifecycle import LifecycleNode

from jepa_planner.control.gripper import Ends
from jepa_planner.core.status import Status, StatusCode
from jepa_planner.nodes.outputs.action_output import ActionClients, ActionOutput
from jepa_planner.nodes.outputs.gripper import is_news

WAIT_S = 3.0
"""A motion lasts until the gripper has ended its own, but no longer than so long after that was sent."""


class GripperActionOutput(ActionOutput):
    """One goal for each motion of the gripper, to where the motion leads: its own controller sets the speed.

    A gripper that stalls holds something: that is no failure, whatever state its goal ends in.
    """

    failure_code = StatusCode.GRIPPER_NOT_FOLLOWING

    def __init__(self, node: LifecycleNode, clients: ActionClients, ends: Ends, max_effort: float) -> None:
        super().__init__(node, "gripper_action", clients)
        self._ends, self._max_effort = ends, max_effort
        self._waited_long_enough = False
        self.told: float | None = None

    @property
    def ended(self) -> bool:
        """Whether the last goal has its result, or has been waited for long enough."""
        return self._waited_long_enough or super().ended

    def move(self, closure: float, target: float, now_s: float) -> None:
        """Sends where the motion leads."""
        if is_news(target, self.told):
            self.told, self._waited_long_enough = target, False
            self._send_goal(self._goal(self._ends.position(target)), now_s, now_s + WAIT_S)

    def failure(self, now_s: float) -> Status:
        """Why the last goal is not carried out; it may take longer than it is waited for."""
        self._waited_long_enough = self._waited_long_enough or self.is_overdue(now_s)
        return super().failure(now_s)

    @abstractmethod
    def _goal(self, position: float) -> Any:
        """A goal that moves the gripper to a position (m or rad)."""

    def _what_went_wrong(self, status: int, result: Any) -> str:
        if status == GoalStatus.STATUS_SUCCEEDED or result.stalled or result.reached_goal:
            return ""
        return "aborted a goal, and the gripper did not stall: see its log"
