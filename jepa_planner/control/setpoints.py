"""What goes into and comes out of the stream of setpoints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepa_planner.control.kinematics import rpy_from_rotation


@dataclass(frozen=True)
class Setpoint:
    """What the arm is told at one tick: joints (rad, rad/s), the same as a tcp pose in the base frame, and the
    gripper.
    """

    q_rad: np.ndarray
    dq_rad_s: np.ndarray
    xyz_m: np.ndarray
    rotation: np.ndarray
    linear_velocity_m_s: np.ndarray
    angular_velocity_rad_s: np.ndarray
    closure: float
    moving: bool

    @property
    def rpy_rad(self) -> np.ndarray:
        """Extrinsic "xyz" angles of the tcp."""
        return rpy_from_rotation(self.rotation)


@dataclass(frozen=True)
class JointPoint:
    """Joint positions and velocities (rad, rad/s), so long after the setpoint that they follow."""

    after_s: float
    q_rad: np.ndarray
    dq_rad_s: np.ndarray


@dataclass(frozen=True)
class Target:
    """A tcp pose in the base frame (m, rotation [3, 3]) and a closure, clipped to the limits."""

    xyz_m: np.ndarray
    rotation: np.ndarray
    closure: float
