"""Where the tcp was asked to be at the end of a step, by the commands that were recorded."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from jepa_planner.control.kinematics import ArmKinematics, rotation_from_quaternion
from jepa_planner.control.limits import SafetyLimits
from jepa_planner.core.message_types import JOINT_TRAJECTORY, PLAN, POSE_STAMPED, TWIST_STAMPED
from jepa_planner.learning.data.bags.arm_tracks import ArmTrack, Poses
from jepa_planner.learning.data.bags.clocks import TopicTimes
from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.recording import Commands, JointArm, PoseArm, full_name

TWIST_HOLDS_S = 0.25
"""A twist holds until the next one, but no longer than this: whoever follows twists stops when none comes."""
STILL_NEEDED_S = 1.0
"""Of a trajectory, what lies further behind the one that takes its place is forgotten."""
MOVE = 0
"""The kind of a plan that moves."""


class CommandTrack:
    """Commands of one topic over time; each holds until the next."""

    types = (TWIST_STAMPED, POSE_STAMPED, JOINT_TRAJECTORY, PLAN)

    def __init__(self, commands: Commands, source: JointArm | PoseArm, arm: ArmTrack) -> None:
        self.topic = full_name(commands.topic)
        self._scale, self._arm = np.repeat(commands.twist_scale, 3), arm
        self._numbers: list[int] = []
        self._commands: list[Any] = []
        self._kind, self._last_ns = "", 0
        self._kinematics: ArmKinematics | None = None
        self._joints: tuple[str, ...] = ()
        if isinstance(source, JointArm):
            limits = SafetyLimits.load(source.limits_file)
            self._kinematics = limits.kinematics()
            self._joints = limits.joint_names.of(self._kinematics.joint_names)
        self.times_ns = np.zeros(0, np.int64)

    def take(self, number: int, message: Any, log_ns: int) -> None:
        self._kind = message.__msgtype__
        taken: Any
        if self._kind == JOINT_TRAJECTORY:
            taken = self._trajectory(message)
            if self._commands and log_ns >= self._last_ns:
                times_s, positions = self._commands[-1]
                needed = 1 + int(np.searchsorted(times_s, (log_ns - self._last_ns) * 1e-9 + STILL_NEEDED_S))
                self._commands[-1] = times_s[:needed].copy(), positions[:needed].copy()
            self._last_ns = log_ns
        elif self._kind == TWIST_STAMPED:
            taken = self._twist(message)
        else:
            if self._kind == PLAN and (message.kind != MOVE or not len(message.poses)):
                return
            self._check_frame(message.header.frame_id, "poses", (self._arm.frame,))
            pose = message.pose if self._kind == POSE_STAMPED else message.poses[0]
            place, turn = pose.position, pose.orientation
            try:
                taken = (
                    np.array([place.x, place.y, place.z]), rotation_from_quaternion((turn.x, turn.y, turn.z, turn.w)),
                )  # fmt: skip
            except ValueError as error:
                raise BagError(str(error)) from error
        self._numbers.append(number)
        self._commands.append(taken)

    def settle(self, topic: TopicTimes) -> None:
        """Takes when messages happened."""
        self.times_ns, order = topic.usable(np.array(self._numbers, int))
        self._commands = [self._commands[number] for number in order]

    def targets(self, now: Poses, begin_ns: np.ndarray, end_ns: np.ndarray) -> Poses:
        """Where the tcp was asked to be at the ends [N] of steps, which begin at the poses `now` [N]."""
        xyz_m, rotations = now.xyz_m.copy(), now.rotations.copy()
        last = np.searchsorted(self.times_ns, end_ns, "right") - 1
        known = last >= 0
        for step in np.flatnonzero(known):
            command = self._commands[last[step]]
            if self._kind == TWIST_STAMPED:
                pose = self._moved(
                    xyz_m[step], rotations[step], int(begin_ns[step]), int(end_ns[step]), int(last[step])
                )
            elif self._kind == JOINT_TRAJECTORY:
                pose = self._sampled(command, (end_ns[step] - self.times_ns[last[step]]) * 1e-9)
            else:
                pose = command
            xyz_m[step], rotations[step] = pose
        return Poses(xyz_m, rotations, known)

    def _trajectory(self, message: Any) -> tuple[np.ndarray, np.ndarray]:
        """Times (s) and positions [points, joints] of the arm's joints."""
        names = list(message.joint_names)
        if self._kinematics is None:
            raise BagError("joint trajectories need an arm of kind joint_states, whose limits file names its URDF")
        if missing := [name for name in self._joints if name not in names]:
            raise BagError(f"a trajectory lacks {', '.join(missing)}; it has {', '.join(names)}")
        columns = [names.index(name) for name in self._joints]
        points = [point for point in message.points if len(point.positions) == len(names)]
        if not points:
            raise BagError("a trajectory has no points with positions of all its joints")
        times_s = np.array([p.time_from_start.sec + p.time_from_start.nanosec * 1e-9 for p in points])
        return times_s, np.array([[p.positions[column] for column in columns] for p in points])

    def _sampled(self, trajectory: tuple[np.ndarray, np.ndarray], after_s: float) -> tuple[np.ndarray, np.ndarray]:
        times_s, positions = trajectory
        assert self._kinematics is not None
        return self._kinematics.tcp_pose(np.array([np.interp(after_s, times_s, column) for column in positions.T]))

    def _twist(self, message: Any) -> tuple[np.ndarray, bool]:
        """m/s and rad/s [6], and whether in the tcp's own axes."""
        self._check_frame(message.header.frame_id, "twists", (self._arm.frame, self._arm.tcp_frame))
        linear, angular = message.twist.linear, message.twist.angular
        values = np.array([linear.x, linear.y, linear.z, angular.x, angular.y, angular.z]) * self._scale
        if not np.all(np.isfinite(values)):
            raise BagError(f"a twist is {values.tolist()}; expected finite numbers")
        in_tcp = message.header.frame_id.lstrip("/") == self._arm.tcp_frame.lstrip("/")
        return values, in_tcp and self._arm.tcp_frame != self._arm.frame

    def _moved(
        self, xyz_m: np.ndarray, rotation: np.ndarray, begin_ns: int, end_ns: int, last: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where twists lead from a pose within a step of which the command numbered `last` is the last."""
        first = int(np.searchsorted(self.times_ns, begin_ns, "right")) - 1
        for number in range(max(first, 0), last + 1):
            from_ns = max(begin_ns, int(self.times_ns[number]))
            to_ns = min(end_ns, int(self.times_ns[number]) + round(TWIST_HOLDS_S * 1e9))
            if number < last:
                to_ns = min(to_ns, int(self.times_ns[number + 1]))
            twist, in_tcp = self._commands[number]
            move = twist * max(0, to_ns - from_ns) * 1e-9
            linear, turn = (rotation @ move[:3], rotation @ move[3:]) if in_tcp else (move[:3], move[3:])
            xyz_m, rotation = xyz_m + linear, Rotation.from_rotvec(turn).as_matrix() @ rotation
        return xyz_m, rotation

    def _check_frame(self, frame: str, what: str, expected: tuple[str, ...]) -> None:
        names = [name.lstrip("/") for name in expected]
        if frame and self._arm.frame and frame.lstrip("/") not in names:
            raise BagError(f"{what} are in {frame!r}, expected {' or '.join(map(repr, names))}")
