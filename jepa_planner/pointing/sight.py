"""Where points of the base frame are seen by a calibrated camera, and where they lie on what is seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepa_planner.calibration.lens import Lens
from jepa_planner.core.camera_calibration import CameraCalibration

PARALLEL = 1e-6


@dataclass(frozen=True)
class Ray:
    """Through one pixel: where it begins [3] (m, base frame) and its direction [3], of length 1."""

    origin_m: np.ndarray
    direction: np.ndarray

    def at_height(self, z_m: float) -> np.ndarray | None:
        """Where it crosses a height, [3]; None where it never does, or behind the camera."""
        if abs(self.direction[2]) < PARALLEL:
            return None
        along_m = (z_m - self.origin_m[2]) / self.direction[2]
        return self.origin_m + along_m * self.direction if along_m > 0 else None


class Sight:
    """One calibrated camera and pictures of a size, as `CameraCalibration.at_size` takes it."""

    def __init__(self, camera: CameraCalibration, size_px: tuple[int, int]) -> None:
        """size_px: width and height. Raises ValueError for another aspect than it was calibrated with."""
        camera = camera.at_size(*size_px)
        self._lens = Lens.of(camera)
        self._origin_m, self._rotation = np.array(camera.xyz_m), camera.rotation

    def ray(self, xy_px: tuple[float, float]) -> Ray:
        """The ray through a pixel."""
        direction = self._rotation @ np.array([*self._lens.rays(np.array([xy_px]))[0], 1.0])
        return Ray(self._origin_m, direction / np.linalg.norm(direction))

    def pixel(self, point_m: np.ndarray) -> tuple[float, float]:
        """Where a point [3] before the camera is seen."""
        x, y = self._lens.project(self._in_camera(point_m)[None])[0]
        return float(x), float(y)

    def depth_m(self, point_m: np.ndarray) -> float:
        """How far ahead of the camera a point [3] lies."""
        return float(self._in_camera(point_m)[2])

    def _in_camera(self, point_m: np.ndarray) -> np.ndarray:
        return self._rotation.T @ (point_m - self._origin_m)


def nearest_point(one: Ray, other: Ray) -> np.ndarray:
    """The point [3] nearest to two rays; raises ValueError for parallel ones."""
    across = [np.eye(3) - np.outer(ray.direction, ray.direction) for ray in (one, other)]
    if np.linalg.norm(np.cross(one.direction, other.direction)) < PARALLEL:
        raise ValueError("the rays are parallel: they tell no distance")
    right = across[0] @ one.origin_m + across[1] @ other.origin_m
    return np.linalg.solve(across[0] + across[1], right)
