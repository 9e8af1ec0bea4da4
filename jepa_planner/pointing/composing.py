"""Drag and drop in a picture: the thing of a mask stands elsewhere, and what it hid is filled in."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

RIM_PX = 2
"""Around a mask: pixels there mix the thing's colour with that of what is behind it."""
INPAINT_RADIUS_PX = 3.0
SAME_BACKGROUND = 12.0
"""Mean difference, of 255, around the thing up to which an earlier picture shows the same background."""
_KERNEL = np.ones((3, 3), np.uint8)


def moved_thing(
    picture: np.ndarray, mask: np.ndarray, shift_px: tuple[float, float], scale: float = 1.0,
    earlier: Sequence[np.ndarray] = (),
) -> np.ndarray:  # fmt: skip
    """The picture, uint8 RGB [H, W, 3], with the thing of a mask, bool [H, W], moved right and down, and as much
    larger as it is nearer there.

    earlier: other pictures of the same camera; where one shows what is behind the thing, it is filled in from there.
    """
    height, width = mask.shape
    wide = cv2.dilate(mask.astype(np.uint8), _KERNEL, iterations=RIM_PX) > 0
    behind = _behind(picture, wide, mask, earlier)
    core = cv2.erode(mask.astype(np.uint8), _KERNEL) > 0
    rim = wide & ~(core if core.any() else mask)
    thing = _inpainted(picture, rim)  # of its own colour at its rim
    rows, columns = np.nonzero(mask)
    centre = np.array([columns.mean(), rows.mean()])
    offset = centre * (1 - scale) + np.array(shift_px)
    motion = np.array([[scale, 0.0, offset[0]], [0.0, scale, offset[1]]])
    there = cv2.warpAffine(thing, motion, (width, height), flags=cv2.INTER_LINEAR)
    share = cv2.warpAffine(mask.astype(np.float32), motion, (width, height), flags=cv2.INTER_LINEAR)[..., None]
    return np.round(behind * (1 - share) + there * share).astype(np.uint8)


def _behind(picture: np.ndarray, wide: np.ndarray, mask: np.ndarray, earlier: Sequence[np.ndarray]) -> np.ndarray:
    """The picture without the thing."""
    ring = (cv2.dilate(wide.astype(np.uint8), _KERNEL, iterations=2 * RIM_PX) > 0) & ~wide
    for other in earlier:
        if other.shape != picture.shape:
            continue
        around, inside = (
            float(np.abs(other[where].astype(float) - picture[where]).mean()) if where.any() else 0.0
            for where in (ring, mask)
        )
        if around < SAME_BACKGROUND < inside:
            return np.where(wide[..., None], other, picture)
    return _inpainted(picture, wide)


def _inpainted(picture: np.ndarray, where: np.ndarray) -> np.ndarray:
    return cv2.inpaint(picture, where.astype(np.uint8), INPAINT_RADIUS_PX, cv2.INPAINT_TELEA)
