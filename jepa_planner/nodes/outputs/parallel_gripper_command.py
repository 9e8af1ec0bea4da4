"""Gripper commands as control_msgs/action/ParallelGripperCommand."""

from __future__ import annotations

from typing import Any

from rclpy.lifecycle import LifecycleNode

from jepa_planner.control.gripper import Ends
from jepa_planner.nodes.outputs.action_output import ActionClients
from jepa_planner.nodes.outputs.gripper_action import GripperActionOutput


class ParallelGripperCommandOutput(GripperActionOutput):
    """The commanded finger by name, with its speed limit and, unless 0, the greatest effort."""

    action = "ParallelGripperCommand"

    def __init__(
        self,
        node: LifecycleNode,
        clients: ActionClients,
        finger: str,
        ends: Ends,
        max_effort: float,
        rate_per_s: float,
    ) -> None:
        super().__init__(node, clients, ends, max_effort)
        self._finger, self._speed = finger, rate_per_s * abs(ends.closed - ends.open)

    def _goal(self, position: float) -> Any:
        goal = self._type.Goal()
        goal.command.name, goal.command.position = [self._finger], [float(position)]
        goal.command.velocity = [self._speed]
        goal.command.effort = [float(self._max_effort)] if self._max_effort else []
        return goal
