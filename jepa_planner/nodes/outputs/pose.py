"""Setpoints as poses of the tcp."""

from __future__ import annotations

from geometry_msgs.msg import PoseStamped
from rclpy.lifecycle import LifecycleNode

from jepa_planner.control.setpoints import Setpoint
from jepa_planner.nodes.conversions import pose
from jepa_planner.nodes.outputs.output import TopicOutput


class PoseOutput(TopicOutput):
    """geometry_msgs/PoseStamped on `pose_command`."""

    def __init__(self, node: LifecycleNode, frame: str) -> None:
        super().__init__(node, PoseStamped, "pose_command")
        self._frame = frame

    def send(self, setpoint: Setpoint) -> None:
        """The tcp's pose in the base frame, stamped now."""
        message = PoseStamped()
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.header.frame_id = self._frame
        message.pose = pose(setpoint.xyz_m, setpoint.rotation)
        self._publisher.publish(message)
