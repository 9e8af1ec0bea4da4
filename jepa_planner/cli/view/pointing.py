"""Clicks on live views, in pixels of the camera's own picture, and the goal picture that follows from them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from jepa_planner.core.camera_calibration import CameraCalibration
from jepa_planner.pointing.pointed_goal import Clicks, Pixel


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

    @property
    def pixel(self) -> Pixel:
        """The same, as pictures are counted: (0, 0) is the centre of the first pixel."""
        return self.x_px - 0.5, self.y_px - 0.5


OnClick = Callable[[Click], Awaitable[None]]
"""What the page calls with each click, in the browser's own page: new elements and messages go there."""


class Pointing:
    """First the thing, then its place, in one view; in the others too where their cameras are not calibrated."""

    def __init__(self, views: Iterable[str], cameras: Mapping[str, CameraCalibration]) -> None:
        self._views, self.cameras = tuple(views), dict(cameras)
        self._picks: dict[str, Pixel] = {}
        self._places: dict[str, Pixel] = {}

    @property
    def wanted(self) -> str:
        """What is to be clicked next, in words; empty where all is there."""
        for view in self._picks:
            if view not in self._places:
                return f"click where it should be, in {view}"
        if not self._picks:
            return "click a thing, in any view"
        missing = self._missing()
        return f"click the same thing in {missing[0]}" if missing else ""

    def add(self, click: Click) -> None:
        """Takes the next click; raises ValueError where another one is wanted."""
        open_view = next((view for view in self._picks if view not in self._places), None)
        if open_view is not None:
            if click.view != open_view:
                raise ValueError(f"{self.wanted}: the click was in {click.view}")
            self._places[click.view] = click.pixel
            return
        if self._picks and click.view not in self._missing():
            raise ValueError(f"{self.wanted or 'all is there'}: the click was in {click.view}")
        self._picks[click.view] = click.pixel

    def clicks(self) -> dict[str, Clicks]:
        """As `pointed_goal` takes them."""
        return {view: Clicks(pixel, self._places[view]) for view, pixel in self._picks.items()}

    def _missing(self) -> list[str]:
        """Views of which clicks must tell: all others, unless geometry does."""
        first = next(iter(self._picks))
        known = first in self.cameras
        return [view for view in self._views if view not in self._picks and not (known and view in self.cameras)]
