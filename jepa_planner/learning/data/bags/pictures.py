"""Pictures of a bag, decoded when they are wanted, as the model is to see them: put right, cut out, made small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from jepa_planner.core.aspect import Size, same_aspect
from jepa_planner.core.compressed_picture import compressed_pixels
from jepa_planner.core.image_message import ConversionError, rgb_pixels
from jepa_planner.core.message_types import CAMERA_INFO, COMPRESSED_IMAGE, PICTURES
from jepa_planner.core.seen_picture import SeenPicture, lens_of
from jepa_planner.learning.data.bags.message import BagError, Definition
from jepa_planner.learning.data.bags.message_reader import reader_of
from jepa_planner.learning.data.recording import ViewSource

INTERPOLATIONS = {"linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}


@dataclass
class CameraInfos:
    """Takes a camera's calibration: the first one counts."""

    types: tuple[str, ...] = (CAMERA_INFO,)
    first: Any = None

    def take(self, number: int, message: Any, log_ns: int) -> None:
        self.first = self.first or message


@dataclass
class ViewPictures:
    """One view's pictures. size_px: width and height to be made; resize: linear or area."""

    view: str
    topic: str
    msgtype: str
    source: ViewSource
    size_px: Size
    resize: str
    info: Any = None
    """The CameraInfo to rectify by, where the source asks for it."""
    came_px: Size | None = None
    """Size of the first picture; others must have its aspect."""
    _seen: SeenPicture = field(init=False)

    def __post_init__(self) -> None:
        if self.msgtype not in PICTURES:
            raise BagError(
                f"view {self.view}: topic {self.topic} is of {self.msgtype}; expected {' or '.join(PICTURES)}"
            )
        self._seen = SeenPicture(self.source.framing)
        if self.source.rectify:
            if self.info is None:
                raise BagError(
                    f"view {self.view}: nothing was recorded on {self.source.info_topic}, which rectify needs"
                )
            self._seen.lens = lens_of(self.info)

    def pixels(self, data: bytes, definitions: Mapping[str, Definition]) -> np.ndarray:
        """uint8 RGB [height, width, 3] of a message's data; raises BagError saying what is wrong with it."""
        message = reader_of(self.msgtype, definitions)(data)
        try:
            came = pixels_of(message, f"on {self.topic}")
            size_px = came.shape[1], came.shape[0]
            self.came_px = self.came_px or size_px
            if not same_aspect(size_px, self.came_px):
                raise BagError(
                    f"a picture on {self.topic} has {size_px[0]} x {size_px[1]} px, and the first one "
                    f"{self.came_px[0]} x {self.came_px[1]}; expected one aspect"
                )
            return self._small(self._seen.of(came))
        except ConversionError as error:
            raise BagError(f"topic {self.topic}: {error}") from error

    def _small(self, pixels: np.ndarray) -> np.ndarray:
        """The middle in the aspect that is wanted, in the size that is; as `model.preprocess` cuts."""
        width, height = self.size_px
        rows = min(pixels.shape[0], pixels.shape[1] * height // width)
        columns = min(pixels.shape[1], pixels.shape[0] * width // height)
        top, left = (pixels.shape[0] - rows) // 2, (pixels.shape[1] - columns) // 2
        middle = np.ascontiguousarray(pixels[top : top + rows, left : left + columns])
        if (rows, columns) == (height, width):
            return middle
        return cv2.resize(middle, self.size_px, interpolation=INTERPOLATIONS[self.resize])


def pixels_of(message: Any, where: str) -> np.ndarray:
    """uint8 RGB [H, W, 3] of an Image or CompressedImage; where: for errors. Raises ConversionError."""
    if message.__msgtype__ == COMPRESSED_IMAGE:
        return compressed_pixels(message.format, message.data, where)
    return rgb_pixels(
        message.encoding, message.height, message.width, message.step, message.data, bool(message.is_bigendian)
    )
