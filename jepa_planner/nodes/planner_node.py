"""What the lifecycle nodes share: parameters, named failures of transitions, diagnostics."""

import threading
import time
from collections.abc import Iterable
from typing import Any, ClassVar

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.subscription import Subscription

from jepa_planner.control.watchdog import LEAD_TOLERANCE_S, SIMULATED_LEAD_TOLERANCE_S
from jepa_planner.core.status import OK, Status, StatusCode
from jepa_planner.nodes import qos
from jepa_planner.nodes.parameters import Parameter, Parameters

DIAGNOSTICS_PERIOD_S = 1.0
"""What has changed is told sooner, after a look at it that costs next to nothing."""
CHECK_PERIOD_S = 0.2
CODE = "status"
"""The value of a diagnostic that holds the code of its status."""
AUTOSTART = Parameter("autostart", True, "Configure and activate on start, without a lifecycle manager.")


class PlannerNode(LifecycleNode):
    """A lifecycle node whose transitions are plain methods that raise; the reason is logged and the transition fails.

    Subclasses override `configure`, `activate`, `deactivate`, `cleanup`, `health` and list their PARAMETERS.
    """

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, name: str, **options) -> None:
        super().__init__(name, **options)
        self.active = False
        self.configured = False
        self._finalized = False
        self.parameters = Parameters(
            self, (AUTOSTART, *self.PARAMETERS), is_configured=lambda: self.configured, is_moving=self.is_moving
        )
        self.going_down = threading.Event()
        """Set when the process is to end: a transition that waits then gives up."""
        self.failure = ""
        """Why the last transition could not be made; empty when it could."""
        self._told: Status | None = None
        self._told_at_s = 0.0
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS)
        self.create_timer(CHECK_PERIOD_S, self._diagnose, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def configure(self) -> None:
        """Reads parameters and creates what the node works with."""

    def activate(self) -> None:
        """Begins to work."""

    def deactivate(self) -> None:
        """Ends work; what moves is brought to rest before this returns."""

    def cleanup(self) -> None:
        """Undoes `configure`."""

    def health(self) -> tuple[Status, dict[str, object]]:
        """Whether all is well, and the numbers behind it."""
        return OK, {}

    def is_moving(self) -> bool:
        """Whether parameters that are unsafe in motion must stay as they are."""
        return False

    def now_s(self) -> float:
        """The node's time in seconds; simulated time where `use_sim_time` is set."""
        return self.get_clock().now().nanoseconds * 1e-9

    def lead_tolerance_s(self) -> float:
        """How far ahead of `now_s` a stamp may be when it arrives."""
        simulated = self.get_parameter("use_sim_time").value
        return SIMULATED_LEAD_TOLERANCE_S if simulated else LEAD_TOLERANCE_S

    def nothing_came_on(self, subscriptions: Iterable[Subscription]) -> Status:
        """Names the topics of subscriptions that heard nothing, those that nobody publishes, and those that are
        published as something else.
        """
        subscriptions = list(subscriptions)
        topics = [subscription.topic_name for subscription in subscriptions]
        unpublished = [topic for topic in topics if not self.count_publishers(topic)]
        text = f"nothing came on {', '.join(topics)}"
        if unpublished:
            text += f"; nobody publishes {', '.join(unpublished)}"
        for subscription in subscriptions:
            expected = _type_name(subscription.msg_type)
            kinds = {publisher.topic_type for publisher in self.get_publishers_info_by_topic(subscription.topic_name)}
            if kinds and expected not in kinds:
                text += f"; {subscription.topic_name} carries {', '.join(sorted(kinds))}, expected {expected}"
        return Status(StatusCode.NOTHING_CAME, text)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        outcome = self._transition(self.configure, state, super().on_configure)
        self.configured = outcome is TransitionCallbackReturn.SUCCESS
        return outcome

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        outcome = self._transition(self.activate, state, super().on_activate)
        self.active = outcome is TransitionCallbackReturn.SUCCESS
        return outcome

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.active = False
        return self._transition(self.deactivate, state, super().on_deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.configured = False
        return self._transition(self.cleanup, state, super().on_cleanup)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        if self.active:
            self.on_deactivate(state)
        if self.configured:
            self.on_cleanup(state)
        self._finalized = True
        return super().on_shutdown(state)

    def trigger_shutdown(self) -> TransitionCallbackReturn:
        """As rclpy has it; but a node that a manager has shut down before is let alone, where rclpy raises."""
        return TransitionCallbackReturn.SUCCESS if self._finalized else super().trigger_shutdown()

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.SUCCESS

    def _transition(self, work, state: LifecycleState, entities) -> TransitionCallbackReturn:
        try:
            work()
        except (ValueError, OSError, RuntimeError) as error:
            self.failure = f"cannot {work.__name__}: {error}"
            self.get_logger().error(self.failure)
            return TransitionCallbackReturn.FAILURE
        self.failure = ""
        return entities(state)

    def _diagnose(self) -> None:
        status, numbers = self.health() if self.configured else (OK, {})
        if not self.active:
            state = "not active" if self.configured else "not configured"
            status = Status(StatusCode.NOT_ACTIVE, f"{state}: {self.failure}" if self.failure else state)
        now_s = time.monotonic()
        if status == self._told and now_s - self._told_at_s < DIAGNOSTICS_PERIOD_S:
            return
        self._told, self._told_at_s = status, now_s
        self._diagnostics.publish(diagnostics(self, status, numbers))


def _type_name(message: Any) -> str:
    """As the graph has it, package/msg/Name."""
    return f"{message.__module__.partition('.')[0]}/msg/{message.__name__}"


def diagnostics(node: Node, status: Status, details: dict[str, object]) -> DiagnosticArray:
    """How a node is, for the topic `/diagnostics`: the status's code is a value beside the numbers behind it."""
    level = DiagnosticStatus.OK if status.ok else DiagnosticStatus.WARN
    values = [KeyValue(key=key, value=str(value)) for key, value in ({CODE: status.code.name} | details).items()]
    name = node.get_fully_qualified_name().lstrip("/")
    told = DiagnosticStatus(level=level, name=name, message=status.text or "working", values=values)
    array = DiagnosticArray(status=[told])
    array.header.stamp = node.get_clock().now().to_msg()
    return array


def statuses(message: DiagnosticArray, namespace: str) -> dict[str, Status]:
    """What nodes of a namespace say of themselves, by name."""
    found = {}
    for name, told in diagnostic_statuses(message, namespace).items():
        code = next((value.value for value in told.values if value.key == CODE), "")
        is_known = code in StatusCode.__members__ and code != StatusCode.OK.name
        failed = Status(StatusCode[code] if is_known else StatusCode.FAILED, told.message)
        found[name] = OK if told.level == DiagnosticStatus.OK else failed
    return found


def diagnostic_statuses(message: DiagnosticArray, namespace: str) -> dict[str, DiagnosticStatus]:
    """The parts of a message that nodes of a namespace sent, by name."""
    found = {}
    for status in message.status:
        place, _, name = f"/{status.name}".rpartition("/")
        if place == namespace.rstrip("/"):
            found[name] = status
    return found


def start(nodes: Iterable[PlannerNode]) -> None:
    """Takes nodes that want to start by themselves to the active state; raises RuntimeError naming one that cannot."""
    for node in nodes:
        if node.parameters["autostart"]:
            for transition in (node.trigger_configure, node.trigger_activate):
                if transition() is not TransitionCallbackReturn.SUCCESS:
                    raise RuntimeError(f"{node.get_name()} could not start: {node.failure or 'its log says why'}")


def wait_until(condition, timeout_s: float, period_s: float = 0.005) -> bool:
    """Waits on the wall clock until a condition holds; returns whether it did."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(period_s)
    return True
