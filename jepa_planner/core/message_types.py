"""Names of the message types that this package reads and writes, and the stamp that most messages begin with."""

from __future__ import annotations

import struct

IMAGE, COMPRESSED_IMAGE, CAMERA_INFO, JOINT_STATE = (
    f"sensor_msgs/msg/{name}" for name in ("Image", "CompressedImage", "CameraInfo", "JointState")
)
PICTURES = (IMAGE, COMPRESSED_IMAGE)
PERIODIC = (*PICTURES, CAMERA_INFO, JOINT_STATE)
"""Types of which messages come at a steady rate, so that one that is missing can be told."""
POSE_STAMPED, TWIST_STAMPED = "geometry_msgs/msg/PoseStamped", "geometry_msgs/msg/TwistStamped"
JOINT_TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"
TF = "tf2_msgs/msg/TFMessage"
OWN = "jepa_planner/msg/"
ARM_STATE, PLAN = f"{OWN}ArmState", f"{OWN}Plan"
EPISODE_MARK, GOAL_EVENT = f"{OWN}EpisodeMark", f"{OWN}GoalEvent"
_STAMP_AT = 4
"""Where in CDR the first field stands; of a message with a header that is its stamp."""
_STAMP = {True: struct.Struct("<iI"), False: struct.Struct(">iI")}


def header_stamp_ns(data: bytes) -> int | None:
    """The stamp (ns) of a serialized message whose first field is a header; None for one that is too short."""
    if len(data) < _STAMP_AT + 8:
        return None
    seconds, nanoseconds = _STAMP[bool(data[1] & 1)].unpack_from(data, _STAMP_AT)
    return seconds * 1_000_000_000 + nanoseconds
