"""Tells which goal begins to be pursued and how it ended, for whoever records or watches; nobody is waited for."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node

from jepa_planner.action import ReachGoalImage
from jepa_planner.msg import GoalEvent
from jepa_planner.nodes import qos

TOLD_OF_A_RESULT = ("code", "message", "steps", "final_energy", "certainty", "object_offset_m")


class GoalEvents:
    """Publishes `~/goal_events` of a node, from the one thread that pursues goals: so each pair comes in order.

    Its publisher is none of the lifecycle's: the end of the last goal is told while the node goes down.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(GoalEvent, "~/goal_events", qos.EVENTS)

    def began(self, handle: ServerGoalHandle) -> None:
        """A goal, as it was asked for, begins to be pursued."""
        self._tell(handle, lambda: GoalEvent(kind=GoalEvent.BEGAN, goals=handle.request.goals))

    def ended(self, handle: ServerGoalHandle, result_of: Callable[[], ReachGoalImage.Result]) -> None:
        """It came to its end."""

        def event() -> GoalEvent:
            result = result_of()
            return GoalEvent(kind=GoalEvent.ENDED, **{name: getattr(result, name) for name in TOLD_OF_A_RESULT})

        self._tell(handle, event)

    def _tell(self, handle: ServerGoalHandle, make: Callable[[], GoalEvent]) -> None:
        try:
            if self._publisher.get_subscription_count():  # pictures are not copied for nobody
                event = make()
                event.goal_id = bytes(handle.goal_id.uuid).hex()
                event.header.stamp = self._node.get_clock().now().to_msg()
                self._publisher.publish(event)
        except Exception as error:  # the node goes down; whatever it is, the goal comes to its own end
            self._node.get_logger().error(f"an event of a goal was not told: {error}")
