"""Pixels of compressed pictures, by the names that image_transport gives them."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from jepa_planner.core.compressed_picture import compressed_pixels
from jepa_planner.core.image_message import ConversionError

COLUMNS, ROWS = np.meshgrid(np.arange(48), np.arange(32))
RGB = np.stack([2 * COLUMNS + 100, 5 * ROWS + 20, 200 - COLUMNS - ROWS], axis=-1).astype(np.uint8)
BGR = np.ascontiguousarray(RGB[..., ::-1])
GREY = RGB[..., 0]


def encoded(pixels: np.ndarray, ending: str = ".png") -> bytes:
    """As OpenCV writes it, which takes colours as BGR."""
    return cv2.imencode(ending, pixels)[1].tobytes()


@pytest.mark.parametrize("kind", ["jpeg", "jpg", "rgb8; jpeg compressed bgr8", "bgr8; jpeg compressed bgr8"])
def test_a_jpeg_has_the_colours_that_were_compressed(kind):
    np.testing.assert_allclose(compressed_pixels(kind, encoded(BGR, ".jpg"), "").astype(int), RGB, atol=6)


KINDS = "png", "rgb8; png compressed bgr8", "bgr8; png compressed ", "bgra8; png compressed bgr8"


@pytest.mark.parametrize("kind", KINDS)
def test_a_png_has_them_to_the_last_bit(kind):
    np.testing.assert_array_equal(compressed_pixels(kind, encoded(BGR), ""), RGB)


def test_grey_and_deep_pictures_are_taken_whatever_compressed_them():
    grey = np.repeat(GREY[..., None], 3, axis=2)
    np.testing.assert_array_equal(compressed_pixels("mono8; png compressed ", encoded(GREY), ""), grey)
    np.testing.assert_allclose(compressed_pixels("mono8; jpeg compressed ", encoded(GREY, ".jpg"), ""), grey, atol=4)
    deep = GREY.astype(np.uint16) * 257
    np.testing.assert_array_equal(compressed_pixels("mono16; png compressed ", encoded(deep), ""), grey)
    np.testing.assert_array_equal(
        compressed_pixels("rgb16; png compressed bgr16", encoded(BGR.astype(np.uint16) * 257), ""), RGB
    )


@pytest.mark.parametrize("deep", [False, True])
def test_a_mosaic_is_put_together_after_it_was_decompressed(deep):
    mosaic = np.tile(np.array([[200, 100], [100, 30]], np.uint8), (6, 8))
    data = encoded(mosaic.astype(np.uint16) * 257 if deep else mosaic)
    found = compressed_pixels(f"bayer_rggb{16 if deep else 8}; png compressed ", data, "")
    np.testing.assert_array_equal(found, np.broadcast_to(np.uint8([200, 100, 30]), (12, 16, 3)))


def test_a_picture_is_turned_as_its_orientation_says():
    turned, file = Image.Exif(), BytesIO()
    turned[0x0112] = 6
    Image.fromarray(RGB).save(file, "JPEG", exif=turned, quality=95)
    found = compressed_pixels("jpeg", file.getvalue(), "")
    np.testing.assert_allclose(found.astype(int), np.rot90(RGB, -1), atol=20)


WHOLE = encoded(BGR, ".jpg")
FLAWED = bytearray(encoded(BGR))
FLAWED[len(FLAWED) // 2] ^= 255


@pytest.mark.parametrize(
    ("kind", "data", "says"),
    [
        ("jpeg", WHOLE[:-80], "the picture on x, .* bytes, is damaged: its end is missing"),
        ("jpeg", WHOLE[: len(WHOLE) // 2], "is damaged"),
        ("jpeg", WHOLE[:30], "is damaged"),
        ("png", encoded(BGR)[:200], "is damaged"),
        ("png", bytes(FLAWED), "is damaged"),
        ("jpeg", b"", "begins with bytes , expected a JPEG or a PNG"),
        ("rgb8; h264", b"\x00\x00\x00\x01gD", "begins with bytes 00 00 00 01, expected a JPEG or a PNG"),
        ("16UC1; compressedDepth png", encoded(BGR), "image encoding is '16UC1', expected one of rgb8, "),
        ("32FC1; png compressed ", encoded(BGR), "image encoding is '32FC1', expected one of rgb8, "),
        ("mono16; png compressed ", encoded(np.full((4, 4), 4000, np.uint16)), "on x has 16 bits, but its brightest"),
    ],
    ids=lambda part: part if isinstance(part, str) else len(part),
)
def test_what_is_damaged_or_no_picture_is_refused_by_name(kind, data, says):
    with pytest.raises(ConversionError, match=says):
        compressed_pixels(kind, data, "on x")


def test_zeros_behind_the_end_of_a_jpeg_do_not_matter():
    np.testing.assert_array_equal(compressed_pixels("jpeg", WHOLE + bytes(7), ""), compressed_pixels("jpeg", WHOLE, ""))


def test_a_huge_picture_is_refused_before_its_pixels_are_read():
    with pytest.raises(ConversionError, match="is 9000 x 10 px, expected at most 8192 each"):
        compressed_pixels("png", encoded(np.zeros((10, 9000), np.uint8)), "")
