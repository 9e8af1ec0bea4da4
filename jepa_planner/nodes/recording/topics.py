"""Which topics are recorded, and how each is heard from those who publish it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import yaml
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo

from jepa_planner.core.message_types import PERIODIC
from jepa_planner.core.stream_counts import StreamCounts
from jepa_planner.learning.data.recording import EPISODE_MARKS, Recording
from jepa_planner.nodes.image_input import TRANSPORTS
from jepa_planner.nodes.recording.bag import BagTopic
from jepa_planner.nodes.recording.installed_types import UnknownTypeError, definition_of, message_class

DEPTH = 50
"""Messages of a topic that may wait for this process: half a second of joint states."""
NOBODY = "nobody publishes it"
OF_EVERY_ROBOT = ("robot_description", "/tf", "/tf_static", "/clock")
GOAL_EVENTS = "mpc_node/goal_events"
OF_THE_PLANNER = (
    *("joint_states", "arm_state", "joint_trajectory", "gripper_command", "plan", "mpc_node/stats", GOAL_EVENTS),
    *OF_EVERY_ROBOT,
)
"""What its nodes hear and say by default, pictures aside."""
COMPRESSED = TRANSPORTS["compressed"][1]


def of_the_planner(views: Iterable[str]) -> tuple[str, ...]:
    """What the planner's nodes hear by default, for these views."""
    pictures = [name for view in views for name in (f"{view}/image_raw", f"{view}/camera_info")]
    return (*pictures, *OF_THE_PLANNER)


def of_recording(recording: Recording) -> tuple[str, ...]:
    """What a recording file names, and what tells of every robot; marks of episodes are this node's own."""
    return tuple(name for name in (*recording.recorded_topics(), *OF_EVERY_ROBOT) if name != EPISODE_MARKS)


def offered_qos(profiles: Iterable[QoSProfile]) -> str:
    """Qualities of service as rosbag2 writes them into a bag, so that what was latched is latched when played."""
    return yaml.safe_dump([_plain(profile) for profile in profiles], sort_keys=False)


def heard_with(publishers: Sequence[TopicEndpointInfo]) -> QoSProfile:
    """With which all of these are heard: reliably, and what was said before, where all of them offer it."""
    offered = [publisher.qos_profile for publisher in publishers]
    reliable = all(one.reliability is ReliabilityPolicy.RELIABLE for one in offered)
    latched = all(one.durability is DurabilityPolicy.TRANSIENT_LOCAL for one in offered)
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=DEPTH,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


@dataclass
class HeardTopic:
    """A topic that is heard now. latched: what it said, to be written into each bag."""

    bag_topic: BagTopic
    qos: QoSProfile
    subscription: Subscription
    counts: StreamCounts
    latched: dict[bytes, None] = field(default_factory=dict)

    @property
    def is_latched(self) -> bool:
        """Whether who comes late hears what was said before."""
        return self.qos.durability is DurabilityPolicy.TRANSIENT_LOCAL

    def keep(self, data: bytes) -> None:
        """Remembers what was said last on a latched topic: several may publish there."""
        self.latched[data] = None
        if len(self.latched) > DEPTH:
            del self.latched[next(iter(self.latched))]


class Topics:
    """Hears the wanted topics of a node, as soon as somebody publishes them and as they are published."""

    def __init__(
        self,
        node: Node,
        wanted: Iterable[str],
        transport: str,
        late_s: float,
        on_message: Callable[[HeardTopic, bytes], None],
    ) -> None:
        """transport: which messages are heard of pictures that are published raw and compressed."""
        self._node, self._late_s, self._on_message = node, late_s, on_message
        self._wanted = tuple(dict.fromkeys(node.resolve_topic_name(name) for name in wanted))
        self._compressed_first = transport == "compressed"
        self.heard: dict[str, HeardTopic] = {}
        self.unheard: dict[str, str] = dict.fromkeys(self._wanted, NOBODY)
        """Wanted topics that cannot be heard, and why."""

    def look(self) -> None:
        """Looks who publishes now, and listens to them in a way that suits all."""
        chosen = {}
        for wanted in self._wanted:
            name, publishers = self._published(wanted)
            if publishers:
                chosen[name] = publishers
                self.unheard.pop(wanted, None)
            elif not any(name in self.heard for name in self._names(wanted)):
                self.unheard[wanted] = NOBODY
        for name, publishers in chosen.items():
            self._hear(name, publishers)
        for name in [name for name in self.heard if self._is_replaced(name, chosen)]:
            self._node.destroy_subscription(self.heard.pop(name).subscription)

    def destroy(self) -> None:
        """Listens no longer."""
        for heard in self.heard.values():
            self._node.destroy_subscription(heard.subscription)
        self.heard.clear()

    def _names(self, wanted: str) -> tuple[str, ...]:
        """The names under which a topic may be published, the preferred one first."""
        names = (f"{wanted}{COMPRESSED}", wanted)
        return names if self._compressed_first else names[::-1]

    def _published(self, wanted: str) -> tuple[str, list[TopicEndpointInfo]]:
        for name in self._names(wanted):
            if publishers := self._node.get_publishers_info_by_topic(name):
                return name, publishers
        return wanted, []

    def _is_replaced(self, name: str, chosen: Iterable[str]) -> bool:
        """Whether the same pictures are heard in another form now."""
        plain = name.removesuffix(COMPRESSED)
        return name not in chosen and any(other in chosen for other in (plain, f"{plain}{COMPRESSED}"))

    def _hear(self, name: str, publishers: Sequence[TopicEndpointInfo]) -> None:
        qos, type_name = heard_with(publishers), publishers[0].topic_type
        known = self.heard.get(name)
        if known is not None and known.qos == qos and known.bag_topic.type_name == type_name:
            return
        try:
            kind = message_class(type_name)
        except UnknownTypeError as error:
            self.unheard[name] = str(error)
            return
        offered = offered_qos(publisher.qos_profile for publisher in publishers)
        described = BagTopic(name, type_name, definition_of(type_name), _hash(publishers[0]), offered)
        is_periodic = type_name in PERIODIC
        counts = StreamCounts(self._late_s, is_periodic) if known is None else known.counts
        if known is not None:
            self._node.destroy_subscription(known.subscription)

        def came(data: bytes) -> None:
            self._on_message(heard, data)

        heard = HeardTopic(described, qos, self._node.create_subscription(kind, name, came, qos, raw=True), counts)
        self.heard[name] = heard


def _hash(publisher: TopicEndpointInfo) -> str:
    """Of the type of messages, where this ROS 2 has such (from Iron on)."""
    return str(getattr(publisher, "topic_type_hash", ""))


def _plain(qos: QoSProfile) -> dict[str, object]:
    def time(nanoseconds: int) -> dict[str, int]:
        return {"sec": nanoseconds // 10**9, "nsec": nanoseconds % 10**9}

    return {
        "history": int(qos.history),
        "depth": qos.depth,
        "reliability": int(qos.reliability),
        "durability": int(qos.durability),
        "deadline": time(qos.deadline.nanoseconds),
        "lifespan": time(qos.lifespan.nanoseconds),
        "liveliness": int(qos.liveliness),
        "liveliness_lease_duration": time(qos.liveliness_lease_duration.nanoseconds),
        "avoid_ros_namespace_conventions": qos.avoid_ros_namespace_conventions,
    }
