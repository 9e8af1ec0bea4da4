"""Pixels of a sensor_msgs/CompressedImage, as image_transport's `compressed` publishes it, from its fields alone."""

from __future__ import annotations

import re
from io import BytesIO

import cv2
import numpy as np

from jepa_planner.core.image_message import (
    MAX_IMAGE_SIDE_PX,
    ConversionError,
    check_encoding,
    eight_bits,
    few_bits,
    rgb_pixels,
)

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
JPEG_END = b"\xff\xd9"
PADDING_BYTES = 64
"""Some cameras fill up what they send."""


def compressed_pixels(kind: str, data: bytes | memoryview, name: str) -> np.ndarray:
    """uint8 RGB [H, W, 3] of a JPEG or PNG, turned as its EXIF orientation says, 16 bits scaled to 8, a mosaic put
    together.

    kind: the field `format`, as "jpeg" or "rgb8; png compressed bgr8": before the semicolon, what was compressed.
    Colours are those that the file says. `name` stands in messages, after "the picture". Raises ConversionError, too,
    for depths, for what is neither JPEG nor PNG, and for what is damaged or cut short.
    """
    encoding = kind.partition(";")[0].strip() if ";" in kind else ""
    if "compressedDepth" in kind or re.match(r"(16|32|64)[USF]C", encoding):
        check_encoding(encoding)
    _check(data, name)
    is_mosaic = encoding.startswith("bayer")
    flags = cv2.IMREAD_ANYDEPTH | (cv2.IMREAD_GRAYSCALE if is_mosaic else cv2.IMREAD_COLOR)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ConversionError(f"the picture {name}, {len(data)} bytes, is damaged: it cannot be decoded")
    if pixels.dtype == np.uint16:
        if says := few_bits(int(pixels.max())):
            raise ConversionError(f"the picture {name} {says}")
        pixels = eight_bits(pixels)
    if is_mosaic:
        height, width = pixels.shape[:2]
        return rgb_pixels(re.sub("16$", "8", encoding), height, width, 0, pixels.tobytes())
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def png(pixels: np.ndarray) -> bytes:
    """A PNG of uint8 RGB [H, W, 3], of which `compressed_pixels` makes the same pixels."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return encoded.tobytes()


def _check(data: bytes | memoryview, name: str) -> None:
    """Raises ConversionError unless it is a whole JPEG or PNG of a size that is taken; its pixels are not read."""
    from PIL import Image

    start = bytes(data[: len(PNG)])
    if not start.startswith((JPEG, PNG)):
        raise ConversionError(f"the picture {name} begins with bytes {start[:4].hex(' ')}, expected a JPEG or a PNG")
    try:
        with Image.open(BytesIO(data)) as picture:
            width, height = picture.size
    except Exception as error:  # decoders of damaged files raise whatever they stumble over
        raise ConversionError(f"the picture {name}, {len(data)} bytes, is damaged: {error}") from error
    if max(width, height) > MAX_IMAGE_SIDE_PX:
        raise ConversionError(f"the picture {name} is {width} x {height} px, expected at most {MAX_IMAGE_SIDE_PX} each")
    if start.startswith(JPEG) and JPEG_END not in bytes(data[-PADDING_BYTES:]):  # decoders make up what is missing
        raise ConversionError(f"the picture {name}, {len(data)} bytes, is damaged: its end is missing")
