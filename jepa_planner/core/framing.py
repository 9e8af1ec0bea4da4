"""Which part of a camera's picture a model is to see, and which side of it is up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from jepa_planner.core.image_message import ConversionError

TURNS_DEG = (0, 90, 180, 270)
CROP_FIELDS = 4
Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Framing:
    """A turn clockwise, and then a crop: x, y of its upper left corner, width and height (px of the turned picture)."""

    turn_deg: int = 0
    crop: tuple[int, int, int, int] | None = None

    def __post_init__(self) -> None:
        if self.turn_deg not in TURNS_DEG:
            raise ValueError(f"rotation is {self.turn_deg}; expected one of {', '.join(map(str, TURNS_DEG))} degrees")
        if self.crop is not None and (min(self.crop) < 0 or min(self.crop[2:]) < 1):
            raise ValueError(f"crop is {list(self.crop)}; expected x, y from 0 and width, height from 1 (px)")

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """The framed part of an array [H, W, ..], no copy; raises ConversionError where the crop reaches outside."""
        turned = np.rot90(pixels, -self.turn_deg // 90)
        if self.crop is None:
            return turned
        x, y, width, height = self.crop
        if x + width > turned.shape[1] or y + height > turned.shape[0]:
            size = f"{turned.shape[1]} x {turned.shape[0]} px" + (", turned" if self.turn_deg else "")
            raise ConversionError(
                f"crop {list(self.crop)} (x, y, width, height) reaches outside of the picture, which is {size}"
            )
        return turned[y : y + height, x : x + width]


def framings(views: Sequence[str], turns_deg: Sequence[int], crops: Sequence[int]) -> list[Framing]:
    """One framing per view: turns and crops have one entry per view, or one for all.

    A crop is four numbers, all 0 for none; so is a single 0. Raises ValueError.
    """
    each = len(views)
    if len(turns_deg) not in (1, each):
        raise ValueError(f"rotation has {len(turns_deg)} numbers; expected one, or one for each of {', '.join(views)}")
    if list(crops) == [0]:
        crops = [0] * CROP_FIELDS
    if len(crops) not in (CROP_FIELDS, CROP_FIELDS * each):
        raise ValueError(
            f"crop has {len(crops)} numbers; expected x, y, width, height, or these for each of {', '.join(views)}"
        )
    fields = (crops[field::CROP_FIELDS] for field in range(CROP_FIELDS))
    corners = [corner if any(corner) else None for corner in zip(*fields, strict=True)]
    return [Framing(_of(turns_deg, view), _of(corners, view)) for view in range(each)]


def _of(entries: Sequence[Entry], view: int) -> Entry:
    return entries[view if len(entries) > 1 else 0]
