"""Pictures from files, with a size that nobody can be surprised by."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jepa_planner.world_model.image_message import MAX_IMAGE_SIDE_PX


class PictureError(ValueError):
    """A picture that cannot be read, or pictures that do not go together; the message names the file."""


def read_picture(path: str | Path) -> np.ndarray:
    """uint8 RGB [H, W, 3]; raises PictureError. The size is judged before pixels are read."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            if max(picture.size) > MAX_IMAGE_SIDE_PX:
                size = f"{picture.size[0]} x {picture.size[1]}"
                raise PictureError(f"the picture {path} is {size} px, expected at most {MAX_IMAGE_SIDE_PX} each")
            return np.asarray(picture.convert("RGB"))
    except PictureError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise PictureError(f"cannot read the picture {path}: {error}") from error
