"""Pixels of image messages, from the fields alone."""

import numpy as np
import pytest

from jepa_planner.core.image_message import ConversionError, rgb_pixels

RGB = np.array([[[0, 1, 2], [100, 101, 102]], [[253, 254, 255], [9, 8, 7]]], np.uint8)


def bytes_of(pixels: np.ndarray, kind: str) -> bytes:
    return (pixels.astype(kind) * (257 if kind.endswith("2") else 1)).tobytes()


@pytest.mark.parametrize(
    ("encoding", "kind", "is_bigendian"),
    [("8", "u1", False), ("16", "<u2", False), ("16", ">u2", True)],
)
def test_colours_come_out_in_their_order_and_alpha_is_left_out(encoding, kind, is_bigendian):
    alpha = np.full((2, 2, 1), 50, np.uint8)
    orders = {"rgb": RGB, "bgr": RGB[..., ::-1]}
    orders |= {f"{name}a": np.concatenate([pixels, alpha], axis=2) for name, pixels in orders.items()}
    for name, pixels in orders.items():
        found = rgb_pixels(name + encoding, 2, 2, 0, bytes_of(pixels, kind), is_bigendian)
        np.testing.assert_array_equal(found, RGB)
        assert found.dtype == np.uint8


def test_sixteen_bits_are_rounded_to_eight_and_rows_may_be_padded():
    values = np.array([[0, 127 * 257, 65535, 256]], "<u2")
    padded = np.concatenate([values.view(np.uint8), np.full((1, 3), 9, np.uint8)], axis=1)
    assert rgb_pixels("mono16", 1, 4, 11, padded.tobytes())[0, :, 2].tolist() == [0, 127, 255, 1]


def test_one_channel_of_eight_bits_is_grey_by_either_name():
    for encoding in ("mono8", "8UC1"):
        assert rgb_pixels(encoding, 1, 2, 0, b"\x07\xff").tolist() == [[[7] * 3, [255] * 3]]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("order", ["rggb", "bggr", "gbrg", "grbg"])
def test_the_colours_of_a_mosaic_are_put_together(order, bits):
    colour = {"r": 200, "g": 100, "b": 30}
    mosaic = np.tile(np.array([colour[name] for name in order]).reshape(2, 2), (3, 4))
    found = rgb_pixels(f"bayer_{order}{bits}", 6, 8, 0, bytes_of(mosaic, "u1" if bits == 8 else "<u2"))
    np.testing.assert_array_equal(found, np.broadcast_to(np.uint8([200, 100, 30]), (6, 8, 3)))


@pytest.mark.parametrize(
    ("encoding", "values"),
    [
        *((name, [90, 60, 200, 120]) for name in ("yuv422", "uyvy")),
        *((name, [60, 90, 120, 200]) for name in ("yuv422_yuy2", "yuyv")),
    ],
)
def test_two_pixels_share_their_colour_as_bt_601_says(encoding, values):
    found = rgb_pixels(encoding, 1, 2, 0, bytes(values))
    np.testing.assert_allclose(found.astype(int), [[[166, 8, 0], [236, 77, 44]]], atol=1)


@pytest.mark.parametrize(("encoding", "colours"), [("nv12", [90, 200]), ("nv21", [200, 90])])
@pytest.mark.parametrize("padding", [0, 3])
def test_four_pixels_share_their_colour_in_planes(encoding, colours, padding):
    rows = np.pad(np.uint8([[60, 120], [60, 120], colours]), ((0, 0), (0, padding)))
    found = rgb_pixels(encoding, 2, 2, 2 + padding, rows.tobytes())
    np.testing.assert_allclose(found.astype(int), [[[166, 8, 0], [236, 77, 44]]] * 2, atol=1)


@pytest.mark.parametrize(
    ("encoding", "width", "says"),
    [
        ("nv12", 3, "nv12 is 3 px wide, expected an even number"),
        ("nv21", 4, "image has 32 bytes in rows of 4, expected 6 rows of at least 4 bytes"),
        ("bayer_rggb8", 2, "bayer_rggb8 is 2 x 4 px, expected at least 3 each"),
        ("yuv422", 3, "yuv422 is 3 px wide, expected an even number"),
    ],
)
def test_a_picture_too_small_for_its_colours_is_refused(encoding, width, says):
    with pytest.raises(ConversionError, match=says):
        rgb_pixels(encoding, 4, width, 0, bytes(4 * width * 2))


@pytest.mark.parametrize(
    ("encoding", "how"),
    [
        ("16UC1", "where pixels are depths or other measures, take the camera's colour topic"),
        ("32FC1", "take the camera's colour topic"),
        ("bayer_rggb12", "take the topic that debayer_node of image_proc publishes"),
        ("yuv444", "have the camera driver publish rgb8 or bgr8"),
        ("nv24", "have the camera driver publish rgb8 or bgr8"),
        ("8UC3", "it does not say which channel is red: have the publisher call it rgb8, bgr8"),
        ("", "take the camera's colour topic"),
    ],
)
def test_what_is_not_taken_is_refused_with_what_is_and_how_to_get_there(encoding, how):
    with pytest.raises(ConversionError, match=f"is '{encoding}', expected one of rgb8, .*, yuyv: .*{how}"):
        rgb_pixels(encoding, 1, 1, 0, bytes(8))


def test_rows_of_sixteen_bits_that_are_too_short_are_refused():
    with pytest.raises(ConversionError, match="6 bytes in rows of 3, expected 2 rows of at least 6 bytes"):
        rgb_pixels("rgb16", 2, 1, 3, bytes(6))


@pytest.mark.parametrize(("encoding", "channels"), [("mono16", 1), ("rgb16", 3), ("bgra16", 4)])
def test_ten_or_twelve_bits_that_call_themselves_sixteen_are_refused_and_black_is_not(encoding, channels):
    values = np.zeros((2, 2, channels), "<u2")
    assert rgb_pixels(encoding, 2, 2, 0, values.tobytes()).max() == 0
    values[1, 0, 0] = 4095
    with pytest.raises(ConversionError, match=f"encoding {encoding} has 16 bits, but its brightest pixel is 4095 of"):
        rgb_pixels(encoding, 2, 2, 0, values.tobytes())
