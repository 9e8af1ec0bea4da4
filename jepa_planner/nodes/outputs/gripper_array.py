"""Gripper commands as plain numbers on a topic, for forward command controllers."""

from __future__ import annotations

from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Float64MultiArray

from jepa_planner.control.gripper import Ends
from jepa_planner.nodes.outputs.gripper import is_news
from jepa_planner.nodes.outputs.output import TopicOutput


class GripperArrayOutput(TopicOutput):
    """std_msgs/Float64MultiArray on `gripper_command`: a position for each finger that is commanded."""

    def __init__(self, node: LifecycleNode, fingers: int, ends: Ends) -> None:
        super().__init__(node, Float64MultiArray, "gripper_command")
        self._fingers, self._ends = fingers, ends
        self.told: float | None = None

    def move(self, closure: float, target: float, now_s: float) -> None:
        """Sends the closure of now."""
        if is_news(closure, self.told):
            self.told = closure
            self._publisher.publish(Float64MultiArray(data=[self._ends.position(closure)] * self._fingers))
