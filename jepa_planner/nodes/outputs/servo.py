"""MoveIt Servo is told what commands come, and to go."""

from __future__ import annotations

from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from std_srvs.srv import SetBool

from jepa_planner.nodes.outputs.packages import message_type

COMMAND_TYPES = {"twist": "TWIST", "pose": "POSE"}
"""By the output that sends them."""


class Servo:
    """The two services of a Servo node; raises ValueError where moveit_msgs is missing or the output is another's."""

    def __init__(self, name: str, output: str) -> None:
        if output not in COMMAND_TYPES:
            raise ValueError(f"servo is {name!r}, but output {output} is not for MoveIt Servo; expected twist or pose")
        self._name = name.rstrip("/")
        self._type = message_type("moveit_msgs", "srv", "ServoCommandType")
        self._request = self._type.Request(command_type=getattr(self._type.Request, COMMAND_TYPES[output]))

    def start(self, node: LifecycleNode, timeout_s: float) -> None:
        """Switches Servo to the commands that come and unpauses it; raises RuntimeError where it cannot be.

        The node's own executor may be waiting for this, so that a node beside it asks.
        """
        asker = rclpy.create_node(f"{node.get_name()}_servo", namespace=node.get_namespace(), context=node.context)
        executor = SingleThreadedExecutor(context=node.context)
        executor.add_node(asker)
        try:
            self._ask(asker, executor, self._type, "switch_command_type", self._request, timeout_s)
            self._ask(asker, executor, SetBool, "pause_servo", SetBool.Request(data=False), timeout_s)
        finally:
            executor.shutdown()
            asker.destroy_node()

    def _ask(
        self, asker: Node, executor: SingleThreadedExecutor, kind: Any, name: str, request: Any, timeout_s: float
    ) -> None:
        client = asker.create_client(kind, f"{self._name}/{name}")
        if not client.wait_for_service(timeout_s):
            advice = "start Servo, or set the parameter servo to its node's name"
            raise RuntimeError(f"service {client.service_name} is not there after {timeout_s:g} s: {advice}")
        answer = client.call_async(request)
        executor.spin_until_future_complete(answer, timeout_s)
        if not answer.done():
            raise RuntimeError(f"service {client.service_name} did not answer within {timeout_s:g} s")
        if not answer.result().success:
            words = getattr(answer.result(), "message", "") or "it gives no reason; see Servo's log"
            raise RuntimeError(f"service {client.service_name} refused: {words}")
