"""Joint trajectories as messages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from jepa_planner.control.setpoints import JointPoint
from jepa_planner.nodes.conversions import duration_message


def trajectory(names: Sequence[str], frame: str, points: Sequence[JointPoint]) -> JointTrajectory:
    """Points for named joints, each so long after the message comes: a zero stamp means that it begins at once.

    A point without velocities has an empty array of them.
    """
    message = JointTrajectory(joint_names=list(names))
    message.header.frame_id = frame
    message.points = [
        JointTrajectoryPoint(
            positions=point.q_rad.tolist(),
            velocities=point.dq_rad_s.tolist(),
            time_from_start=duration_message(point.after_s),
        )
        for point in points
    ]
    return message


def position_only(name_count: int, position: float, after_s: float) -> JointPoint:
    """The same position for so many joints, without a velocity."""
    return JointPoint(after_s, np.full(name_count, position), np.empty(0))
