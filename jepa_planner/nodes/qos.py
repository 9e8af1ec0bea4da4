"""Qualities of service, one per kind of data."""

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def _profile(depth: int, reliability: ReliabilityPolicy, durability: DurabilityPolicy) -> QoSProfile:
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability, durability=durability)


SENSOR = _profile(1, ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE)
"""How images and joint states are heard: only the newest counts, and is not sent again; any publisher will do."""

SENSOR_RESENT = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
"""How images are heard where all who publish offer it: one travels in many parts, and is lost with any of them."""

STREAM = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
"""How they are published: subscribers of default quality hear nothing from a best-effort publisher. Latents are heard
so, too: one belongs to a rest of the arm, and none follows it.
"""

COMMAND = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
"""Plans and setpoints: each must arrive, and none may queue up behind an old one."""

STATE = _profile(5, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
"""Arm state, statistics."""

EVENTS = _profile(100, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
"""Begin and end of goals: each counts, and none takes the place of another."""

DIAGNOSTICS = _profile(100, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
"""What all nodes of all robots say of themselves, on one topic."""

LATCHED = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
"""Goal images and the like: whoever comes late gets the last one."""

LATCHED_BY_MANY = _profile(100, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
"""How `/tf_static` is heard: each of its publishers has a last word."""

TRANSFORMS = _profile(100, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
"""On `/tf`; what stands on `/tf_static` is LATCHED."""


def as_offered(node: Node, topic: str) -> QoSProfile | None:
    """How to hear a topic from all who publish it now; None: nobody does."""
    offered = {publisher.qos_profile.reliability for publisher in node.get_publishers_info_by_topic(topic)}
    if not offered:
        return None
    return SENSOR_RESENT if offered == {ReliabilityPolicy.RELIABLE} else SENSOR
