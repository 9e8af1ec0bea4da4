"""A topic of a camera, heard reliably where all who publish it offer that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.subscription import Subscription

from jepa_planner.nodes import qos

DISCOVERY_S = 0.25


class CameraStream:
    """Best effort until it is known who publishes; then as those who publish now offer. Close it.

    subscription: the one that hears now.
    """

    def __init__(self, node: Node, kind: type, topic: str, callback: Callable[[Any], None]) -> None:
        self._node, self._kind, self._callback = node, kind, callback
        self.subscription = self._hear(topic, qos.SENSOR)
        self._timer = node.create_timer(
            DISCOVERY_S, self._hear_as_offered, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def close(self) -> None:
        """Hears no more."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self.subscription)

    def _hear_as_offered(self) -> None:
        now = self.subscription
        offered = qos.as_offered(self._node, now.topic_name)
        if offered is not None and offered.reliability != now.qos_profile.reliability:
            self.subscription = self._hear(now.topic_name, offered)
            self._node.destroy_subscription(now)

    def _hear(self, topic: str, profile: qos.QoSProfile) -> Subscription:
        return self._node.create_subscription(self._kind, topic, self._callback, profile)
