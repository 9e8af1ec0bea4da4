"""How a camera projects: OpenCV's models, by the names of sensor_msgs/CameraInfo."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from jepa_planner.core.camera_calibration import CameraCalibration

ORIGIN = np.zeros(3)
EQUIDISTANT = "equidistant"
MODELS = {"plumb_bob": 5, "rational_polynomial": 8, EQUIDISTANT: 4}
"""Numbers of distortion that are found for each."""
TURNS, LONGEST_STEP = 20, 0.3
"""Of the iteration that takes distortion out."""


@dataclass(frozen=True)
class Lens:
    """Size of the pictures (px), focal lengths and centre [4] (px), and the model's numbers of distortion."""

    width_px: int
    height_px: int
    model: str
    focal_and_centre_px: np.ndarray
    distortion: np.ndarray

    @classmethod
    def of(cls, camera: CameraCalibration) -> Lens:
        """That of a calibrated camera."""
        (fx, _, cx), (_, fy, cy), _ = camera.camera_matrix
        return cls.given(
            camera.width_px, camera.height_px, camera.distortion_model, (fx, fy, cx, cy), camera.distortion
        )

    @classmethod
    def given(cls, width_px: int, height_px: int, model: str, focal_and_centre_px, distortion) -> Lens:
        """With as many numbers of distortion as the model has, zeros for those that are left out."""
        numbers = np.zeros(MODELS[model])
        numbers[: len(distortion)] = distortion
        return cls(width_px, height_px, model, np.array(focal_and_centre_px, float), numbers)

    @property
    def matrix(self) -> np.ndarray:
        """[3, 3]."""
        fx, fy, cx, cy = self.focal_and_centre_px
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])

    @property
    def numbers(self) -> np.ndarray:
        """All that is found: focal lengths, centre, distortion."""
        return np.concatenate([self.focal_and_centre_px, self.distortion])

    def with_numbers(self, numbers: np.ndarray) -> Lens:
        """The same size and model with other numbers."""
        return Lens(self.width_px, self.height_px, self.model, numbers[:4], numbers[4:])

    def project(self, points_m: np.ndarray) -> np.ndarray:
        """Pixels [N, 2] of points [N, 3] in the camera's frame."""
        return self.project_with_slopes(points_m)[0]

    def project_with_slopes(self, points_m: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixels [N, 2], and how they change with the points [N, 2, 3] and with the lens's numbers [N, 2, 4 + n]."""
        points = np.ascontiguousarray(points_m, float).reshape(-1, 1, 3)
        if self.model == EQUIDISTANT:
            pixels, slopes = cv2.fisheye.projectPoints(points, ORIGIN, ORIGIN, self.matrix, self.distortion)
            by_place, by_lens = slopes[:, 11:14], slopes[:, :8]
        else:
            pixels, slopes = cv2.projectPoints(points, ORIGIN, ORIGIN, self.matrix, self.distortion)
            by_place, by_lens = slopes[:, 3:6], slopes[:, 6 : 10 + len(self.distortion)]
        count = len(points)
        return pixels.reshape(count, 2), by_place.reshape(count, 2, 3), by_lens.reshape(count, 2, -1)

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """Where rays through pixels [N, 2] cross the plane one metre ahead, [N, 2], by Newton's method: distortion of
        any strength is taken out, as long as it leaves every place in front of the camera with a pixel of its own.
        """
        pixels = np.asarray(pixels, float).reshape(-1, 2)
        at = (pixels - self.focal_and_centre_px[2:]) / self.focal_and_centre_px[:2]
        for _ in range(TURNS):
            seen, by_place, _ = self.project_with_slopes(np.column_stack([at, np.ones(len(at))]))
            step = np.linalg.solve(by_place[:, :, :2], (pixels - seen)[..., None])[..., 0]
            at = at + step * np.minimum(1.0, LONGEST_STEP / np.maximum(np.linalg.norm(step, axis=1), 1e-12))[:, None]
        return at
