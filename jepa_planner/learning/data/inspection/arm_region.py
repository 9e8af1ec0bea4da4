"""Where in a picture the arm may be, learned from other pictures with the arm in nearly the same place.

A camera that stands still shows a background, which is what most pictures agree on. What differs from it is the arm, or
a thing. The arm is in the same pixels whenever it stands in the same place; things are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree

from jepa_planner.core.arm_layout import MEASURED, XYZ, YAW
from jepa_planner.learning.data.inspection.seen import Seen

DIFFERS = 30
"""A channel (of 255) that is so far from what was expected shows something else."""
NEIGHBOURS = 12
NEAR_M, NEAR_RAD, NEAR_CLOSURE = 0.02, 0.1, 0.5
"""What counts as one unit of distance between two arm states."""
TOO_FAR = 2.5
"""Where the nearest states are farther than this, nothing is known of where the arm is."""
FIXED_SHARE = 0.5
"""A view of which more differs from the background moves with the arm, or from one episode to the next."""
FRAMES = 400


@dataclass(frozen=True)
class ArmRegion:
    """background [V, h, w, 3]; fixed bool [V]: views whose camera stands still; hidden: for each episode bool
    [L+1, V, h, w], where the arm may be.
    """

    background: np.ndarray
    fixed: np.ndarray
    hidden: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, seen: Seen) -> ArmRegion:
        """Looks at all pictures once, and for each at those of other episodes with the arm nearby."""
        background = np.median(seen.some_frames(FRAMES), axis=0).astype(np.int16)
        differs = [differing(pictures, background) for pictures in seen.pictures]
        fixed = np.mean([each.mean(axis=(0, 2, 3)) for each in differs], axis=0) < FIXED_SHARE
        poses = [_pose(states) for states in seen.states]
        episode = np.repeat(np.arange(len(poses)), [len(each) for each in poses])
        tree, all_differing = cKDTree(np.concatenate(poses)), np.concatenate(differs)
        hidden = []
        for number, pose in enumerate(poses):
            count = min(len(episode), NEIGHBOURS + len(pose))  # so many that enough are of other episodes
            distance, nearest = tree.query(pose, k=count)
            hidden.append(np.stack([
                _may_be(all_differing, *_of_others(row, away, episode != number))
                for row, away in zip(nearest, distance, strict=True)
            ]))  # fmt: skip
        return cls(background, fixed, tuple(hidden))


def differing(pictures: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Which pixels of pictures [.., h, w, 3] show something else: bool [.., h, w]."""
    return np.abs(pictures.astype(np.int16) - background).max(axis=-1) > DIFFERS


def _pose(states: np.ndarray) -> np.ndarray:
    scaled = states[:, XYZ] / NEAR_M, states[:, [YAW]] / NEAR_RAD, states[:, [MEASURED]] / NEAR_CLOSURE
    return np.concatenate(scaled, axis=1)


def _of_others(nearest: np.ndarray, distance: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, float]:
    """The nearest frames of other episodes, and how far they are in the middle."""
    kept = other[nearest]
    return nearest[kept][:NEIGHBOURS], float(np.mean(distance[kept][:NEIGHBOURS])) if kept.any() else np.inf


def _may_be(differs: np.ndarray, neighbours: np.ndarray, away: float) -> np.ndarray:
    """Pixels [V, h, w] where any of them shows something, and those around; all where no neighbour is near."""
    if away > TOO_FAR:
        return np.ones(differs.shape[1:], bool)
    there = differs[neighbours].any(axis=0).astype(np.uint8)
    return np.stack([cv2.dilate(view, np.ones((3, 3), np.uint8)) for view in there]).astype(bool)
