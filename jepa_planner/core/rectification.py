"""Where the pixels of a picture without lens distortion stand in the picture that the camera took.

As image_proc does it: REP 104 and sensor_msgs/CameraInfo say what the numbers mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from jepa_planner.core.image_message import ConversionError

COEFFICIENTS = {"plumb_bob": (4, 5), "rational_polynomial": (8, 12, 14), "equidistant": (4,)}
"""Of the distortion models that are taken, how many numbers they may have; none at all: no distortion."""


@dataclass(frozen=True)
class Lens:
    """What a sensor_msgs/CameraInfo says of a camera; matrices row by row, px.

    binning, offset_px and crop_px: of the pictures that are published, where they are no whole ones (REP 104).
    """

    width_px: int
    height_px: int
    distortion_model: str
    distortion: tuple[float, ...]
    camera_matrix: tuple[float, ...]
    rotation: tuple[float, ...] = (0.0,) * 9
    projection: tuple[float, ...] = (0.0,) * 12
    binning: tuple[int, int] = (1, 1)
    offset_px: tuple[int, int] = (0, 0)
    crop_px: tuple[int, int] = (0, 0)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the pictures that are published."""
        whole = self.width_px, self.height_px
        width, height = (cropped or all_ for cropped, all_ in zip(self.crop_px, whole, strict=True))
        return width // self.binning[0], height // self.binning[1]

    def maps(self, size_px: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """x and y (px) in the picture taken, float32 [H, W] each, for each pixel of the rectified one of the same size.

        Raises ConversionError where nothing can be made of it, or pictures have another size than it says.
        """
        self._check(size_px)
        matrix, projection = np.reshape(self.camera_matrix, (3, 3)), np.reshape(self.projection, (3, 4))[:, :3]
        rotation = np.reshape(self.rotation, (3, 3)) if any(self.rotation) else np.eye(3)
        matrix = self._published(matrix)
        wanted = self._published(projection) if projection[0, 0] else matrix
        is_equidistant = self.distortion_model == "equidistant" and len(self.distortion) > 0
        numbers = np.array(self.distortion if is_equidistant or any(self.distortion) else ())
        make = cv2.fisheye.initUndistortRectifyMap if is_equidistant else cv2.initUndistortRectifyMap
        x, y = make(matrix, numbers, rotation, wanted, size_px, cv2.CV_32FC1)
        return x, y

    def _published(self, matrix: np.ndarray) -> np.ndarray:
        """A matrix for the pictures that are published: whole ones are cropped, and then binned."""
        moved = matrix - np.pad(np.reshape(self.offset_px, (2, 1)), ((0, 1), (2, 0)))
        return np.diag([1.0 / self.binning[0], 1.0 / self.binning[1], 1.0]) @ moved

    def _check(self, size_px: tuple[int, int]) -> None:
        matrices = (*self.camera_matrix, *self.distortion, *self.rotation, *self.projection)
        if not np.all(np.isfinite(matrices)) or self.camera_matrix[0] <= 0 or self.camera_matrix[4] <= 0:
            raise ConversionError(
                "camera_info holds no calibration (its matrix k has no focal lengths): calibrate the camera, or leave "
                "rectify at false"
            )
        known, count = COEFFICIENTS.get(self.distortion_model), len(self.distortion)
        if any(self.distortion) and known is None:
            raise ConversionError(
                f"camera_info has distortion_model {self.distortion_model!r}, expected one of {', '.join(COEFFICIENTS)}"
            )
        if count and known is not None and count not in known:
            numbers = " or ".join(map(str, known))
            raise ConversionError(
                f"camera_info has {count} numbers in d, expected {numbers} of {self.distortion_model}"
            )
        if size_px != self.size_px:
            (width, height), (told_width, told_height) = size_px, self.size_px
            raise ConversionError(
                f"camera_info is of pictures of {told_width} x {told_height} px, and this one has {width} x {height}: "
                "rectify needs the calibration of the pictures that are published"
            )
