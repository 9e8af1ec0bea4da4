"""Pixels of a sensor_msgs/Image, from its fields alone: of messages of rclpy, and of those read from a bag."""

from __future__ import annotations

import numpy as np

CHANNELS_BY_ENCODING = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1}
MAX_IMAGE_SIDE_PX = 8192


class ConversionError(ValueError):
    """A message does not hold what its fields promise."""


def rgb_pixels(encoding: str, height: int, width: int, step: int, data: bytes | memoryview) -> np.ndarray:
    """uint8 RGB [H, W, 3]; step: bytes per row, 0 for rows without padding. Raises ConversionError."""
    channels = CHANNELS_BY_ENCODING.get(encoding)
    if channels is None:
        known = ", ".join(CHANNELS_BY_ENCODING)
        raise ConversionError(f"image encoding is {encoding!r}, expected one of {known}")
    if not (0 < height <= MAX_IMAGE_SIDE_PX and 0 < width <= MAX_IMAGE_SIDE_PX):
        raise ConversionError(f"image is {width} x {height} px, expected 1 to {MAX_IMAGE_SIDE_PX} each")
    row = width * channels
    step = step or row
    if step < row or len(data) != step * height:
        raise ConversionError(
            f"image has {len(data)} bytes in rows of {step}, expected {height} rows of at least {row} bytes"
        )
    pixels = np.frombuffer(data, dtype=np.uint8).reshape(height, step)[:, :row].reshape(height, width, channels)
    if channels == 1:
        return np.repeat(pixels, 3, axis=2)
    rgb = pixels[..., :3]
    return np.ascontiguousarray(rgb[..., ::-1] if encoding.startswith("bgr") else rgb)
