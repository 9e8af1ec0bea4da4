"""Runs a motion in thought before its first setpoint leaves: can the joints follow, and where must it be slower?"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jepa_planner.control.kinematics import ArmKinematics, rotation_vector
from jepa_planner.control.limits import SafetyLimits

LAG_M, LAG_RAD = 0.002, 0.01
"""How far the joints may be behind the tcp's profile."""
SLOWEST = 0.1
"""Share of its speed that is left to an arm at a joint's margin or in a singularity."""


class UnreachableError(ValueError):
    """A motion leads where the joints cannot follow; the message names the joint."""


class TrajectoryValidation:
    """Judges motions of the tcp by what the joints would have to do.

    A joint has its full speed (the robot description's, times `joint_velocity_scale`) until it comes within
    `joint_slowdown_rad` of a limit's margin; on the rest of the way toward it, its speed falls with the distance, to
    SLOWEST. Near a singularity all joints slow down in the same way.
    """

    def __init__(self, kinematics: ArmKinematics, limits: SafetyLimits) -> None:
        self._kinematics = kinematics
        self._limits = limits
        self.max_speed_rad_s = kinematics.velocity_rad_s * limits.joint_velocity_scale

    def step(self, xyz_m: np.ndarray, rotation: np.ndarray, q_rad: np.ndarray, period_s: float) -> np.ndarray:
        """Joint positions [joints] a period after q_rad [joints], on the way to a tcp pose.

        What the pose needs is not bounded here; the null space starts, turns and stops within the tcp's angular
        acceleration limit.
        """
        posture_step_rad = self._limits.angular_acceleration_rad_s2 * period_s**2
        max_step_rad = self.max_speed_rad_s * period_s
        return self._kinematics.inverse_step(xyz_m, rotation, q_rad, max_step_rad, posture_step_rad)[0]

    def too_fast_by(self, path: Iterable[tuple[np.ndarray, np.ndarray]], q_rad: np.ndarray, period_s: float) -> float:
        """How many times too fast a path would be at its worst moment; at most 1: within the limits.

        path: tcp positions [3] (m) and rotations [3, 3], one each period_s, from joint positions q_rad [joints] on.
        Raises UnreachableError where the joints would stay behind.
        """
        worst = 0.0
        for xyz_m, rotation in path:
            before_rad = q_rad
            q_rad = self.step(xyz_m, rotation, q_rad, period_s)
            self._check_reached(xyz_m, rotation, q_rad, before_rad)
            speeds_rad_s = (q_rad - before_rad) / period_s
            worst = max(worst, float(np.max(np.abs(speeds_rad_s) / self.allowed_speed_rad_s(q_rad, speeds_rad_s))))
        return worst

    def allowed_speed_rad_s(self, q_rad: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """The speed [joints] that each joint may have at q_rad [joints] when it turns in a direction [joints]."""
        ahead_rad = np.where(direction > 0.0, self._kinematics.upper_rad - q_rad, q_rad - self._kinematics.lower_rad)
        near_limit = np.clip(ahead_rad / self._limits.joint_slowdown_rad, SLOWEST, 1.0)
        distance = self._kinematics.distance_to_singularity(q_rad)
        return self.max_speed_rad_s * near_limit * np.clip(distance / self._limits.singularity_slowdown, SLOWEST, 1.0)

    def _check_reached(
        self, xyz_m: np.ndarray, rotation: np.ndarray, q_rad: np.ndarray, before_rad: np.ndarray
    ) -> None:
        if not lags(self._kinematics, xyz_m, rotation, q_rad):
            return
        worst = self._kinematics.nearest_limit(q_rad, before_rad)
        advice = "jog it inward" if worst.beyond_rad > 0.0 else "choose a target further from the joint limits"
        raise UnreachableError(f"the joints cannot follow to tcp {np.round(xyz_m, 3).tolist()}: {worst}: {advice}")


def lags(kinematics: ArmKinematics, xyz_m: np.ndarray, rotation: np.ndarray, q_rad: np.ndarray) -> bool:
    """Whether joint positions [joints] leave the tcp further from a pose than LAG_M and LAG_RAD."""
    reached_m, reached = kinematics.tcp_pose(q_rad)
    away_m, turned_rad = np.linalg.norm(xyz_m - reached_m), np.linalg.norm(rotation_vector(rotation @ reached.T))
    return bool(away_m > LAG_M or turned_rad > LAG_RAD)
