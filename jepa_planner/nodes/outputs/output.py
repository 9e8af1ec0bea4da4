"""What arm_node asks of the ways by which its commands leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from rclpy.lifecycle import LifecycleNode

from jepa_planner.control.setpoints import Setpoint
from jepa_planner.core.status import OK, Status
from jepa_planner.nodes import qos


class Output(Protocol):
    """One way by which commands leave the node; times are those of the clock that paces the setpoints."""

    name: str
    """Of its topic or action, in full; empty where nothing is sent."""
    name_from: str
    """The parameter that names the action, or the topic's name before remapping."""
    type_name: str
    """As `ros2 topic list -t` has it."""
    is_action: bool

    @property
    def ended(self) -> bool:
        """Whether what was sent is known to have come to its end."""
        ...

    @property
    def goes_to(self) -> str:
        """Its topic or action, for people."""
        ...

    def is_listened_to(self) -> bool:
        """Whether anybody takes what is sent."""
        ...

    def failure(self, now_s: float) -> Status:
        """What became of commands that are not carried out; it is told once."""
        ...

    def destroy(self) -> None:
        """Takes its part of the node away."""
        ...


class ArmOutput(Output, Protocol):
    """Setpoints on their way to the arm."""

    takes_whole_motions: bool

    @property
    def begun(self) -> bool:
        """Whether the arm has begun what was sent last."""
        ...

    def begin(self, way: Sequence[Setpoint], from_rest: bool, now_s: float) -> None:
        """Sends a motion, or what brakes one, as a whole; for outputs that take whole motions."""
        ...

    def send(self, setpoint: Setpoint) -> None:
        """Sends the setpoint of now; for those that do not."""
        ...


class GripperOutput(Output, Protocol):
    """Closures, 0 open to 1 closed, on their way to the gripper."""

    told: float | None
    """The closure that it was told last; None until something is known of it."""

    def move(self, closure: float, target: float, now_s: float) -> None:
        """Sends the closure of now, or the one that it leads to, where that is another than the last."""
        ...


class TopicOutput:
    """Messages of one type on a topic; nothing comes back."""

    is_action = takes_whole_motions = False
    begun = ended = True

    def __init__(self, node: LifecycleNode, message_type: Any, topic: str) -> None:
        self._node = node
        self._publisher = node.create_lifecycle_publisher(message_type, topic, qos.COMMAND)
        self.name, self.name_from = self._publisher.topic_name, topic
        self.type_name = f"{message_type.__module__.partition('.')[0]}/msg/{message_type.__name__}"

    @property
    def goes_to(self) -> str:
        """Its topic, for people."""
        return f"topic {self.name}"

    def is_listened_to(self) -> bool:
        """Whether anybody subscribes."""
        return self._publisher.get_subscription_count() > 0

    def failure(self, _: float) -> Status:
        """None is known of."""
        return OK

    def begin(self, way: Sequence[Setpoint], from_rest: bool, now_s: float) -> None:
        """Setpoints are sent one by one."""

    def destroy(self) -> None:
        """Takes the publisher away."""
        self._node.destroy_lifecycle_publisher(self._publisher)
