"""What was found of a running system while doctor listened; the checks work on nothing else. No ROS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Settings = Mapping[str, Mapping[str, Any]]
"""Values of parameters by name, by node."""


@dataclass(frozen=True)
class Endpoint:
    """Who publishes on a name, or listens: full name of the node, type of the messages, qualities of service."""

    node: str
    type: str
    qos: Any = None


@dataclass(frozen=True)
class Use:
    """A name that a node of the planner uses.

    key: the name as in the guides; topic: in full, remapped. sends: whether the node publishes there, or listens.
    ending: what image_transport adds to a name once it is remapped. is_action: whether the name is an action's, of
    which the node is a client.
    """

    node: str
    key: str
    topic: str
    type: str
    sends: bool
    qos: Any = None
    ending: str = ""
    is_action: bool = False

    @property
    def commands(self) -> bool:
        """Whether the robot is moved by it, so that somebody has to listen."""
        return self.sends and self.key not in ("arm_state", "plan")


@dataclass(frozen=True)
class Topic:
    """Those at both ends of a name, this program left out."""

    publishers: tuple[Endpoint, ...] = ()
    listeners: tuple[Endpoint, ...] = ()


@dataclass(frozen=True)
class Arrival:
    """One message: its stamp and its arrival by the nodes' clock (s), arrival by one that cannot be set, its bytes."""

    stamp_s: float
    arrived_s: float
    steady_s: float
    size: int = 0


@dataclass(frozen=True)
class Stream:
    """What came on a topic: all arrivals, and the newest message of each length."""

    arrivals: Sequence[Arrival] = ()
    messages: Sequence[Any] = ()

    def per_second(self, of: int) -> float:
        """How many of something that came with its messages there were in a second."""
        if len(self.arrivals) < 2:
            return 0.0
        passed_s = self.arrivals[-1].steady_s - self.arrivals[0].steady_s
        return (of - 1) / max(passed_s, 1e-3) if of else 0.0


@dataclass(frozen=True)
class RunningNode:
    """A node of the planner: full name, the state of its life cycle, its parameters; None where it did not answer."""

    name: str
    state: str | None = None
    parameters: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Controller:
    """What a controller manager says of one of its controllers."""

    manager: str
    name: str
    type: str
    state: str


@dataclass(frozen=True)
class Said:
    """What a node said of itself on diagnostics: its name, level (0: OK), code, words, and the numbers behind them."""

    node: str
    level: int
    code: str
    message: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Heard:
    """All of it.

    seconds: how long was listened; now_s: the time by which stamps are judged, at the end. settings: of the planner's
    nodes, as they run or would be started. uses: the names that they use; topics: who is at every name; streams: what
    came, by topic. running: those of its nodes that run; others: full names of all other nodes. said: on diagnostics,
    and in `diagnostics` when, by node. actions: of which there are servers, with their types. managers: of
    controllers; controllers: None where no manager could be asked. namespace: the planner's, in full. views: of its
    model; description: what came on robot_description, None where nothing did.
    """

    seconds: float
    now_s: float
    settings: Settings
    uses: tuple[Use, ...] = ()
    topics: Mapping[str, Topic] = field(default_factory=dict)
    streams: Mapping[str, Stream] = field(default_factory=dict)
    running: tuple[RunningNode, ...] = ()
    others: tuple[str, ...] = ()
    said: tuple[Said, ...] = ()
    diagnostics: Mapping[str, Stream] = field(default_factory=dict)
    actions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    managers: tuple[str, ...] = ()
    controllers: tuple[Controller, ...] | None = None
    namespace: str = ""
    views: tuple[str, ...] = ()
    description: str | None = None

    def use(self, key: str) -> Use | None:
        """The use of a name, as the guides call it."""
        return next((use for use in self.uses if use.key == key), None)

    def stream(self, key: str) -> Stream:
        """What came on a name, as the guides call it; empty where nothing did."""
        use = self.use(key)
        return Stream() if use is None else self.streams.get(use.topic, Stream())

    def topic(self, name: str) -> Topic:
        """Who is at either end of a full name."""
        return self.topics.get(name, Topic())

    @property
    def pictures(self) -> tuple[Use, ...]:
        """The uses of picture topics, one per view, in the model's order."""
        return tuple(use for use in self.uses if use.node == "encoder_node" and not use.sends)

    @property
    def simulated(self) -> bool:
        """Whether the planner's time is that of /clock."""
        return any(values.get("use_sim_time") for values in self.settings.values())

    @property
    def executing(self) -> bool:
        """Whether the planner has a goal to work for."""
        return any(said.values.get("executing") == "True" for said in self.said)

    @property
    def nothing_runs(self) -> bool:
        """Whether neither a driver nor the planner is there."""
        inputs = [use.topic for use in self.uses if not use.sends]
        return not self.running and not any(self.topic(topic).publishers for topic in inputs)
