"""Setpoints as joint trajectories on a topic, each a little ahead and with the way to rest behind it."""

from __future__ import annotations

from dataclasses import replace

from rclpy.lifecycle import LifecycleNode
from trajectory_msgs.msg import JointTrajectory

from jepa_planner.control.setpoint_stream import SetpointStream
from jepa_planner.control.setpoints import Setpoint
from jepa_planner.nodes.outputs.output import TopicOutput
from jepa_planner.nodes.outputs.trajectories import trajectory

AHEAD_S = 0.1
"""So far ahead the arm knows its way: messages may come late by as much and it does not notice. Where one comes later
than the next should have, it has that long to catch up, so that it is hardly faster than it was told to be.
"""


class JointTrajectoryOutput(TopicOutput):
    """trajectory_msgs/JointTrajectory on `joint_trajectory`, as joint_trajectory_controller takes them."""

    def __init__(self, node: LifecycleNode, names: tuple[str, ...], frame: str, stream: SetpointStream) -> None:
        super().__init__(node, JointTrajectory, "joint_trajectory")
        self._names, self._frame, self._stream = names, frame, stream
        self._told_to_its_end = -1

    def send(self, setpoint: Setpoint) -> None:
        """Where the arm is a little later, and behind it the way to rest: where nothing follows, it brakes by itself.

        Once it knows where it rests it is told no more: the closer the end, the less time to catch up with it.
        """
        stream = self._stream
        if self._told_to_its_end == stream.course:
            return
        if stream.knows_its_end:
            self._told_to_its_end = stream.course
        points = [replace(point, after_s=stream.period_s + point.after_s) for point in stream.coming()]
        self._publisher.publish(trajectory(self._names, self._frame, points))
