"""Qualities of service, one per kind of data."""

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def _profile(depth: int, reliability: ReliabilityPolicy, durability: DurabilityPolicy) -> QoSProfile:
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability, durability=durability)


SENSOR = _profile(1, ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE)
"""How images, joint states, latents are heard: only the newest counts, a lost one is not sent again; any publisher will
do.
"""

STREAM = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
"""How they are published: subscribers of default quality hear nothing from a best-effort publisher."""

COMMAND = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
"""Plans and setpoints: each must arrive, and none may queue up behind an old one."""

STATE = _profile(5, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
"""Arm state, statistics."""

DIAGNOSTICS = _profile(100, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
"""What all nodes of all robots say of themselves, on one topic."""

LATCHED = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
"""Goal images and the like: whoever comes late gets the last one."""

TRANSFORMS = _profile(100, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
"""On `/tf`; what stands on `/tf_static` is LATCHED."""
