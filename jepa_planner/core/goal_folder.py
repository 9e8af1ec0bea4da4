"""A folder of goal pictures: VIEW.png for one goal image, or 1_VIEW.png, 2_VIEW.png ... for several in order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jepa_planner.core.picture_file import PictureError, read_picture

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_NUMBERED = re.compile(r"(?:(\d{1,6})_)?(.+)")


@dataclass(frozen=True)
class GoalPictures:
    """Goal images in order, each with one picture of every view: uint8 RGB [H, W, 3], in the order of `views`."""

    views: tuple[str, ...]
    moments: tuple[tuple[np.ndarray, ...], ...]


def read_goal_folder(folder: str | Path) -> GoalPictures:
    """The pictures of a folder, views in alphabetical order; other files are passed over.

    Raises PictureError where there are none, or where a goal image lacks a view that others have.
    """
    folder = Path(folder)
    files: dict[int, dict[str, Path]] = {}
    for file in sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES):
        number, view = re.fullmatch(_NUMBERED, file.stem).groups()  # type: ignore[union-attr]  # fits any name
        moment = files.setdefault(int(number or 0), {})
        if view in moment:
            both = f"{moment[view].name} and {file.name}"
            raise PictureError(f"{folder}: {both} are of the same view and number: keep one")
        moment[view] = file
    if not files:
        raise PictureError(f"{folder} holds no picture; expected VIEW.png, or 1_VIEW.png, 2_VIEW.png and so on")
    if 0 in files and len(files) > 1:
        loose, numbered = (next(iter(files[number].values())).name for number in (0, max(files)))
        raise PictureError(f"{folder} holds {loose} and {numbered}: number all pictures, from 1, or none")
    views = sorted({view for moment in files.values() for view in moment})
    for number, moment in sorted(files.items()):
        if missing := [view for view in views if view not in moment]:
            name = f"{number}_{missing[0]}.png" if number else f"{missing[0]}.png"
            raise PictureError(f"{folder} lacks {name}: each goal image needs a picture of {', '.join(views)}")
    moments = (tuple(read_picture(moment[view]) for view in views) for _, moment in sorted(files.items()))
    return GoalPictures(tuple(views), tuple(moments))
