"""Whether anybody takes the commands, and whether somebody else sends such commands as well."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rclpy.action import get_action_names_and_types
from rclpy.lifecycle import LifecycleNode
from rclpy.topic_endpoint_info import TopicEndpointInfo
from rclpy.wait_for_message import wait_for_message

from jepa_planner.core.status import OK, Status, StatusCode
from jepa_planner.msg import ArmState
from jepa_planner.nodes import qos
from jepa_planner.nodes.outputs.output import Output

LIVE_S = 0.5
"""A node of this one's name that is active has sent an arm state within so long."""
GHOST_S = 25.0
"""The publisher of a process that was killed is seen so long at most: Fast DDS misses it after 20 s."""


def nobody_listens(node: LifecycleNode, outputs: Sequence[Output]) -> Status:
    """Names the first output that nobody takes, and whoever may have been meant."""
    for output in outputs:
        if not output.is_listened_to():
            lacks = "has no server" if output.is_action else "has no subscriber"
            text = f"{output.goes_to} {lacks}: start the controller, or {_advice(node, output, outputs)}"
            return Status(StatusCode.NOBODY_LISTENS, text)
    return OK


def _advice(node: LifecycleNode, output: Output, outputs: Sequence[Output]) -> str:
    own = [each.name for each in outputs]
    found = get_action_names_and_types(node) if output.is_action else node.get_topic_names_and_types()
    others = [name for name, types in found if output.type_name in types and name not in own]
    if output.is_action:
        return f"set the parameter {output.name_from} to {' or '.join(others) or 'the action that it offers'}"
    taken = [name for name in others if node.count_subscribers(name)]
    return f"remap {output.name_from} to {' or '.join(taken) or 'the topic that it listens to'}"


class OtherPublishers:
    """Publishers beside the ones that belong there: on the outputs' topics and `arm_state` this node's, on `plan` one.

    One of this node's name that was there before is a ghost, where no arm state comes of it: its process was killed.
    """

    def __init__(self, node: LifecycleNode, outputs: Sequence[Output], plan_topic: str, state_topic: str) -> None:
        self._node, self._plan_topic, self._state_topic = node, plan_topic, state_topic
        self._own_topics = [output.name for output in outputs if output.name and not output.is_action] + [state_topic]
        self._known: set[bytes] = set()
        self._two_plans_since_s: float | None = None

    def at_activation(self) -> Status:
        """Whether another node sends commands already; what bears this node's name now is known from here on."""
        self._known.clear()
        mine = {topic: self._of_this_name(topic) for topic in self._own_topics}
        if len(mine[self._state_topic]) > 1 and self._is_twin_alive():
            name = self._node.get_fully_qualified_name()
            return _contested(self._state_topic, f"another {name}, which is active")
        self._known.update(bytes(info.endpoint_gid) for infos in mine.values() for info in infos)
        return self._on_own_topics()

    def now(self) -> Status:
        """Whether another node has come that sends commands or plans."""
        others = self._on_own_topics()
        return self._on_plan() if others.ok else others

    def _on_own_topics(self) -> Status:
        for topic in self._own_topics:
            if self._node.count_publishers(topic) > 1:
                infos = self._node.get_publishers_info_by_topic(topic)
                others = [_name(info) for info in infos if bytes(info.endpoint_gid) not in self._known]
                if others:
                    return _contested(topic, ", ".join(sorted(others)))
        return OK

    def _on_plan(self) -> Status:
        names: list[str] = []
        if self._node.count_publishers(self._plan_topic) > 1:
            names = sorted(map(_name, self._node.get_publishers_info_by_topic(self._plan_topic)))
        if len(names) < 2:
            self._two_plans_since_s = None
            return OK
        if self._two_plans_since_s is None:
            self._two_plans_since_s = time.monotonic()
        are_ghosts = len(set(names)) == 1 and time.monotonic() - self._two_plans_since_s < GHOST_S
        return OK if are_ghosts else _contested(self._plan_topic, ", ".join(names))

    def _of_this_name(self, topic: str) -> list[TopicEndpointInfo]:
        name = self._node.get_fully_qualified_name()
        return [info for info in self._node.get_publishers_info_by_topic(topic) if _name(info) == name]

    def _is_twin_alive(self) -> bool:
        heard, _ = wait_for_message(ArmState, self._node, self._state_topic, qos_profile=qos.STATE, time_to_wait=LIVE_S)
        return heard


def _name(info: TopicEndpointInfo) -> str:
    return f"{info.node_namespace.rstrip('/')}/{info.node_name}"


def _contested(topic: str, who: str) -> Status:
    text = f"{topic} is published by others too: {who}; one planner and one source of commands may have an arm"
    return Status(StatusCode.ARM_CONTESTED, text)
