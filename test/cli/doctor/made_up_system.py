"""A system that was listened to, as the checks see it, with all well; tests change one thing of it."""

from dataclasses import replace

from rclpy.qos import QoSProfile, ReliabilityPolicy

from jepa_planner.cli.doctor.findings import Finding, Level
from jepa_planner.cli.doctor.heard import Arrival, Endpoint, Heard, RunningNode, Stream, Topic
from jepa_planner.cli.doctor.names import uses
from jepa_planner.nodes.start import PLANNER_NODES, Start

RELIABLE, BEST_EFFORT = (
    QoSProfile(depth=1, reliability=policy) for policy in (ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT)
)
NOW_S = 1000.0
SETTINGS = Start.of(False).settings
USES = uses(SETTINGS, ("front", "side"))
INPUTS = [use for use in USES if not use.sends]


def every(
    period_s: float, until_s: float = NOW_S, late_s: float = 0.01, count: int = 30, ahead_s: float = 0.0
) -> Stream:
    """A steady stream that ends at a time; each message arrives late_s after it was stamped."""
    arrived = [until_s - period_s * number for number in reversed(range(count))]
    return Stream(tuple(Arrival(time_s - late_s + ahead_s, time_s, time_s, 1000) for time_s in arrived))


def system(**changes: object) -> Heard:
    """Drivers and a controller, each at its place, and no planner."""
    topics = {use.topic: Topic(publishers=(Endpoint("/driver", use.type, RELIABLE),)) for use in INPUTS}
    topics |= {
        use.topic: Topic(listeners=(Endpoint("/controller", use.type, RELIABLE),))
        for use in USES
        if use.key in ("joint_trajectory", "gripper_command")
    }
    streams = {use.topic: every(1 / 30) for use in INPUTS}
    heard = Heard(1.0, NOW_S, SETTINGS, USES, topics, streams, views=("front", "side"))
    return replace(heard, **changes)


def with_topic(name: str, topic: Topic, **changes: object) -> Heard:
    return system(topics={**system().topics, name: topic}, **changes)


def with_streams(**changes: object) -> Heard:
    return system(streams={**system().streams, **{f"/{name}": stream for name, stream in changes.items()}})


def planner(state: str = "active", **parameters: object) -> tuple[RunningNode, ...]:
    return tuple(RunningNode(f"/{node}", state, {**SETTINGS[node], **parameters}) for node in PLANNER_NODES)


def told(findings: Finding | list[Finding], level: Level) -> str:
    """All that is said at a level, with what to do."""
    findings = [findings] if isinstance(findings, Finding) else findings
    return "\n".join(f"{one.about}: {one.found} -> {one.do}" for one in findings if one.level is level)


def levels(findings: list[Finding]) -> set[Level]:
    return {finding.level for finding in findings}
