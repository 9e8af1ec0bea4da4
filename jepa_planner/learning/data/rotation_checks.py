"""Whether angles are roll, pitch and yaw: quaternions, rotation vectors and other orders turn otherwise than asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.arm_layout import RPY
from jepa_planner.core.poses import roll_pitch_yaw, rotation_matrix
from jepa_planner.learning.data.correlation import LEAST_STEPS, NO_MOTION, correlation, explains, tamed
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.finding import Finding, refused

TURNS = 0.05
"""Spread of an angle (rad) from which on it is not the same throughout."""
SURE = 0.97
"""A reading of angles is believed from this r on even where the expected one is not bad."""


def check_rotations(episodes: Episodes) -> Iterator[Finding]:
    """What angles are instead of those that are expected, where that explains what the actions asked for."""
    commanded, angles = episodes.actions[..., RPY], episodes.states[..., RPY]
    lengths = np.linalg.norm(episodes.states[..., 3:7], axis=-1)
    if angles.reshape(-1, 3).std(axis=0).max() > TURNS and np.abs(lengths - 1.0).max() < NO_MOTION:
        yield refused(
            "states: roll, pitch, yaw and closure_commanded have together a length of 1 throughout: are they a "
            "quaternion? expected three angles (rad, extrinsic xyz) and 0 (open) to 1 (closed)"
        )
        return
    if (np.abs(commanded).max(axis=-1) > NO_MOTION).sum() < LEAST_STEPS:
        return
    r = correlation(commanded, _turns(rotation_matrix, angles))
    fits = {reading_name: correlation(commanded, _turns(matrix, angles)) for reading_name, matrix in READINGS.items()}
    reading_name = max(fits, key=lambda reading: fits[reading])
    if _is_read_so(r, fits[reading_name]):
        yield refused(
            f"states: roll, pitch and yaw are {reading_name}, expected angles (rad, extrinsic xyz): their changes and "
            f"droll_rad, dpitch_rad, dyaw_rad have r {r:.2f} as they are and {fits[reading_name]:.2f} if read so"
        )
        return
    differences = (np.diff(angles, axis=1) + np.pi) % (2 * np.pi) - np.pi
    if _is_read_so(r, own := correlation(commanded, tamed(differences))):
        yield refused(
            "actions: droll_rad, dpitch_rad, dyaw_rad are differences of the angles, expected those of the turn from "
            f"one state to the next, about the base's axes: r {r:.2f} with that and {own:.2f} with the differences"
        )


def _is_read_so(expected: float, other: float) -> bool:
    """What angles really are leaves next to nothing unexplained; turns taken for others can look much alike."""
    return explains(expected, other) or (expected < SURE < other and (1 - other**2) < 0.3 * (1 - expected**2))


def _turns(matrix: Callable[[Tensor], Tensor], angles: np.ndarray) -> np.ndarray:
    """Roll, pitch and yaw [E, T, 3] of the turns between states whose angles [E, T+1, 3] are read in some way."""
    rotations = matrix(torch.from_numpy(angles.astype(np.float64)))
    return tamed(roll_pitch_yaw(rotations[:, 1:] @ rotations[:, :-1].transpose(-1, -2)).numpy())


def _of_vector(vector: Tensor) -> Tensor:
    """[.., 3], axis times angle in rad, to [.., 3, 3]."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.matrix_exp(torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3)))


def _of_quaternion(xyz: Tensor) -> Tensor:
    """The first three numbers [.., 3] of unit quaternions whose fourth is not negative, to [.., 3, 3]."""
    size = xyz.norm(dim=-1, keepdim=True).clamp(1e-9, 1.0)
    return _of_vector(xyz / size * 2.0 * size.asin())


READINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "a rotation vector (axis times angle)": _of_vector,
    "yaw, pitch and roll, in that order": lambda angles: rotation_matrix(angles.flip(-1)),
    "x, y and z of a quaternion": _of_quaternion,
}
"""What three numbers may be instead, and the rotation matrices that they then stand for."""
