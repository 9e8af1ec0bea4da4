"""Pixels of a sensor_msgs/Image, from its fields alone: of messages of rclpy, and of those read from a bag."""

from __future__ import annotations

import numpy as np

CHANNELS_BY_ENCODING = {
    "rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "8UC1": 1,
    "rgb16": 3, "bgr16": 3, "rgba16": 4, "bgra16": 4, "mono16": 1,
}  # fmt: skip
MAX_IMAGE_SIDE_PX = 8192
HOW_TO_CONVERT = {
    "bayer": "its colours are still apart: take the topic that debayer_node of image_proc publishes",
    "yuv": "have the camera driver publish rgb8 or bgr8",
    "nv": "have the camera driver publish rgb8 or bgr8",
    "uyvy": "have the camera driver publish rgb8 or bgr8",
    "yuyv": "have the camera driver publish rgb8 or bgr8",
    "8UC": "it does not say which channel is red: have the publisher call it rgb8, bgr8, rgba8 or bgra8",
    "": "where pixels are depths or other measures, take the camera's colour topic",
}
"""What to do about an encoding that begins so; the first that fits."""
DARKEST_WHITE = 1 << 12
"""A picture of 16 bits whose brightest pixel is below this is of a camera with 10 or 12 bits, or of depths in mm."""


class ConversionError(ValueError):
    """A message does not hold what its fields promise."""


def rgb_pixels(
    encoding: str, height: int, width: int, step: int, data: bytes | memoryview, is_bigendian: bool = False
) -> np.ndarray:
    """uint8 RGB [H, W, 3], 16 bits scaled to 8, alpha left out; raises ConversionError.

    step: bytes per row, 0 for rows without padding. is_bigendian: the order of bytes in 16 bits.
    """
    check_encoding(encoding)
    if not (0 < height <= MAX_IMAGE_SIDE_PX and 0 < width <= MAX_IMAGE_SIDE_PX):
        raise ConversionError(f"image is {width} x {height} px, expected 1 to {MAX_IMAGE_SIDE_PX} each")
    channels, is_deep = CHANNELS_BY_ENCODING[encoding], encoding.endswith("16")
    row = width * channels * (1 + is_deep)
    step = step or row
    if step < row or len(data) != step * height:
        raise ConversionError(
            f"image has {len(data)} bytes in rows of {step}, expected {height} rows of at least {row} bytes"
        )
    pixels = np.frombuffer(data, dtype=np.uint8).reshape(height, step)[:, :row]
    if is_deep:
        values = np.ascontiguousarray(pixels).view(">u2" if is_bigendian else "<u2")
        if says := few_bits(int(values[:, : width * channels].reshape(height, width, channels)[..., :3].max())):
            raise ConversionError(f"image of encoding {encoding} {says}")
        pixels = eight_bits(values)
    pixels = pixels.reshape(height, width, channels)
    if channels == 1:
        return np.repeat(pixels, 3, axis=2)
    rgb = pixels[..., :3]
    return np.ascontiguousarray(rgb[..., ::-1] if encoding.startswith("bgr") else rgb)


def check_encoding(encoding: str) -> None:
    """Raises ConversionError saying what is taken and how to get there, unless the encoding is taken."""
    if encoding not in CHANNELS_BY_ENCODING:
        how = next(advice for start, advice in HOW_TO_CONVERT.items() if encoding.startswith(start))
        raise ConversionError(
            f"image encoding is {encoding!r}, expected one of {', '.join(CHANNELS_BY_ENCODING)}: {how}"
        )


def few_bits(brightest: int) -> str | None:
    """What is wrong with a picture of 16 bits whose brightest pixel is this one, or None; black ones may be."""
    if not 0 < brightest < DARKEST_WHITE:
        return None
    return (
        f"has 16 bits, but its brightest pixel is {brightest} of 65535: it shows depths, or comes from a camera with "
        "10 or 12 bits; scale it to all 16, or have it with 8"
    )


def eight_bits(values: np.ndarray) -> np.ndarray:
    """Of 0 to 65535 as uint8: white stays white."""
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
