"""Forward and inverse kinematics of the arm, through Pinocchio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pinocchio as pin

from jepa_planner.control.description_text import DescriptionText, RobotDescriptionError
from jepa_planner.control.robot_description import Offset, read_arm

POSTURE_SHARE = 0.02
"""Of the way to the posture, what one step of the inverse moves the null space."""
FEWEST_JOINTS, MOST_JOINTS = 5, 7
DAMPING = 1e-6
PLACE_FIRST = np.array([100.0] * 3 + [1.0] * 3)
"""What errors (m, rad) of an arm of five joints weigh."""
SETTLING_STEPS, SETTLED_RAD = 30, 1e-9
"""So many steps of the inverse are enough to come to rest, which is when joints turn by less."""
QUATERNION_SLACK = 1e-3
"""How far from 1 the length of a rotation's quaternion may be."""


@dataclass(frozen=True)
class NearLimit:
    """A joint near a limit (rad), and how far it is beyond the limit's margin: below 0 before it."""

    joint: str
    at_rad: float
    limit_rad: float
    margin_rad: float
    beyond_rad: float

    def __str__(self) -> str:
        side, away_rad = ("beyond", self.beyond_rad) if self.beyond_rad > 5e-4 else ("from", max(0.0, -self.beyond_rad))
        where = f"{self.joint} is {away_rad:.3f} rad {side} its margin"
        return f"{where} (at {self.at_rad:.4f}, limit {self.limit_rad:.4f}, margin {self.margin_rad:g})"


class ArmKinematics:
    """Poses of the tcp in the base frame (`base_frame`, else the description's root) and joint positions [joints] (rad)
    that reach them.

    Rotations are matrices [3, 3] from tcp to base. The inverse is damped least squares, where `posture_rad` [joints] is
    given with a pull of the null space toward it (Siciliano et al., Robotics, 3.5), which converges in one or two steps
    when poses follow each other closely. Limits are those of the description less the margin; continuous joints have
    infinite ones. An arm of five joints goes to the place, and turns its tcp as far as it then can: see
    `nearest_rotation`.
    """

    def __init__(
        self,
        robot_description: str | Path | DescriptionText,
        tcp_frame: str = "tcp",
        joint_margin_rad: float = 0.0,
        posture_rad: Sequence[float] | np.ndarray | None = None,
        base_frame: str | None = None,
    ) -> None:
        if not isinstance(robot_description, DescriptionText):
            robot_description = DescriptionText.read(robot_description)
        self.description = arm = read_arm(robot_description, tcp_frame, joint_margin_rad, base_frame)
        self.joint_names, self.loose_joints = arm.joint_names, arm.loose_joints
        if not FEWEST_JOINTS <= (count := len(self.joint_names)) <= MOST_JOINTS:
            root = "its root" if base_frame is None else "base_frame"
            raise RobotDescriptionError(
                f"{robot_description} has {count} movable joints; expected an arm of {FEWEST_JOINTS} to {MOST_JOINTS} "
                f"between {root} {arm.base_links[0]!r} and tcp_frame {tcp_frame!r}, "
                f"found {', '.join(self.joint_names) or 'none'}"
            )
        try:
            self._model = pin.buildModelFromXML(arm.urdf)
        except ValueError as error:
            raise RobotDescriptionError(f"{robot_description}: {error}") from error
        if arm.base_offsets:
            self._model.jointPlacements[1] = _placement(arm.base_offsets).inverse() * self._model.jointPlacements[1]
        self._data = self._model.createData()
        self._frame = self._model.getFrameId(tcp_frame, pin.FrameType.BODY)
        self.joint_margin_rad = joint_margin_rad
        self.lower_rad = np.array(arm.lower_rad) + joint_margin_rad
        self.upper_rad = np.array(arm.upper_rad) - joint_margin_rad
        self.velocity_rad_s = np.array(arm.velocity_rad_s)
        self._posture_rad = None if posture_rad is None else self._checked_posture(posture_rad)

    def _checked_posture(self, posture_rad: Sequence[float] | np.ndarray) -> np.ndarray:
        posture = np.array(posture_rad, dtype=float)
        if posture.shape != (len(self.joint_names),):
            names = ", ".join(self.joint_names)
            raise ValueError(f"posture_rad has {posture.size} positions, expected one for each of {names}")
        if not (worst := self.nearest_limit(posture)).beyond_rad <= 0.0:
            raise ValueError(f"in posture_rad, {worst}")
        return posture

    def check_base_frame(self, name: str) -> None:
        """Raises RobotDescriptionError where the poses here are not poses in the frame `name`."""
        if name in self.description.other_links:
            raise RobotDescriptionError(
                f"base_frame {name!r} is not the frame in which poses are: expected "
                f"{' or '.join(self.description.base_links)}; or give base_frame: {name} in the limits file, and the "
                "workspace box in that frame"
            )

    def tcp_pose(self, q_rad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position [3] (m) and rotation [3, 3] of the tcp for joint positions [joints]."""
        pin.framesForwardKinematics(self._model, self._data, np.asarray(q_rad, dtype=float))
        pose = self._data.oMf[self._frame]
        return pose.translation.copy(), pose.rotation.copy()

    def joint_points(self, q_rad: np.ndarray) -> np.ndarray:
        """Where each joint is [joints, 3] (m) for joint positions [joints]."""
        pin.forwardKinematics(self._model, self._data, np.asarray(q_rad, dtype=float))
        return np.array([self._data.oMi[joint].translation for joint in range(1, self._model.njoints)])

    def turning_axes(self, q_rad: np.ndarray) -> np.ndarray:
        """The axis [joints, 3] about which each joint turns the tcp, for joint positions [joints]."""
        return self._jacobian(np.asarray(q_rad, dtype=float))[3:].T.copy()

    def turn_rad(self, from_rad: np.ndarray, to_rad: np.ndarray) -> np.ndarray:
        """How far each joint turns between two positions [joints]; a continuous one takes the shorter way around."""
        turn_rad = np.asarray(to_rad) - from_rad
        return np.where(np.isinf(self.upper_rad), np.remainder(turn_rad + np.pi, 2 * np.pi) - np.pi, turn_rad)

    def nearest_limit(self, q_rad: np.ndarray, before_rad: np.ndarray | None = None) -> NearLimit:
        """The joint that is furthest beyond its margin, or nearest to it, at positions [joints].

        before_rad: where the joints were [joints]; one that comes inward from beyond its margin is then no matter.
        """
        above_rad, below_rad = q_rad - self.upper_rad, self.lower_rad - q_rad
        beyond_rad = np.maximum(above_rad, below_rad)
        if before_rad is not None:
            comes_back = beyond_rad < np.maximum(before_rad - self.upper_rad, self.lower_rad - before_rad)
            beyond_rad = np.where(comes_back & (beyond_rad > 0.0), -np.inf, beyond_rad)
        joint = int(np.argmax(beyond_rad))
        above = bool(above_rad[joint] >= below_rad[joint])
        margin_rad = self.joint_margin_rad
        return NearLimit(
            joint=self.joint_names[joint],
            at_rad=float(q_rad[joint]),
            limit_rad=float(self.upper_rad[joint] + margin_rad if above else self.lower_rad[joint] - margin_rad),
            margin_rad=margin_rad,
            beyond_rad=float(max(above_rad[joint], below_rad[joint])),
        )

    def inverse_step(
        self,
        xyz_m: np.ndarray,
        rotation: np.ndarray,
        q_rad: np.ndarray,
        max_step_rad: np.ndarray | float = np.inf,
        max_posture_step_rad: float = np.inf,
    ) -> tuple[np.ndarray, float]:
        """One damped step from `q_rad` toward the pose; returns joint positions and the error left before it.

        Positions are within limits; a joint that is beyond one stays there or comes back no faster than the pose asks.
        The error is the norm of (m, rad) stacked. The null space moves by `max_posture_step_rad` at most, and only as
        far as `max_step_rad` leaves room beside what the pose needs, which neither bounds.
        """
        jacobian = self._jacobian(q_rad)
        pose = self._data.oMf[self._frame]
        error = np.concatenate([xyz_m - pose.translation, pin.log3(rotation @ pose.rotation.T)])
        gram = jacobian @ jacobian.T
        gram.flat[::7] += DAMPING
        if jacobian.shape[1] < len(error):
            step = _place_first(jacobian, error)
        elif self._posture_rad is None:
            step = jacobian.T @ np.linalg.solve(gram, error)
        else:
            pull = POSTURE_SHARE * self.turn_rad(q_rad, self._posture_rad)
            task, projected = (jacobian.T @ np.linalg.solve(gram, np.column_stack([error, jacobian @ pull]))).T
            posture = pull - projected
            most = np.minimum(max_step_rad - np.abs(task), max_posture_step_rad)
            room = most / np.maximum(np.abs(posture), 1e-12)
            step = task + min(1.0, max(0.0, float(np.min(room)))) * posture
        within = np.clip(q_rad + step, np.minimum(self.lower_rad, q_rad), np.maximum(self.upper_rad, q_rad))
        return within, float(np.linalg.norm(error))

    def nearest_rotation(self, xyz_m: np.ndarray, rotation: np.ndarray, q_rad: np.ndarray) -> np.ndarray:
        """The rotation [3, 3] next to one that is asked for which the tcp can have at a place, coming from `q_rad`.

        It is the same but for an arm of five joints, which lacks one direction to turn its tcp in.
        """
        if len(self.joint_names) > FEWEST_JOINTS:
            return rotation
        for _ in range(SETTLING_STEPS):
            before_rad, (q_rad, _) = q_rad, self.inverse_step(xyz_m, rotation, q_rad)
            if np.max(np.abs(q_rad - before_rad)) < SETTLED_RAD:
                break
        return self.tcp_pose(q_rad)[1]

    def distance_to_singularity(self, q_rad: np.ndarray) -> float:
        """Smallest singular value of the Jacobian (m and rad mixed): 0 where some motion of the tcp is impossible."""
        return float(np.linalg.svd(self._jacobian(q_rad), compute_uv=False)[-1])

    def _jacobian(self, q_rad: np.ndarray) -> np.ndarray:
        """[6, joints] in axes of the base frame at the tcp; places the tcp frame as well."""
        axes = pin.ReferenceFrame.LOCAL_WORLD_ALIGNED
        jacobian = pin.computeFrameJacobian(self._model, self._data, q_rad, self._frame, axes)
        pin.updateFramePlacement(self._model, self._data, self._frame)
        return jacobian

    def reach(self) -> tuple[np.ndarray, float]:
        """Where the first joint is [3] (m), and from there a distance (m) that the tcp never exceeds."""
        places = [*self._model.jointPlacements[2:], self._model.frames[self._frame].placement]
        length_m = sum(np.linalg.norm(place.translation) for place in places)
        return self._model.jointPlacements[1].translation.copy(), float(length_m)

    def inverse(
        self,
        xyz_m: np.ndarray,
        rotation: np.ndarray,
        q_seed_rad: np.ndarray,
        tolerance: float = 1e-5,
        max_steps: int = 100,
    ) -> np.ndarray:
        """Joint positions [joints] that reach the pose from a seed; raises ValueError when the pose is out of reach."""
        q = np.clip(np.asarray(q_seed_rad, dtype=float), self.lower_rad, self.upper_rad)
        error = np.inf
        for _ in range(max_steps):
            q, error = self.inverse_step(xyz_m, rotation, q)
            if error < tolerance:
                return q
        raise ValueError(
            f"no joint positions within limits reach tcp {np.round(xyz_m, 3)}: "
            f"still {error:.4f} (m, rad) away after {max_steps} steps"
        )


def _place_first(jacobian: np.ndarray, error: np.ndarray) -> np.ndarray:
    """The joints' step [joints] to a place, and within what that leaves free toward a rotation: error [6] (m, rad)."""
    weighed = PLACE_FIRST[:, None] * jacobian
    return weighed.T @ np.linalg.solve(weighed @ weighed.T + DAMPING * np.eye(len(error)), PLACE_FIRST * error)


def _placement(offsets: Sequence[Offset]) -> pin.SE3:
    """Where the last of frames is, each given in the one before."""
    placement = pin.SE3.Identity()
    for xyz_m, rpy_rad in offsets:
        placement = placement * pin.SE3(rotation_from_rpy(np.array(rpy_rad)), np.array(xyz_m))
    return placement


def rotation_from_rpy(rpy_rad: np.ndarray) -> np.ndarray:
    """Rotation matrix [3, 3] of extrinsic "xyz" angles [3]."""
    return pin.rpy.rpyToMatrix(np.asarray(rpy_rad, dtype=float))


def rpy_from_rotation(rotation: np.ndarray) -> np.ndarray:
    """Extrinsic "xyz" angles [3] of a rotation matrix [3, 3]."""
    return pin.rpy.matrixToRpy(rotation)


def rotation_from_quaternion(xyzw: Sequence[float]) -> np.ndarray:
    """Rotation matrix [3, 3] of a quaternion [4], real part last; raises ValueError unless it has length 1."""
    parts = np.asarray(xyzw, dtype=float)
    length = float(np.linalg.norm(parts))
    if not abs(length - 1.0) <= QUATERNION_SLACK:  # not a number is none either
        raise ValueError(f"orientation {parts.tolist()} has length {length:g}; expected a unit quaternion")
    return pin.Quaternion(*np.roll(parts / length, 1)).matrix()


def quaternion_from_rotation(rotation: np.ndarray) -> np.ndarray:
    """Quaternion [4], real part last, of a rotation matrix [3, 3]."""
    return pin.Quaternion(rotation).normalized().coeffs()


def rotation_vector(rotation: np.ndarray) -> np.ndarray:
    """Axis times angle [3] of a rotation matrix [3, 3]."""
    return pin.log3(rotation)


def rotation_from_vector(vector_rad: np.ndarray) -> np.ndarray:
    """Rotation matrix [3, 3] of axis times angle [3]."""
    return pin.exp3(np.asarray(vector_rad, dtype=float))
