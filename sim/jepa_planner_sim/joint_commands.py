"""What the simulated motors were told last: trajectories become a setpoint per simulation step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

FINGER_OPEN_M = 0.04


class JointCommands:
    """Follows the last point of each trajectory in a straight line, as a joint trajectory controller does."""

    FINGERS = ("panda_finger_joint1", "panda_finger_joint2")

    def __init__(self, q_rad: np.ndarray, closedness: float) -> None:
        self._q_rad = np.array(q_rad, dtype=float)
        self._target_rad = self._q_rad
        self._left_s = 0.0
        self._closedness = closedness
        self.quiet_s = np.inf

    def move_arm(self, message: Any, joint_names: Sequence[str]) -> None:
        """Takes a trajectory_msgs/JointTrajectory for all arm joints (rad); raises ValueError for any other."""
        index = {name: i for i, name in enumerate(message.joint_names)}
        if missing := [name for name in joint_names if name not in index]:
            raise ValueError(f"trajectory lacks {', '.join(missing)}")
        positions = _last_positions(message)
        self._target_rad = positions[[index[name] for name in joint_names]]
        ahead = message.points[-1].time_from_start
        self._left_s = max(0.0, ahead.sec + ahead.nanosec * 1e-9)
        self.quiet_s = 0.0

    def move_gripper(self, message: Any) -> None:
        """Takes a trajectory for the first finger joint (m); raises ValueError for any other."""
        if list(message.joint_names) != [self.FINGERS[0]]:
            raise ValueError(f"gripper command names {list(message.joint_names)}, expected {self.FINGERS[0]!r}")
        self._closedness = float(np.clip(1.0 - _last_positions(message)[0] / FINGER_OPEN_M, 0.0, 1.0))
        self.quiet_s = 0.0

    def tick(self, period_s: float) -> tuple[np.ndarray, float]:
        """The setpoint of the next simulation step: joint positions [7] (rad) and closedness."""
        share = 1.0 if self._left_s <= period_s else period_s / self._left_s
        self._q_rad = self._q_rad + share * (self._target_rad - self._q_rad)
        self._left_s = max(0.0, self._left_s - period_s)
        self.quiet_s += period_s
        return self._q_rad, self._closedness


def _last_positions(message: Any) -> np.ndarray:
    if not message.points:
        raise ValueError("trajectory has no points")
    positions = np.array(message.points[-1].positions, dtype=float)
    if positions.shape != (len(message.joint_names),) or not np.all(np.isfinite(positions)):
        raise ValueError(f"trajectory needs {len(message.joint_names)} finite positions, got {positions.tolist()}")
    return positions
