"""Cameras that look past the work: the arm moves, and hardly a pixel of a picture tells."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from jepa_planner.core.arm_layout import XYZ
from jepa_planner.learning.data.correlation import LEAST_STEPS
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.finding import Finding, refused
from jepa_planner.learning.data.picture_checks import MOVED_M

MOST_EPISODES = 60
"""Spread over all of them, these are looked at."""
CHANGED, SEEN_SHARE = 15, 1e-3
"""Levels of 255 that are no noise, and the share of pixels that change so where an arm is seen to move."""
UNSEEN_SHARE = 0.1
"""Of the steps in which the arm moves, the share that a view may miss where all views are wanted."""
BLIND_SHARE = 0.5
"""A view that misses more is of no use."""


def unseen_shares(episodes: Episodes) -> dict[str, float]:
    """Of the steps in which the arm moves, the share that each view misses; empty where it hardly moves."""
    chosen = np.unique(np.linspace(0, len(episodes) - 1, MOST_EPISODES).round().astype(int))
    moves = np.linalg.norm(np.diff(episodes.states[chosen][..., XYZ], axis=1), axis=-1) > MOVED_M
    if moves.sum() < LEAST_STEPS:
        return {}
    pictures = (episodes.images[int(number)] for number in chosen)
    missed = np.sum([_unseen(seen)[moving].sum(axis=0) for seen, moving in zip(pictures, moves, strict=True)], axis=0)
    return dict(zip(episodes.views, (missed / moves.sum()).tolist(), strict=True))


def check_sees_the_arm(episodes: Episodes) -> Iterator[Finding]:
    """Refuses views in which the arm is out of the picture, or behind something, for too much of its work."""
    for name, share in unseen_shares(episodes).items():
        if share > UNSEEN_SHARE:
            yield refused(
                f"view {name}: in {share:.0%} of the steps in which the arm moves this camera does not see it, "
                f"expected {UNSEEN_SHARE:.0%} at most: turn the camera to where the arm works, and record again"
            )


def without_blind_views(episodes: Episodes) -> Episodes:
    """The episodes without views that hardly ever see the arm move, where another one does; says so on stderr."""
    shares = unseen_shares(episodes)
    seeing = [name for name in episodes.views if shares.get(name, 0.0) <= BLIND_SHARE]
    if not seeing or len(seeing) == len(episodes.views):
        return episodes
    for name in set(episodes.views) - set(seeing):
        print(f"warning: view {name} is left out: it misses {shares[name]:.0%} of the arm's motion", file=sys.stderr)
    chosen = [episodes.views.index(name) for name in seeing]
    return replace(episodes, views=tuple(seeing), images=episodes.images[:, :, chosen])


def _unseen(pictures: np.ndarray) -> np.ndarray:
    """Whether next to nothing changes from one picture [T+1, V, H, W, 3] to the next, bool [T, V].

    Four pixels are one, which halves the noise of a camera.
    """
    height, width = (side - side % 2 for side in pictures.shape[2:4])
    fours = pictures[:, :, :height, :width].reshape(*pictures.shape[:2], height // 2, 2, width // 2, 2, 3)
    changes = np.abs(np.diff(fours.mean(axis=(3, 5), dtype=np.float32), axis=0)).max(axis=-1) > CHANGED
    return changes.mean(axis=(-2, -1)) < SEEN_SHARE
