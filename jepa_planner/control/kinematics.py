"""Forward and inverse kinematics of the arm, through Pinocchio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pinocchio as pin

NOMINAL_POSTURE_RAD = np.array([0.0, -0.30, 0.0, -2.30, 0.0, 2.00, 0.785])
"""Elbow-up posture of the Panda with the gripper down over the middle of the table; its null space is pulled there."""


class ArmKinematics:
    """Poses of the tcp in the base frame and the joint positions [joints] (rad) that reach them.

    Rotations are matrices [3, 3] from tcp to base. The inverse is damped least squares with a pull of the null space
    toward the nominal posture (Siciliano et al., Robotics, 3.5), which converges in one or two steps when poses
    follow each other closely. An arm of six joints has no null space; seven joints are taken for a Panda's.
    """

    def __init__(self, robot_description: str | Path, tcp_frame: str = "tcp", joint_margin_rad: float = 0.0) -> None:
        self._model = pin.buildModelFromUrdf(str(robot_description))
        self._data = self._model.createData()
        if not self._model.existFrame(tcp_frame):
            frames = ", ".join(f.name for f in self._model.frames)
            raise ValueError(f"{robot_description} has no frame {tcp_frame!r}; its frames are {frames}")
        self._frame = self._model.getFrameId(tcp_frame)
        self.joint_names = tuple(self._model.names[1:])
        if len(self.joint_names) not in (6, 7):
            raise ValueError(
                f"{robot_description} has {len(self.joint_names)} movable joints; expected an arm of 6 or 7"
            )
        self._has_null_space = len(self.joint_names) == len(NOMINAL_POSTURE_RAD)
        self.lower_rad = self._model.lowerPositionLimit + joint_margin_rad
        self.upper_rad = self._model.upperPositionLimit - joint_margin_rad
        self.velocity_rad_s = np.array(self._model.velocityLimit)

    def tcp_pose(self, q_rad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position [3] (m) and rotation [3, 3] of the tcp for joint positions [joints]."""
        pin.framesForwardKinematics(self._model, self._data, np.asarray(q_rad, dtype=float))
        pose = self._data.oMf[self._frame]
        return pose.translation.copy(), pose.rotation.copy()

    def inverse_step(
        self, xyz_m: np.ndarray, rotation: np.ndarray, q_rad: np.ndarray, max_step_rad: np.ndarray | float = np.inf
    ) -> tuple[np.ndarray, float]:
        """One damped step from `q_rad` toward the pose; returns joint positions within limits and the error left
        before it.

        The error is the norm of (m, rad) stacked. The null space moves only as far as `max_step_rad` leaves room beside
        what the pose needs, which it does not bound.
        """
        jacobian = self._jacobian(q_rad)
        pose = self._data.oMf[self._frame]
        error = np.concatenate([xyz_m - pose.translation, pin.log3(rotation @ pose.rotation.T)])
        gram = jacobian @ jacobian.T
        gram.flat[::7] += 1e-6
        if not self._has_null_space:
            step = jacobian.T @ np.linalg.solve(gram, error)
        else:
            pull = 0.02 * (NOMINAL_POSTURE_RAD - q_rad)
            task, projected = (jacobian.T @ np.linalg.solve(gram, np.column_stack([error, jacobian @ pull]))).T
            posture = pull - projected
            room = (max_step_rad - np.abs(task)) / np.maximum(np.abs(posture), 1e-12)
            step = task + min(1.0, max(0.0, float(np.min(room)))) * posture
        return np.clip(q_rad + step, self.lower_rad, self.upper_rad), float(np.linalg.norm(error))

    def distance_to_singularity(self, q_rad: np.ndarray) -> float:
        """Smallest singular value of the Jacobian (m and rad mixed): 0 where some motion of the tcp is impossible."""
        return float(np.linalg.svd(self._jacobian(q_rad), compute_uv=False)[-1])

    def _jacobian(self, q_rad: np.ndarray) -> np.ndarray:
        """[6, joints] in axes of the base frame at the tcp; places the tcp frame as well."""
        axes = pin.ReferenceFrame.LOCAL_WORLD_ALIGNED
        jacobian = pin.computeFrameJacobian(self._model, self._data, q_rad, self._frame, axes)
        pin.updateFramePlacement(self._model, self._data, self._frame)
        return jacobian

    def inverse(
        self,
        xyz_m: np.ndarray,
        rotation: np.ndarray,
        q_seed_rad: np.ndarray,
        tolerance: float = 1e-5,
        max_steps: int = 100,
    ) -> np.ndarray:
        """Joint positions [joints] that reach the pose from a seed; raises ValueError when the pose is out of reach."""
        q = np.asarray(q_seed_rad, dtype=float)
        error = np.inf
        for _ in range(max_steps):
            q, error = self.inverse_step(xyz_m, rotation, q)
            if error < tolerance:
                return q
        raise ValueError(
            f"no joint positions within limits reach tcp {np.round(xyz_m, 3)}: "
            f"still {error:.4f} (m, rad) away after {max_steps} steps"
        )


def rotation_from_rpy(rpy_rad: np.ndarray) -> np.ndarray:
    """Rotation matrix [3, 3] of extrinsic "xyz" angles [3]."""
    return pin.rpy.rpyToMatrix(np.asarray(rpy_rad, dtype=float))


def rpy_from_rotation(rotation: np.ndarray) -> np.ndarray:
    """Extrinsic "xyz" angles [3] of a rotation matrix [3, 3]."""
    return pin.rpy.matrixToRpy(rotation)


def rotation_vector(rotation: np.ndarray) -> np.ndarray:
    """Axis times angle [3] of a rotation matrix [3, 3]."""
    return pin.log3(rotation)


def rotation_from_vector(vector_rad: np.ndarray) -> np.ndarray:
    """Rotation matrix [3, 3] of axis times angle [3]."""
    return pin.exp3(np.asarray(vector_rad, dtype=float))
