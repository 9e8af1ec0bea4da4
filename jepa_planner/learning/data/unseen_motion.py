"""Cameras that look past the work: the arm moves, and hardly a pixel of a picture tells."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jepa_planner.core.arm_layout import XYZ
from jepa_planner.learning.data.correlation import LEAST_STEPS
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.finding import Finding, refused

MOVED_M = 0.01
"""A step of the arm that a picture of it cannot miss."""
CHANGED, SEEN_SHARE = 15, 1e-3
"""Levels of 255 that are no noise, and the share of pixels that change so where an arm is seen to move."""
UNSEEN_SHARE = 0.1
"""Of the steps in which the arm moves, the share that a view may miss."""


def check_sees_the_arm(episodes: Episodes) -> Iterator[Finding]:
    """Refuses views in which the arm is out of the picture, or behind something, for too much of its work."""
    moves = np.linalg.norm(np.diff(episodes.states[..., XYZ], axis=1), axis=-1) > MOVED_M
    if (count := int(moves.sum())) < LEAST_STEPS:
        return
    unseen = sum(_unseen(images)[moving].sum(axis=0) for images, moving in zip(episodes.images, moves, strict=True))
    for name, missed in zip(episodes.views, np.atleast_1d(unseen).tolist(), strict=True):
        if missed > UNSEEN_SHARE * count:
            yield refused(
                f"view {name}: in {missed} of {count} steps the arm moves and this camera does not see it, expected "
                f"{UNSEEN_SHARE:.0%} at most: turn the camera to where the arm works, and record again"
            )


def _unseen(pictures: np.ndarray) -> np.ndarray:
    """Whether next to nothing changes from one picture [T+1, V, H, W, 3] to the next, bool [T, V].

    Four pixels are one, which halves the noise of a camera.
    """
    height, width = (side - side % 2 for side in pictures.shape[2:4])
    fours = pictures[:, :, :height, :width].reshape(*pictures.shape[:2], height // 2, 2, width // 2, 2, 3)
    changes = np.abs(np.diff(fours.mean(axis=(3, 5), dtype=np.float32), axis=0)).max(axis=-1) > CHANGED
    return changes.mean(axis=(-2, -1)) < SEEN_SHARE
