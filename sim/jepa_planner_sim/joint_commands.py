"""What the simulated motors were told last: trajectories become a setpoint per simulation step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

FINGER_OPEN_M = 0.04


class JointCommands:
    """Follows the points of the newest trajectory in straight lines, as a joint trajectory controller does."""

    FINGERS = ("panda_finger_joint1", "panda_finger_joint2")

    def __init__(self, q_rad: np.ndarray, closure: float) -> None:
        self._q_rad = np.array(q_rad, dtype=float)
        self._times_s = np.zeros(1)
        self._path_rad = self._q_rad[None]
        self._passed_s = 0.0
        self._closure = closure
        self.quiet_s = np.inf

    def move_arm(self, message: Any, joint_names: Sequence[str]) -> None:
        """Takes a trajectory_msgs/JointTrajectory for all arm joints (rad); raises ValueError for any other."""
        index = {name: i for i, name in enumerate(message.joint_names)}
        if missing := [name for name in joint_names if name not in index]:
            raise ValueError(f"trajectory lacks {', '.join(missing)}")
        path = _positions(message)[:, [index[name] for name in joint_names]]
        times_s = [point.time_from_start.sec + point.time_from_start.nanosec * 1e-9 for point in message.points]
        if min(times_s) < 0.0 or any(late <= early for early, late in pairwise(times_s)):
            raise ValueError(f"times from start must grow from point to point, got {times_s}")
        self._times_s, self._path_rad = np.array([0.0, *times_s]), np.concatenate([self._q_rad[None], path])
        self._passed_s = self.quiet_s = 0.0

    def move_gripper(self, message: Any) -> None:
        """Takes a trajectory for the first finger joint (m); raises ValueError for any other."""
        if list(message.joint_names) != [self.FINGERS[0]]:
            raise ValueError(f"gripper command names {list(message.joint_names)}, expected {self.FINGERS[0]!r}")
        self._closure = float(np.clip(1.0 - _positions(message)[-1, 0] / FINGER_OPEN_M, 0.0, 1.0))
        self.quiet_s = 0.0

    def tick(self, period_s: float) -> tuple[np.ndarray, float]:
        """The setpoint of the next simulation step: joint positions [7] (rad) and closure."""
        self._passed_s += period_s
        self.quiet_s += period_s
        after = int(np.searchsorted(self._times_s, self._passed_s, side="left"))
        if after == len(self._times_s):
            self._q_rad = self._path_rad[-1]
        else:
            early_s, late_s = self._times_s[after - 1 : after + 1]
            share = (self._passed_s - early_s) / (late_s - early_s)
            self._q_rad = (1.0 - share) * self._path_rad[after - 1] + share * self._path_rad[after]
        return self._q_rad, self._closure


def _positions(message: Any) -> np.ndarray:
    """Positions [points, joints] of a trajectory."""
    if not message.points:
        raise ValueError("trajectory has no points")
    joints = len(message.joint_names)
    if any(len(point.positions) != joints for point in message.points):
        raise ValueError(f"trajectory needs {joints} positions per point")
    positions = np.array([point.positions for point in message.points], dtype=float)
    if not np.all(np.isfinite(positions)):
        raise ValueError(f"trajectory needs {joints} finite positions per point, got {positions.tolist()}")
    return positions
