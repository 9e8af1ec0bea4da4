"""A goal that is put together on the page before it is sent: pictures of each view, or the name of a saved one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO

import numpy as np

from jepa_planner.core.aspect import Size, check_same_aspect
from jepa_planner.core.picture_file import PictureError, decode_picture
from jepa_planner.msg import GoalImage
from jepa_planner.nodes.client import goal_image, named_goal

MOST_BYTES = 20_000_000
"""Of one uploaded file."""


def uploaded_picture(name: str, data: bytes, camera: Size | None) -> np.ndarray:
    """uint8 RGB [H, W, 3] of an uploaded file; camera: width and height of the live picture, where there is one.

    Raises PictureError for what is no picture, is too large, or cannot be a whole picture of that camera.
    """
    if len(data) > MOST_BYTES:
        raise PictureError(too_large(name))
    pixels = decode_picture(BytesIO(data), name)
    if camera is not None:
        try:
            check_same_aspect(camera, (pixels.shape[1], pixels.shape[0]))
        except PictureError as error:
            raise PictureError(f"{name}: {error}") from error
    return pixels


def too_large(name: str) -> str:
    """What is said of such a file."""
    return f"{name}: too large; expected a picture file of at most {MOST_BYTES // 10**6} MB"


class Draft:
    """Goal pictures in order: the n-th of each view make the n-th goal image. views: those of the model, in order."""

    def __init__(self, views: Iterable[str]) -> None:
        self.name = ""
        """Of a saved goal, which then is sent instead of pictures."""
        self.pictures: dict[str, list[np.ndarray]] = {view: [] for view in views}

    @property
    def rows(self) -> list[Mapping[str, np.ndarray]]:
        """Goal images as far as they are there: one picture of each view that has one."""
        count = max(map(len, self.pictures.values()), default=0)
        return [
            {view: pictures[row] for view, pictures in self.pictures.items() if row < len(pictures)}
            for row in range(count)
        ]

    def add(self, view: str, picture: np.ndarray) -> None:
        """One more picture of a view; a name is let go."""
        if self.name:
            self.clear()
        self.pictures[view].append(picture)

    def choose(self, name: str, moments: Sequence[Sequence[np.ndarray]]) -> None:
        """A saved goal instead; moments: its pictures, in the order of views, to be looked at."""
        self.clear()
        self.name = name
        for moment in moments:
            for view, picture in zip(self.pictures, moment, strict=True):
                self.pictures[view].append(picture)

    def clear(self) -> None:
        """Nothing is to be sent."""
        self.name = ""
        for pictures in self.pictures.values():
            pictures.clear()

    def goals(self) -> list[GoalImage]:
        """What is sent; raises ValueError where there is nothing, or a goal image lacks a view."""
        if self.name:
            return [named_goal(self.name)]
        counts = {view: len(pictures) for view, pictures in self.pictures.items()}
        if not any(counts.values()):
            raise ValueError("there is no goal picture yet: upload some, choose a saved goal, or take the present ones")
        if len(set(counts.values())) > 1:
            given = ", ".join(f"{view} has {count}" for view, count in counts.items())
            raise ValueError(f"{given}; expected as many pictures of each view: each goal picture needs all of them")
        views = list(self.pictures)
        return [goal_image([row[view] for view in views], view_names=views) for row in self.rows]
