"""Gripper commands as control_msgs/action/GripperCommand."""

from __future__ import annotations

from typing import Any

from jepa_planner.nodes.outputs.gripper_action import GripperActionOutput


class GripperCommandOutput(GripperActionOutput):
    """One position, in units of the server's own, and the greatest effort; 0: as the server has it."""

    action = "GripperCommand"

    def _goal(self, position: float) -> Any:
        goal = self._type.Goal()
        goal.command.position, goal.command.max_effort = float(position), float(self._max_effort)
        return goal
