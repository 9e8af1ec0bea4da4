"""Setpoints as joint trajectories on a topic, each with the way to rest behind it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from rclpy.lifecycle import LifecycleNode
from trajectory_msgs.msg import JointTrajectory

from jepa_planner.control.setpoint_stream import SetpointStream
from jepa_planner.control.setpoints import JointPoint, Setpoint
from jepa_planner.nodes.outputs.output import TopicOutput
from jepa_planner.nodes.outputs.trajectories import trajectory


class JointTrajectoryOutput(TopicOutput):
    """trajectory_msgs/JointTrajectory on `joint_trajectory`, as joint_trajectory_controller takes them."""

    def __init__(self, node: LifecycleNode, names: tuple[str, ...], frame: str, stream: SetpointStream) -> None:
        super().__init__(node, JointTrajectory, "joint_trajectory")
        self._names, self._frame, self._stream = names, frame, stream

    def send(self, setpoint: Setpoint) -> None:
        """The setpoint, and behind it the way to rest: where nothing follows, the arm brakes by itself."""
        points = [JointPoint(0.0, setpoint.q_rad, setpoint.dq_rad_s)]
        if np.any(setpoint.dq_rad_s):
            points += self._stream.way_to_rest()
        ahead_s = self._stream.period_s
        points = [replace(point, after_s=ahead_s + point.after_s) for point in points]
        self._publisher.publish(trajectory(self._names, self._frame, points))
