"""What the simulated motors were told last: trajectories become a setpoint per simulation step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.interpolate import BSpline, CubicHermiteSpline, PPoly, make_interp_spline

FINGER_OPEN_M = 0.04
AT_ONCE_S = 1e-9
"""When a point is passed that is due at the start."""


class JointCommands:
    """Follows the newest trajectory from where it told the motors to be, as a joint trajectory controller does that has
    `interpolate_from_desired_state`: on cubic curves between points with velocities, else in straight lines.
    """

    FINGERS = ("panda_finger_joint1", "panda_finger_joint2")

    def __init__(self, q_rad: np.ndarray, closure: float) -> None:
        self._q_rad = np.array(q_rad, dtype=float)
        self._dq_rad_s = np.zeros_like(self._q_rad)
        self._curve: PPoly | BSpline | None = None
        self._passed_s = 0.0
        self._closure = closure
        self.quiet_s = np.inf

    def move_arm(self, message: Any, joint_names: Sequence[str]) -> None:
        """Takes a trajectory_msgs/JointTrajectory for all arm joints (rad); raises ValueError for any other."""
        index = {name: i for i, name in enumerate(message.joint_names)}
        if missing := [name for name in joint_names if name not in index]:
            raise ValueError(f"trajectory lacks {', '.join(missing)}")
        order = [index[name] for name in joint_names]
        times_s = [point.time_from_start.sec + point.time_from_start.nanosec * 1e-9 for point in message.points]
        if times_s and (min(times_s) < 0.0 or any(late <= early for early, late in pairwise(times_s))):
            raise ValueError(f"times from start must grow from point to point, got {times_s}")
        times_s = [0.0, *(max(time_s, AT_ONCE_S) for time_s in times_s)]
        path_rad = np.concatenate([self._q_rad[None], _numbers(message, "positions")[:, order]])
        if any(len(point.velocities) for point in message.points):
            paces_rad_s = np.concatenate([self._dq_rad_s[None], _numbers(message, "velocities")[:, order]])
            self._curve = CubicHermiteSpline(times_s, path_rad, paces_rad_s)
        else:
            self._curve = make_interp_spline(times_s, path_rad, k=1)
        self._end_s, self._pace = times_s[-1], self._curve.derivative()
        self._passed_s = self.quiet_s = 0.0

    def move_gripper(self, message: Any) -> None:
        """Takes a trajectory for the first finger joint (m); raises ValueError for any other."""
        if list(message.joint_names) != [self.FINGERS[0]]:
            raise ValueError(f"gripper command names {list(message.joint_names)}, expected {self.FINGERS[0]!r}")
        self._closure = float(np.clip(1.0 - _numbers(message, "positions")[-1, 0] / FINGER_OPEN_M, 0.0, 1.0))
        self.quiet_s = 0.0

    def tick(self, period_s: float) -> tuple[np.ndarray, float]:
        """The setpoint of the next simulation step: joint positions [7] (rad) and closure."""
        self._passed_s += period_s
        self.quiet_s += period_s
        if self._curve is not None:
            is_under_way = self._passed_s < self._end_s
            self._q_rad = self._curve(self._passed_s if is_under_way else self._end_s)
            self._dq_rad_s = self._pace(self._passed_s) if is_under_way else np.zeros_like(self._q_rad)
        return self._q_rad, self._closure


def _numbers(message: Any, kind: str) -> np.ndarray:
    """Positions or velocities [points, joints] of a trajectory."""
    if not message.points:
        raise ValueError("trajectory has no points")
    joints, given = len(message.joint_names), [getattr(point, kind) for point in message.points]
    if any(len(numbers) != joints for numbers in given):
        raise ValueError(f"trajectory needs {joints} {kind} per point")
    numbers = np.array(given, dtype=float)
    if not np.all(np.isfinite(numbers)):
        raise ValueError(f"trajectory needs {joints} finite {kind} per point, got {numbers.tolist()}")
    return numbers
