"""Which episodes were recorded at the same table with the same things about: found in their pictures, not told.

What stands still in two episodes looks alike in both, or something else lies there, or a lamp or a camera is not what
it was. What the hand or the arm moved counts for nothing: it may be anywhere.
"""

from __future__ import annotations

import cv2
import numpy as np

from jepa_planner.learning.data.images_on_disk import Images

SEEN_FRAMES, SEEN_PX = 12, 32
"""Frames of an episode that are looked at, and to how many rows and columns they are averaged."""
STILL, ALIKE = 8, 10
"""Levels of 255 by which what stands still differs at most in an episode, and between two."""
UNLIKE_SHARE = 0.005
"""Of what stands still, the share that may look otherwise."""


def alike_scenes(images: Images) -> np.ndarray:
    """A number for each episode, the same for those of one scene: uint8 [E, T+1, V, H, W, 3] -> int [E].

    It is the number of the first episode of the scene, to which the others are alike.
    """
    places, stills = (np.array(parts) for parts in zip(*map(_still, images), strict=True))
    first = np.arange(len(images))
    known: list[int] = []
    for number in range(len(images)):
        both = stills[known] & stills[number]
        unlike = both & (np.abs(places[known] - places[number]).max(axis=-1) > ALIKE)
        counts, most = unlike.sum(axis=(-1, -2)), UNLIKE_SHARE * both.sum(axis=(-1, -2))
        alike = np.flatnonzero((counts <= most).all(axis=-1) & both.any(axis=(-1, -2)).all(axis=-1))
        if len(alike):
            first[number] = known[alike[0]]
        else:
            known.append(number)
    return first


def _still(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What an episode [T+1, V, H, W, 3] shows mostly, int16 [V, h, w, 3], and where it stands still, bool [V, h, w]."""
    chosen = pictures[np.linspace(0, len(pictures) - 1, SEEN_FRAMES).round().astype(int)]
    size = (SEEN_PX, SEEN_PX)
    small = [[cv2.resize(view, size, interpolation=cv2.INTER_AREA) for view in views] for views in chosen]
    seen = np.array(small, np.int16)
    mostly = np.median(seen, axis=0).astype(np.int16)
    return mostly, (np.abs(seen - mostly) < STILL).all(axis=(0, -1))
