"""A picture as the model is to see it: rectified, turned, cropped."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from jepa_planner.core.framing import Framing
from jepa_planner.core.rectification import Lens


class SeenPicture:
    """One camera's way from pictures as they come; the maps of a lens are made once."""

    def __init__(self, framing: Framing) -> None:
        self.framing = framing
        self.lens: Lens | None = None
        """What pictures are rectified by; None: they are not."""
        self._maps: tuple[Lens, tuple[int, int], cv2.typing.MatLike, cv2.typing.MatLike] | None = None

    def of(self, came: np.ndarray) -> np.ndarray:
        """uint8 RGB [H, W, 3]; raises ConversionError where lens or crop do not fit the picture."""
        size_px = came.shape[1], came.shape[0]
        if (lens := self.lens) is None:
            return self.framing.of(came)
        if (maps := self._maps) is None or maps[:2] != (lens, size_px):
            x, y = (np.ascontiguousarray(self.framing.of(axis)) for axis in lens.maps(size_px))
            self._maps = maps = (lens, size_px, *cv2.convertMaps(x, y, cv2.CV_16SC2))
        return cv2.remap(came, maps[2], maps[3], cv2.INTER_LINEAR)


def lens_of(message: Any) -> Lens:
    """The lens that a sensor_msgs/CameraInfo tells, by its fields alone."""
    roi = message.roi
    d, k, r, p = (tuple(map(float, numbers)) for numbers in (message.d, message.k, message.r, message.p))
    return Lens(
        width_px=message.width,
        height_px=message.height,
        distortion_model=message.distortion_model,
        distortion=d,
        camera_matrix=k,
        rotation=r,
        projection=p,
        binning=(max(1, message.binning_x), max(1, message.binning_y)),
        offset_px=(roi.x_offset, roi.y_offset),
        crop_px=(roi.width, roi.height),
    )
