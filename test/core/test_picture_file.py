"""Pictures as cameras, phones and tools save them: what is shown is what is read, or it is refused by name."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepa_planner.core.picture_file import PictureError, read_picture

DEEP = np.full((4, 6), 168 * 257, np.uint16)
ORIENTATION = 0x0112
TURNS = {
    1: lambda p: p, 2: np.fliplr, 3: lambda p: np.rot90(p, 2), 4: np.flipud, 5: lambda p: np.transpose(p, (1, 0, 2)),
    6: lambda p: np.rot90(p, -1), 7: lambda p: np.rot90(np.transpose(p, (1, 0, 2)), 2), 8: lambda p: np.rot90(p, 1),
}  # fmt: skip
"""What is shown of what is stored, as the EXIF standard says."""


def saved(picture: Image.Image, path: Path, **options) -> Path:
    picture.save(path, **options)
    return path


def deep_png(path: Path, colours: int, values: np.ndarray) -> Path:
    """A PNG of 16 bits a channel, which Pillow does not write; values uint16 [H, W, channels]."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in values.astype(">u2"))
    head = struct.pack(">IIBBBBB", width, height, 16, colours, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.parametrize("name", ["deep.png", "deep.tif", "deep.pgm"])
def test_grey_of_sixteen_bits_is_scaled(name, tmp_path):
    found = read_picture(saved(Image.fromarray(DEEP), tmp_path / name))
    assert found.shape == (4, 6, 3) and found.dtype == np.uint8
    assert found.min() == found.max() == 168


def test_sixteen_bits_of_the_other_order_of_bytes_are_scaled(tmp_path):
    path = tmp_path / "motorola.tif"
    Image.frombytes("I;16B", (6, 4), DEEP.astype(">u2").tobytes()).save(path)
    assert read_picture(path).max() == 168


@pytest.mark.parametrize(("colours", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_of_any_colours_are_scaled(colours, channels, tmp_path):
    values = np.full((4, 6, channels), 168 * 257, np.uint16)
    if colours >= 4:
        values[..., -1] = 65535  # opaque
    assert np.unique(read_picture(deep_png(tmp_path / "deep.png", colours, values))).tolist() == [168]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", TURNS)
def test_a_picture_is_turned_as_its_camera_says(orientation, form, tmp_path):
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:8, :16], stored[:8, 16:], stored[8:, :16] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = saved(Image.fromarray(stored), tmp_path / "turned", format=form, exif=exif)
    shown = TURNS[orientation](stored)
    found = read_picture(path)
    assert found.shape == shown.shape
    corners = np.ix_([2, -3], [2, -3])
    np.testing.assert_allclose(found[corners].astype(int), shown[corners].astype(int), atol=40)


def test_sixteen_bits_are_turned_too(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    assert read_picture(saved(Image.fromarray(DEEP), tmp_path / "deep.png", exif=exif)).shape == (6, 4, 3)


@pytest.mark.parametrize(
    ("picture", "name"),
    [
        (Image.new("L", (6, 4), 90), "grey.png"),
        (Image.new("LA", (6, 4), (90, 255)), "grey-alpha.png"),
        (Image.new("RGBA", (6, 4), (90, 90, 90, 255)), "opaque.png"),
        (Image.new("P", (6, 4), 0), "palette.gif"),
        (Image.new("CMYK", (6, 4), (0, 0, 0, 165)), "print.jpg"),
        (Image.new("RGB", (6, 4), (90, 90, 90)), "colour.bmp"),
    ],
)
def test_other_kinds_of_eight_bits_keep_their_colours(picture, name, tmp_path):
    if picture.mode == "P":
        picture.putpalette([90, 90, 90])
    np.testing.assert_allclose(read_picture(saved(picture, tmp_path / name)).astype(int), 90, atol=1)


def test_black_and_white_is_black_and_white(tmp_path):
    assert read_picture(saved(Image.new("1", (6, 4), 1), tmp_path / "one.png")).min() == 255


def see_through(mode: str) -> Image.Image:
    picture = Image.new("RGBA", (6, 4), (200, 30, 30, 255))
    picture.putpixel((0, 0), (200, 30, 30, 0))
    return picture.convert(mode)


@pytest.mark.parametrize(
    ("picture", "name", "options", "says"),
    [
        (Image.fromarray(np.full((4, 6), 0.5, np.float32)), "a.tif", {}, "holds floating-point numbers"),
        (Image.fromarray(np.full((4, 6), 70_000, np.int32)), "a.tif", {}, "holds 32-bit integers"),
        (Image.fromarray(np.full((4, 6), 900, np.uint16)), "a.png", {}, "brightest pixel is 900 of 65535: it"),
        (see_through("RGBA"), "a.png", {}, "is transparent in places"),
        (see_through("LA"), "a.png", {}, "is transparent in places"),
        (Image.new("P", (6, 4), 0), "a.png", {"transparency": 0}, "is transparent in places"),
        (Image.new("RGB", (6, 4)), "a.png", {"transparency": (0, 0, 0)}, "is transparent in places"),
        *((Image.new("L", (6, 4), 9), f"a.{kind}", {"save_all": True, "append_images": [Image.new("L", (6, 4), 99)]},
           "holds 2 pictures, expected one") for kind in ("gif", "tif", "png", "webp")),
    ],
)  # fmt: skip
def test_what_has_no_one_look_is_refused_by_name(picture, name, options, says, tmp_path):
    with pytest.raises(PictureError, match=rf"the picture .*{name} {says}|the picture .*{name} .*{says}"):
        read_picture(saved(picture, tmp_path / name, **options))


def test_the_photo_of_a_phone_that_brings_its_preview_along_is_read(tmp_path):
    photo, preview = Image.new("RGB", (32, 16), (90, 90, 90)), Image.new("RGB", (8, 4), (0, 0, 0))
    path = saved(photo, tmp_path / "phone.jpg", format="MPO", save_all=True, append_images=[preview])
    assert read_picture(path).shape == (16, 32, 3) and read_picture(path).min() > 80


@pytest.mark.parametrize(("colours", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_colours_of_twelve_bits_in_sixteen_are_refused(colours, channels, tmp_path):
    values = np.full((4, 6, channels), 65535, ">u2")
    values[..., : 1 if channels == 2 else 3] = 4000
    with pytest.raises(PictureError, match=r"twelve\.png has 16 bits, but its brightest pixel is"):
        read_picture(deep_png(tmp_path / "twelve.png", colours, values))


def test_sixteen_bits_of_black_are_black(tmp_path):
    assert read_picture(saved(Image.fromarray(DEEP * 0), tmp_path / "black.png")).max() == 0


def test_a_file_that_is_cut_short_or_no_picture_is_refused_by_name(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(stream, "JPEG")
    for name, content in (("cut.jpg", stream.getvalue()[:600]), ("text.png", b"hello")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(PictureError, match=f"cannot read the picture .*{name}"):
            read_picture(tmp_path / name)
