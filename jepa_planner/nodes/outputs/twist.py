"""Setpoints as velocities of the tcp, for MoveIt Servo."""

from __future__ import annotations

from geometry_msgs.msg import TwistStamped
from rclpy.lifecycle import LifecycleNode

from jepa_planner.control.setpoints import Setpoint
from jepa_planner.nodes.conversions import vector
from jepa_planner.nodes.outputs.output import TopicOutput


class TwistOutput(TopicOutput):
    """geometry_msgs/TwistStamped on `twist_command`; each motion ends with zeros."""

    def __init__(self, node: LifecycleNode, frame: str) -> None:
        super().__init__(node, TwistStamped, "twist_command")
        self._frame = frame

    def send(self, setpoint: Setpoint) -> None:
        """The tcp's velocity in the base frame, stamped now."""
        message = TwistStamped()
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.header.frame_id = self._frame
        message.twist.linear = vector(setpoint.linear_velocity_m_s)
        message.twist.angular = vector(setpoint.angular_velocity_rad_s)
        self._publisher.publish(message)
