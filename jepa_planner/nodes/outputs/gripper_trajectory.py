"""Gripper commands as joint trajectories on a topic."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.lifecycle import LifecycleNode
from trajectory_msgs.msg import JointTrajectory

from jepa_planner.control.gripper import Ends
from jepa_planner.nodes.outputs.gripper import is_news
from jepa_planner.nodes.outputs.output import TopicOutput
from jepa_planner.nodes.outputs.trajectories import position_only, trajectory


class GripperTrajectoryOutput(TopicOutput):
    """trajectory_msgs/JointTrajectory on `gripper_command`, one point each, a period ahead."""

    def __init__(self, node: LifecycleNode, fingers: Sequence[str], ends: Ends, frame: str, period_s: float) -> None:
        super().__init__(node, JointTrajectory, "gripper_command")
        self._fingers, self._ends, self._frame, self._period_s = tuple(fingers), ends, frame, period_s
        self.told: float | None = None

    def move(self, closure: float, target: float, now_s: float) -> None:
        """Sends the closure of now."""
        if is_news(closure, self.told):
            self.told = closure
            point = position_only(len(self._fingers), self._ends.position(closure), self._period_s)
            self._publisher.publish(trajectory(self._fingers, self._frame, [point]))
