"""Pictures from files, with a size, a range and an orientation that nobody can be surprised by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from jepa_planner.core.image_message import MAX_IMAGE_SIDE_PX, eight_bits, few_bits

if TYPE_CHECKING:
    from PIL.Image import Image


class PictureError(ValueError):
    """A picture that cannot be read, or pictures that do not go together; the message names the file."""


def read_picture(path: str | Path) -> np.ndarray:
    """uint8 RGB [H, W, 3] of a file; see `decode_picture`."""
    return decode_picture(path, str(path))


def decode_picture(file: str | Path | BinaryIO, name: str) -> np.ndarray:
    """uint8 RGB [H, W, 3], turned as its EXIF orientation says, 16 bits scaled to 8; `name` stands in messages.

    The size is judged before pixels are read. Raises PictureError, too, for what cannot be shown in 8 bits without a
    guess: floats and 32 bits, 16 bits of which few are used, pixels that are not opaque, more than one picture.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as picture:
            if max(picture.size) > MAX_IMAGE_SIDE_PX:
                size = f"{picture.size[0]} x {picture.size[1]}"
                raise PictureError(f"the picture {name} is {size} px, expected at most {MAX_IMAGE_SIDE_PX} each")
            frames = getattr(picture, "n_frames", 1)
            if frames > 1 and picture.format != "MPO":  # of phones: the others are previews of the first
                raise PictureError(f"the picture {name} holds {frames} pictures, expected one: save the one you mean")
            kind, deep = picture.format, any(";16" in str(tile[3]) for tile in picture.tile)
            rgb = _rgb(ImageOps.exif_transpose(picture), kind, name)
            if deep and (complaint := few_bits(257 * int(rgb.max()))):  # colours of 16 bits reach us with 8
                raise PictureError(f"the picture {name} {complaint}")
            return rgb
    except PictureError:
        raise
    except Exception as error:  # decoders of damaged files raise whatever they stumble over
        raise PictureError(f"cannot read the picture {name}: {error}") from error


def _rgb(picture: Image, kind: str | None, name: str) -> np.ndarray:
    mode = picture.mode
    if mode.startswith("I;16") or (mode == "I" and kind in ("PNG", "PPM")):  # Pillow clips them to 255
        values = np.asarray(picture)
        if complaint := few_bits(int(values.max())):
            raise PictureError(f"the picture {name} {complaint}")
        return np.repeat(eight_bits(values.astype(np.uint16))[..., None], 3, axis=2)
    if mode in ("I", "F"):
        what = "32-bit integers" if mode == "I" else "floating-point numbers"
        raise PictureError(
            f"the picture {name} holds {what}, of which nobody says what white is: save it with 8 or 16 bits"
        )
    if picture.has_transparency_data and np.asarray(picture.convert("RGBA"))[..., 3].min() < 255:
        raise PictureError(
            f"the picture {name} is transparent in places, and no camera sees what is behind: save it without alpha"
        )
    return np.asarray(picture.convert("RGB"))
