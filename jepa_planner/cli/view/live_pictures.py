"""Pictures as browsers show them: JPEG, made once for all browsers, and only while one is open."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import numpy as np

from jepa_planner.nodes.conversions import ConversionError, picture_to_array
from jepa_planner.nodes.watch.planner_watch import PlannerWatch
from jepa_planner.nodes.watch.views import Seen

JPEG_SETTINGS = [
    *(cv2.IMWRITE_JPEG_QUALITY, 85),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
]
"""Colours as sharp as the rest: pictures of models have few pixels."""
MOST_WIDTH_PX = 640
"""Wider pictures are made smaller for the page."""


@dataclass(frozen=True)
class ShownPicture:
    """A picture as a browser takes it. width_px, height_px: of the camera's own picture; shown_width_px: of this."""

    number: int
    url: str
    width_px: int
    height_px: int
    shown_width_px: int

    @property
    def scale(self) -> float:
        """Pixels of the camera's own picture for one of this."""
        return self.width_px / self.shown_width_px


def shown(pixels: np.ndarray, number: int = 0) -> ShownPicture:
    """uint8 RGB [H, W, 3] for a browser."""
    height, width = pixels.shape[:2]
    smaller = min(1.0, MOST_WIDTH_PX / width)
    if smaller < 1.0:
        size = MOST_WIDTH_PX, max(1, round(height * smaller))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, JPEG_SETTINGS)
    url = f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
    return ShownPicture(number, url, width, height, pixels.shape[1])


class LivePictures:
    """The newest picture of each view; the planner is heard while some browser is open."""

    def __init__(self, watch: PlannerWatch) -> None:
        self._watch = watch
        self._browsers: set[str] = set()
        self._made: dict[str, tuple[Seen, ShownPicture | str]] = {}

    def opened(self, browser: str) -> None:
        """A browser shows the page."""
        self._browsers.add(browser)
        self._watch.watch(True)

    def closed(self, browser: str) -> None:
        """It does so no longer."""
        self._browsers.discard(browser)
        if not self._browsers:
            self._watch.watch(False)
            self._made.clear()

    def newest(self, view: str) -> ShownPicture | str | None:
        """The newest picture of a view, what is wrong with it, or None where there was none."""
        heard = self._watch.views.get(view)
        if heard is None or (seen := heard.newest) is None:
            return None
        made = self._made.get(view)
        if made is None or made[0] is not seen:
            self._made[view] = made = (seen, _made(seen))
        return made[1]


def _made(seen: Seen) -> ShownPicture | str:
    try:
        return shown(picture_to_array(seen.message), seen.number)
    except ConversionError as error:
        return str(error)
