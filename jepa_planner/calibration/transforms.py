"""Poses as matrices [4, 4], named `a_from_b`: what leads from places in frame b to places in frame a."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

SMALL_TURN_RAD = 1e-4


def transform(xyz_m: Sequence[float] | np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """The pose with a position [3] and a rotation matrix [3, 3]."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, xyz_m
    return pose


def from_quaternion(xyz_m: Sequence[float], quaternion_xyzw: Sequence[float]) -> np.ndarray:
    """The pose with a position [3] and a quaternion [4], real part last."""
    return transform(xyz_m, Rotation.from_quat(quaternion_xyzw).as_matrix())


def quaternion_xyzw(pose: np.ndarray) -> tuple[float, float, float, float]:
    """Of a pose, real part last."""
    x, y, z, w = map(float, Rotation.from_matrix(pose[:3, :3]).as_quat())
    return x, y, z, w


def xyz_m(pose: np.ndarray) -> tuple[float, float, float]:
    """Of a pose."""
    x, y, z = map(float, pose[:3, 3])
    return x, y, z


def inverse(pose: np.ndarray) -> np.ndarray:
    """`b_from_a` of `a_from_b`, of one or many [.., 4, 4]."""
    turned = np.swapaxes(pose[..., :3, :3], -1, -2)
    back = np.zeros_like(pose)
    back[..., :3, :3], back[..., 3, 3] = turned, 1.0
    back[..., :3, 3] = -np.einsum("...ij,...j->...i", turned, pose[..., :3, 3])
    return back


def moved(pose: np.ndarray, points_m: np.ndarray) -> np.ndarray:
    """Points [N, 3] of frame b in frame a."""
    return points_m @ pose[:3, :3].T + pose[:3, 3]


def from_vector(numbers: np.ndarray) -> np.ndarray:
    """The pose of [6]: axis times angle (rad), position (m)."""
    return transform(numbers[3:], Rotation.from_rotvec(numbers[:3]).as_matrix())


def to_vector(pose: np.ndarray) -> np.ndarray:
    """[6]: axis times angle (rad), position (m)."""
    return np.concatenate([Rotation.from_matrix(pose[:3, :3]).as_rotvec(), pose[:3, 3]])


def turn_rad(pose: np.ndarray) -> float:
    """The angle of a pose's rotation."""
    return float(Rotation.from_matrix(pose[:3, :3]).magnitude())


def cross(vectors: np.ndarray) -> np.ndarray:
    """Matrices [.., 3, 3] that multiply by the cross product with vectors [.., 3]."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    none = np.zeros_like(x)
    return np.stack([none, -z, y, z, none, -x, -y, x, none], axis=-1).reshape(*vectors.shape, 3)


def turn_by_vector(rotation_vector: np.ndarray) -> np.ndarray:
    """[3, 3]: the small turn, left of a rotation, by which a small change of its vector [3] changes it."""
    angle, skew = float(np.linalg.norm(rotation_vector)), cross(rotation_vector)
    if angle < SMALL_TURN_RAD:
        return np.eye(3) + skew / 2 + skew @ skew / 6
    first, second = (1 - np.cos(angle)) / angle**2, (angle - np.sin(angle)) / angle**3
    return np.eye(3) + first * skew + second * skew @ skew
