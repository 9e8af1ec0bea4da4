"""Listens to a running system without being heard: a node that publishes nothing, asks a few services, and looks
around.
"""

from __future__ import annotations

import importlib
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import GetState
from rcl_interfaces.srv import GetParameters
from rclpy.action.graph import get_action_server_names_and_types_by_node
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import String

from jepa_planner.cli.doctor.heard import Arrival, Controller, Endpoint, Heard, RunningNode, Said, Stream, Topic, Use
from jepa_planner.cli.doctor.names import DESCRIPTION
from jepa_planner.core.message_types import CAMERA_INFO, PICTURES, header_stamp_ns
from jepa_planner.nodes import parameter_files, qos
from jepa_planner.nodes.conversions import seconds
from jepa_planner.nodes.image_input import info_topic
from jepa_planner.nodes.planner_node import CODE, wait_until
from jepa_planner.nodes.recording.installed_types import message_class
from jepa_planner.nodes.running import NodeThread
from jepa_planner.nodes.start import PLANNER_NODES

LEAST_S, QUIET_S, MOST_S = 1.0, 0.4, 3.0
"""Nodes find each other within a fraction of the first; all is found when nothing new comes for as long as the second,
and where nobody is found, nobody is there after the third.
"""
ANSWER_S = 1.5
CLOCK_TYPE = "rosgraph_msgs/msg/Clock"
LIST_CONTROLLERS = "controller_manager_msgs/srv/ListControllers"
_KEPT = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=20, reliability=ReliabilityPolicy.BEST_EFFORT,
    durability=DurabilityPolicy.VOLATILE,
)  # fmt: skip
"""Hears any publisher; deeper than the planner's, so that what is counted here is what was sent."""


class _Recorder:
    """Arrivals on one topic; messages stay bytes but for their stamp, so that big pictures cost next to nothing."""

    def __init__(self, kind: str, now_s: Callable[[], float]) -> None:
        self._kind, self._now_s = kind, now_s
        self.arrivals: list[Arrival] = []
        self.newest: dict[int, bytes] = {}

    def __call__(self, message: bytes) -> None:
        """Notes a message of a type that begins with a stamp."""
        stamp_s = (header_stamp_ns(message) or 0) * 1e-9
        self.arrivals.append(Arrival(stamp_s, self._now_s(), time.monotonic(), len(message)))
        self.newest[len(message)] = message

    def stream(self) -> Stream:
        """All of it, the newest message last."""
        kind = message_class(self._kind)
        last = self.arrivals[-1].size if self.arrivals else 0
        lengths = sorted(self.newest, key=lambda length: length == last)
        return Stream(tuple(self.arrivals), tuple(deserialize_message(self.newest[n], kind) for n in lengths))


class Listener:
    """A node that looks and listens; use it as a context manager. namespace: that of the planner."""

    def __init__(self, namespace: str = "") -> None:
        self._context = Context()
        rclpy.init(args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = Node(
            f"_jepa_planner_doctor_{os.getpid()}", context=self._context, namespace=namespace,
            use_global_arguments=False, enable_rosout=False, start_parameter_services=False,
        )  # fmt: skip
        self._recorders: dict[str, _Recorder] = {}
        self._diagnostics: dict[str, list[Arrival]] = defaultdict(list)
        self._said: dict[str, Said] = {}
        self._descriptions: list[str] = []
        for topic in {f"{self.node.get_namespace().rstrip('/')}/diagnostics", "/diagnostics"}:
            self.node.create_subscription(DiagnosticArray, topic, self._on_diagnostics, _KEPT)
        self._thread = NodeThread(self.node, lambda: None)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.stop()
        self._context.try_shutdown()

    def now_s(self) -> float:
        """The time by which stamps are judged."""
        return self.node.get_clock().now().nanoseconds * 1e-9

    def settle(self) -> None:
        """Waits until all that is there was found."""
        began_s = changed_s = time.monotonic()
        known: tuple = ()
        while (now_s := time.monotonic()) - began_s < MOST_S:
            found = (len(self._nodes()), len(self.node.get_topic_names_and_types()))
            if found != known:
                known, changed_s = found, now_s
            if found[0] and now_s - began_s > LEAST_S and now_s - changed_s > QUIET_S:
                return
            time.sleep(0.05)

    def take_time_from_clock(self) -> None:
        """Judges stamps by /clock, as the planner's nodes do with use_sim_time."""
        self._do(lambda: self.node.set_parameters([Parameter("use_sim_time", value=True)]))

    def running(self) -> tuple[RunningNode, ...]:
        """The planner's nodes of this namespace, with what they answer."""
        place = self.node.get_namespace().rstrip("/")
        names = [f"{place}/{node}" for node in PLANNER_NODES]
        there = [name for name in self._nodes() if name in names]
        unique = list(dict.fromkeys(there))
        states = self._ask_all(GetState, {name: (f"{name}/get_state", GetState.Request()) for name in unique})
        table = {name: list(parameter_files.known()[name.rpartition("/")[2]]) for name in unique}
        asked = {name: (f"{name}/get_parameters", GetParameters.Request(names=table[name])) for name in unique}
        values = self._ask_all(GetParameters, asked)
        found = []
        for name in there:
            state, parameters = states.get(name), values.get(name)
            read = None
            if parameters is not None:
                read = dict(zip(table[name], map(parameter_value_to_python, parameters.values), strict=False))
                read = {key: value for key, value in read.items() if value is not None}
            found.append(RunningNode(name, state.current_state.label if state else None, read))
        return tuple(found)

    def ends(self, running: Iterable[RunningNode]) -> dict[tuple[str, bool], dict[str, list[str]]]:
        """Topics with their types of nodes that run, by node and whether it sends; of those that are configured."""
        found = {}
        for node in running:
            place, _, name = node.name.rpartition("/")
            if node.state in ("active", "inactive"):
                found[name, True] = dict(self.node.get_publisher_names_and_types_by_node(name, place or "/"))
                found[name, False] = dict(self.node.get_subscriber_names_and_types_by_node(name, place or "/"))
        return found

    def listen(self, uses: Iterable[Use]) -> None:
        """Begins to record what comes on the names that are heard, and of the cameras' descriptions."""
        uses = list(uses)
        kinds = {use.topic: use.type for use in uses if not use.sends}
        infos = {
            topic: CAMERA_INFO
            for topic in [info_topic(use.topic.removesuffix(use.ending)) for use in uses if "Image" in use.type]
            if self.node.count_publishers(topic)
        }
        for use in uses:
            if use.key == DESCRIPTION:
                del kinds[use.topic]
                self._do(lambda t=use.topic: self._describe(t))  # type: ignore[misc]
        for topic, kind in {**kinds, **infos, "/clock": CLOCK_TYPE}.items():
            self._recorders[topic] = recorder = _Recorder(kind, self.now_s)
            self._do(lambda t=topic, k=kind, r=recorder: self._subscribe(message_class(k), t, r))  # type: ignore[misc]

    def _subscribe(self, kind: type, topic: str, recorder: _Recorder) -> None:
        self.node.create_subscription(kind, topic, recorder, _KEPT, raw=True)

    def _describe(self, topic: str) -> None:
        self.node.create_subscription(String, topic, self._on_description, qos.LATCHED)

    def _on_description(self, message: Any) -> None:
        self._descriptions.append(message.data)

    def heard(
        self,
        uses: Sequence[Use],
        views: Sequence[str],
        settings: Mapping,
        running: tuple[RunningNode, ...],
        seconds: float,
    ) -> Heard:
        """All that was found until now; the others: what a `Heard` passes on."""
        managers, controllers = self._controllers()
        ours = {node.name for node in running}
        return Heard(
            seconds=seconds,
            now_s=self.now_s(),
            settings=settings,
            uses=tuple(uses),
            topics=self._topics(uses),
            streams={topic: recorder.stream() for topic, recorder in self._recorders.items()},
            running=running,
            others=tuple(name for name in self._nodes() if name not in ours),
            said=tuple(self._said.values()),
            diagnostics={node: Stream(tuple(arrivals)) for node, arrivals in self._diagnostics.items()},
            actions=self._actions(),
            managers=managers,
            controllers=controllers,
            namespace=self.node.get_namespace().rstrip("/"),
            views=tuple(views),
            description=self._descriptions[-1] if self._descriptions else None,
        )

    def _nodes(self) -> list[str]:
        """Full names of all nodes but this one; one that is there twice stands twice."""
        pairs = self.node.get_node_names_and_namespaces()
        return [full(name, place) for name, place in pairs if not name.startswith("_jepa_planner_doctor")]

    def _topics(self, uses: Iterable[Use]) -> dict[str, Topic]:
        """Who is at either end of the planner's names, and of all others of the same types."""
        kinds = {use.type for use in uses} | set(PICTURES)
        names = {use.topic for use in uses} | {"/clock"}
        names |= {topic for topic, types in self.node.get_topic_names_and_types() if kinds & set(types)}
        return {
            name: Topic(
                self._endpoints(self.node.get_publishers_info_by_topic(name)),
                self._endpoints(self.node.get_subscriptions_info_by_topic(name)),
            )
            for name in names
        }

    def _endpoints(self, infos: Iterable[Any]) -> tuple[Endpoint, ...]:
        return tuple(
            Endpoint(full(info.node_name, info.node_namespace), info.topic_type, info.qos_profile)
            for info in infos
            if not info.node_name.startswith("_jepa_planner_doctor")
        )

    def _actions(self) -> dict[str, tuple[str, ...]]:
        """Types of all action servers, by name."""
        found: dict[str, tuple[str, ...]] = {}
        for name, place in set(self.node.get_node_names_and_namespaces()):
            try:
                found |= {a: tuple(t) for a, t in get_action_server_names_and_types_by_node(self.node, name, place)}
            except (RuntimeError, ValueError):  # rclpy has NodeNameNonExistentError for one that ended meanwhile
                continue
        return found

    def _controllers(self) -> tuple[tuple[str, ...], tuple[Controller, ...] | None]:
        services = self.node.get_service_names_and_types()
        managers = tuple(name.rpartition("/")[0] for name, types in services if LIST_CONTROLLERS in types)
        try:
            kind = importlib.import_module("controller_manager_msgs.srv").ListControllers
        except ImportError:
            return managers, None
        asked = {manager: (f"{manager}/list_controllers", kind.Request()) for manager in managers}
        answers = self._ask_all(kind, asked)
        if managers and not answers:
            return managers, None
        return managers, tuple(
            Controller(manager, one.name, one.type, one.state)
            for manager, answer in answers.items()
            for one in answer.controller
        )

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        arrival = Arrival(seconds(message.header.stamp), self.now_s(), time.monotonic())
        for status in message.status:
            values = {value.key: value.value for value in status.values}
            level = int.from_bytes(status.level, "little")
            name = f"/{status.name.lstrip('/')}"
            self._said[name] = Said(name, level, values.get(CODE, ""), status.message, values)
            self._diagnostics[name].append(arrival)

    def _ask_all(self, kind: type, requests: Mapping[str, tuple[str, Any]]) -> dict[str, Any]:
        """Answers to one request for each key, of those that answer in time."""
        clients = {key: self.node.create_client(kind, service) for key, (service, _) in requests.items()}
        deadline_s = time.monotonic() + ANSWER_S
        futures = {}
        for key, client in clients.items():
            if wait_until(client.service_is_ready, max(0.0, deadline_s - time.monotonic())):
                self._do(lambda k=key, c=client: futures.update({k: c.call_async(requests[k][1])}))  # type: ignore[misc]
        wait_until(lambda: all(future.done() for future in futures.values()), max(0.0, deadline_s - time.monotonic()))
        answers = {key: future.result() for key, future in futures.items() if future.done()}
        return answers  # clients stay until the node goes: an answer that comes late would find none

    def _do(self, function: Callable[[], object]) -> None:
        """In the node's own thread, so that nothing needs a lock."""
        self._thread.call(function)


def full(name: str, namespace: str) -> str:
    """A node's full name."""
    return f"{namespace.rstrip('/')}/{name}"
