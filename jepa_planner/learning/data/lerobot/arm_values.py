"""Numbers of a dataset as poses of the tcp (m, rad, extrinsic xyz, base frame) and closures (0 open, 1 closed)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from jepa_planner.control.gripper import Ends
from jepa_planner.control.kinematics import ArmKinematics, rpy_from_rotation
from jepa_planner.learning.data.lerobot.layout import DatasetError, Info
from jepa_planner.learning.data.lerobot.mapping import AngleUnit, ArmChannels, constant, place_of

SURELY_RAD, SURELY_DEG = (1.0, 2 * math.pi), 4 * math.pi
"""Angles that reach so far, and no further, are in radians, and those that reach further in degrees; the others may be
either.
"""
OFF_UNIT = 0.02
"""How far from 1 a quaternion may be that is one."""
BEYOND_RAD = 0.1
"""How far beyond a joint's limit it may be measured."""
BEYOND_ENDS = 0.25
"""Of the way between its ends, how far beyond them a gripper may be measured."""

Columns = Mapping[str, np.ndarray]


def values(info: Info, columns: Columns, channels: Sequence[str]) -> np.ndarray:
    """The numbers of channels [N, C] of an episode's rows."""
    count = len(columns["index"])
    taken: list[np.ndarray] = []
    for channel in channels:
        if (always := constant(channel)) is not None:
            taken.append(np.full(count, always))
            continue
        key, number = place_of(info, channel)
        column = columns[key].reshape(count, -1)
        if number >= column.shape[1]:
            raise DatasetError(f"{channel}: rows hold {column.shape[1]} numbers, meta/info.json says more")
        taken.append(column[:, number])
    return np.stack(taken, axis=1).astype(float)


def found_angle_unit(channels: ArmChannels, turns: np.ndarray, whose: str) -> AngleUnit:
    """rad or deg, from how far angles [.., C] reach; raises DatasetError where they might be either."""
    reach = float(np.abs(turns).max(initial=0.0))
    if SURELY_RAD[0] <= reach <= SURELY_RAD[1]:
        return "rad"
    if reach > SURELY_DEG:
        return "deg"
    names = ", ".join(channels.joints or channels.orientation)
    raise DatasetError(
        f"{names} reach {reach:.3g}, which may be radians or degrees: tell --angles rad or --angles deg, or "
        f"{whose}.angle_unit in the mapping"
    )


def poses(channels: ArmChannels, numbers: np.ndarray, arm: ArmKinematics | None) -> np.ndarray:
    """Poses [N, 6] of numbers [N, C], those of `pose_channels`; angle_unit must be told.

    Raises DatasetError for quaternions that are none, and for joints that the arm cannot have.
    """
    if channels.joints:
        assert arm is not None, "joints need an arm"
        return _of_joints(channels, numbers, arm)
    xyz = numbers[:, :3] * channels.metres_per_unit
    return np.concatenate([xyz, _roll_pitch_yaw(channels, numbers[:, 3:])], axis=1)


def pose_channels(channels: ArmChannels) -> tuple[str, ...]:
    """Of which `poses` takes the numbers."""
    return channels.joints or (*channels.position, *channels.orientation)


def measured_closures(numbers: np.ndarray, ends: Ends, channel: str) -> np.ndarray:
    """How far a gripper has closed [N]; raises DatasetError for values far beyond its ends."""
    closed = (numbers - ends.open) / (ends.closed - ends.open)
    if (beyond := np.abs(closed - 0.5) - 0.5).max(initial=0.0) > BEYOND_ENDS:
        raise DatasetError(
            f"{channel} is {numbers[int(beyond.argmax())]:.4g}, far beyond {ends.open:g} (open) to {ends.closed:g} "
            "(closed): are the gripper's ends (--gripper OPEN CLOSED) right?"
        )
    return closed


def told_closures(numbers: np.ndarray, ends: Ends) -> np.ndarray:
    """How far a gripper shall close [N]: who presses harder does not close it further."""
    return np.clip((numbers - ends.open) / (ends.closed - ends.open), 0.0, 1.0)


def _roll_pitch_yaw(channels: ArmChannels, turns: np.ndarray) -> np.ndarray:
    if channels.orientation_is == "rpy":
        return np.radians(turns) if channels.angle_unit == "deg" else turns
    if channels.orientation_is == "rotation_vector":
        rotations = Rotation.from_rotvec(turns, degrees=channels.angle_unit == "deg")
    else:
        xyzw = turns if channels.orientation_is == "quaternion_xyzw" else np.roll(turns, -1, axis=1)
        off = np.abs(np.linalg.norm(xyzw, axis=1) - 1.0)
        if not (off <= OFF_UNIT).all():
            row = int(np.argmax(off))
            raise DatasetError(
                f"{', '.join(channels.orientation)} are {np.round(turns[row], 3).tolist()} in row {row}, expected a "
                "quaternion of length 1"
            )
        rotations = Rotation.from_quat(xyzw)
    return np.array([rpy_from_rotation(matrix) for matrix in rotations.as_matrix()])


def _of_joints(channels: ArmChannels, numbers: np.ndarray, arm: ArmKinematics) -> np.ndarray:
    if len(channels.joints) != len(arm.joint_names):
        raise DatasetError(
            f"joints names {len(channels.joints)} channels, and the arm has {len(arm.joint_names)}: "
            f"{', '.join(arm.joint_names)}"
        )
    joints_rad = np.radians(numbers) if channels.angle_unit == "deg" else numbers
    margin = arm.joint_margin_rad + BEYOND_RAD
    beyond = np.maximum(joints_rad - (arm.upper_rad + margin), (arm.lower_rad - margin) - joints_rad)
    if beyond.max(initial=-1.0) > 0.0:
        row, joint = np.unravel_index(int(beyond.argmax()), beyond.shape)
        raise DatasetError(
            f"{channels.joints[joint]} is {numbers[row, joint]:.4g} {channels.angle_unit} in row {row}, beyond the "
            f"limits of {arm.joint_names[joint]}: are the names, the unit (--angles) and the arm (--limits) right?"
        )
    placed = [arm.tcp_pose(q_rad) for q_rad in joints_rad]
    return np.array([[*xyz_m, *rpy_from_rotation(rotation)] for xyz_m, rotation in placed])
