"""Cameras that look at the workspace from fixed places, or from the wrist, and their intrinsics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jepa_planner_sim.bullet import pybullet
from jepa_planner_sim.scene import CameraShift

NO_SHIFT = CameraShift()


@dataclass(frozen=True)
class Camera:
    """A pinhole camera in the base frame (m, degrees); the picture is square, `up` is +z."""

    eye_m: tuple[float, float, float]
    target_m: tuple[float, float, float]
    field_of_view_deg: float

    def view_matrix(self, shift: CameraShift = NO_SHIFT) -> list[float]:
        """OpenGL view matrix (16 numbers, column-major) of the camera after a shift."""
        eye = np.array(self.eye_m) + np.array(shift.xyz_m)
        forward = np.array(self.target_m) - np.array(self.eye_m)
        distance = np.linalg.norm(forward)
        forward = forward / distance
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        up = np.cross(right, forward)
        forward = forward + np.tan(shift.pan_rad) * right + np.tan(shift.tilt_rad) * up
        return pybullet.computeViewMatrix(list(eye), list(eye + distance * forward), [0.0, 0.0, 1.0])

    def projection_matrix(self) -> list[float]:
        """OpenGL projection matrix (16 numbers, column-major)."""
        return pybullet.computeProjectionMatrixFOV(self.field_of_view_deg, 1.0, 0.1, 3.0)

    def project(self, points_m: np.ndarray) -> np.ndarray:
        """Where points [N, 3] (base frame) appear in a picture of side 1, from its top left corner: [N, 2]."""
        view = np.array(self.view_matrix()).reshape(4, 4).T
        in_camera = points_m @ view[:3, :3].T + view[:3, 3]
        focal = 0.5 / np.tan(np.deg2rad(self.field_of_view_deg) / 2.0)
        depth = -in_camera[:, 2:3]
        return 0.5 + focal * in_camera[:, :2] / depth * [1.0, -1.0]

    def intrinsics(self, size_px: int) -> np.ndarray:
        """Camera matrix K [3, 3] in pixels for a square picture."""
        focal = size_px / (2.0 * np.tan(np.deg2rad(self.field_of_view_deg) / 2.0))
        return np.array([[focal, 0.0, size_px / 2.0], [0.0, focal, size_px / 2.0], [0.0, 0.0, 1.0]])


@dataclass(frozen=True)
class WristCamera(Camera):
    """A camera on the gripper: eye and target in the tcp's frame."""

    def at(self, xyz_m: np.ndarray, rotation: np.ndarray) -> Camera:
        """The camera as it stands in the base frame with the tcp at a position [3] and rotation [3, 3]."""
        eye, target = (tuple(xyz_m + rotation @ np.array(point)) for point in (self.eye_m, self.target_m))
        return Camera(eye, target, self.field_of_view_deg)


STANDARD_CAMERAS: dict[str, Camera] = {
    "front": Camera(eye_m=(1.15, 0.0, 0.52), target_m=(0.47, 0.0, 0.085), field_of_view_deg=34.0),
    "side": Camera(eye_m=(0.42, -0.82, 0.50), target_m=(0.50, 0.0, 0.085), field_of_view_deg=32.0),
}
"""The two views of the shipped model; the workspace fills their pictures."""
WRIST = "wrist"
CAMERAS: dict[str, Camera] = STANDARD_CAMERAS | {
    WRIST: WristCamera(eye_m=(0.10, 0.0, 0.10), target_m=(0.02, 0.0, 0.0), field_of_view_deg=60.0)
}
"""All there are; the third looks past the fingers at what lies before them."""


def optical_pose(view_matrix: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Where a camera stands in the base frame by its OpenGL view matrix (16 numbers, column-major): its place [3] (m),
    and the rotation [3, 3] of its optical frame, z forward, x right, y down.
    """
    view = np.array(view_matrix).reshape(4, 4).T
    return -view[:3, :3].T @ view[:3, 3], view[:3, :3].T @ np.diag([1.0, -1.0, -1.0])


def cameras_named(names: Sequence[str]) -> dict[str, Camera]:
    """Some of CAMERAS in the order of their names; raises ValueError for one that is not there, or no name at all."""
    if not names or set(names) - set(CAMERAS) or len(set(names)) < len(names):
        given = ", ".join(names) or "none"
        raise ValueError(f"views are {given}; expected some of {', '.join(CAMERAS)}, each once")
    return {name: CAMERAS[name] for name in names}
