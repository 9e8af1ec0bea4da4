"""Clicks on live views, in pixels of the camera's own picture: what a goal by pointing is to be made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Click:
    """A place in a view's picture: pixels from its top left corner; width_px, height_px: of that whole picture."""

    view: str
    x_px: float
    y_px: float
    width_px: int
    height_px: int

    def __str__(self) -> str:
        return f"{self.view}: pixel {self.x_px:.1f}, {self.y_px:.1f} of {self.width_px} x {self.height_px}"


OnClick = Callable[[Click], None]
"""What the page calls with each click, in the browser's own page: new elements and messages go there."""
