"""Pixels of a sensor_msgs/Image, from its fields alone: of messages of rclpy, and of those read from a bag."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np


class Layout(NamedTuple):
    """Numbers per pixel, and how OpenCV makes RGB of them; None: they are RGB."""

    channels: int
    to_rgb: int | None


COLOURS = {
    "rgb": Layout(3, None), "bgr": Layout(3, cv2.COLOR_BGR2RGB), "rgba": Layout(4, cv2.COLOR_RGBA2RGB),
    "bgra": Layout(4, cv2.COLOR_BGRA2RGB), "mono": Layout(1, cv2.COLOR_GRAY2RGB),
    "bayer_rggb": Layout(1, cv2.COLOR_BayerRGGB2RGB), "bayer_bggr": Layout(1, cv2.COLOR_BayerBGGR2RGB),
    "bayer_gbrg": Layout(1, cv2.COLOR_BayerGBRG2RGB), "bayer_grbg": Layout(1, cv2.COLOR_BayerGRBG2RGB),
}  # fmt: skip
UYVY, YUYV = Layout(2, cv2.COLOR_YUV2RGB_UYVY), Layout(2, cv2.COLOR_YUV2RGB_YUY2)
LAYOUTS = {f"{name}{bits}": layout for bits in (8, 16) for name, layout in COLOURS.items()} | {
    "8UC1": COLOURS["mono"], "nv12": Layout(1, cv2.COLOR_YUV2RGB_NV12), "nv21": Layout(1, cv2.COLOR_YUV2RGB_NV21),
    "yuv422": UYVY, "uyvy": UYVY, "yuv422_yuy2": YUYV, "yuyv": YUYV,
}  # fmt: skip
"""Of the encodings that are taken, by the names of sensor_msgs."""
IN_PLANES = ("nv12", "nv21")
"""Below the rows of brightness stand half as many with the colours of two by two pixels."""
LEAST_BAYER_SIDE_PX = 3
"""Of a smaller mosaic OpenCV makes black."""
MAX_IMAGE_SIDE_PX = 8192
HOW_TO_CONVERT = {
    "bayer": "its colours are still apart: take the topic that debayer_node of image_proc publishes",
    "yuv": "have the camera driver publish rgb8 or bgr8",
    "nv": "have the camera driver publish rgb8 or bgr8",
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
    """uint8 RGB [H, W, 3], 16 bits scaled to 8, alpha left out, colours of a mosaic put together; raises
    ConversionError.

    step: bytes per row, 0 for rows without padding. is_bigendian: the order of bytes in 16 bits.
    """
    check_encoding(encoding)
    if not (0 < height <= MAX_IMAGE_SIDE_PX and 0 < width <= MAX_IMAGE_SIDE_PX):
        raise ConversionError(f"image is {width} x {height} px, expected 1 to {MAX_IMAGE_SIDE_PX} each")
    (channels, to_rgb), is_deep = LAYOUTS[encoding], encoding.endswith("16")
    if encoding.startswith("bayer") and min(height, width) < LEAST_BAYER_SIDE_PX:
        raise ConversionError(f"image of encoding {encoding} is {width} x {height} px, expected at least 3 each")
    if (channels == UYVY.channels or encoding in IN_PLANES) and width % 2:
        raise ConversionError(f"image of encoding {encoding} is {width} px wide, expected an even number")
    if encoding in IN_PLANES and height % 2:
        raise ConversionError(f"image of encoding {encoding} is {height} px high, expected an even number")
    row, rows = width * channels * (1 + is_deep), height * 3 // 2 if encoding in IN_PLANES else height
    step = step or row
    if step < row or len(data) != step * rows:
        raise ConversionError(
            f"image has {len(data)} bytes in rows of {step}, expected {rows} rows of at least {row} bytes"
        )
    pixels = np.frombuffer(data, dtype=np.uint8).reshape(rows, step)[:, :row]
    if is_deep:
        pixels = np.ascontiguousarray(pixels).view(">u2" if is_bigendian else "<u2").astype(np.uint16)
    pixels = pixels.reshape(rows, width, channels)
    if is_deep:
        if says := few_bits(int(pixels[..., :3].max())):
            raise ConversionError(f"image of encoding {encoding} {says}")
        pixels = eight_bits(pixels)
    return np.ascontiguousarray(pixels) if to_rgb is None else cv2.cvtColor(pixels, to_rgb)


def check_encoding(encoding: str) -> None:
    """Raises ConversionError saying what is taken and how to get there, unless the encoding is taken."""
    if encoding not in LAYOUTS:
        how = next(advice for start, advice in HOW_TO_CONVERT.items() if encoding.startswith(start))
        raise ConversionError(f"image encoding is {encoding!r}, expected one of {', '.join(LAYOUTS)}: {how}")


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
    return cv2.convertScaleAbs(values, alpha=1 / 257)
