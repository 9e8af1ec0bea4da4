"""How well what was clicked in one picture is found in another: by an encoder, and by its colour alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import cv2
import numpy as np
import torch

from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.pointing.segmentation import thing_at, warmest
from jepa_planner.pointing.similarity import DenseEncoder, heat_map
from studies.pointing.shown_things import Moment

TOLERATED = {"standard": 32.0, "varied": 18.0}
"""Distance in CIELAB of pixels of the clicked one's colour; the best of 8 to 40 on tuning scenes of that kind."""
PAIRS = {"same picture": (0, 0), "other view": (0, 1), "later": (1, 0), "later, other view": (1, 1)}
Find = Callable[[np.ndarray, tuple[int, int], np.ndarray, bool], np.ndarray]
"""(picture, clicked row and column, another picture, whether it is the same) -> mask in the other."""


def by_encoder(encoder: DenseEncoder) -> Find:
    """`jepa_planner.pointing` itself."""

    def find(picture: np.ndarray, click: tuple[int, int], other: np.ndarray, same: bool) -> np.ndarray:
        like = encoder.features(picture).at((click[1], click[0]))
        heat = heat_map(encoder.features(other), like)
        return thing_at(heat, other, click if same else warmest(heat))

    return find


def by_colour(tolerated: float) -> Find:
    """The floor: the largest region of pixels of the clicked one's colour."""

    def find(picture: np.ndarray, click: tuple[int, int], other: np.ndarray, same: bool) -> np.ndarray:
        near = np.linalg.norm(_lab(other) - _lab(picture)[click], axis=-1) < tolerated
        _, labels, stats, _ = cv2.connectedComponentsWithStats(near.astype(np.uint8))
        if len(stats) < 2:
            return near
        return labels == (labels[click] if same else 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()))

    return find


def random_encoder(like: VideoEncoder, seed: int = 0) -> VideoEncoder:
    """The other floor: the same network, never trained."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return VideoEncoder(like.config).eval()


def overlaps(find: Find, scenes: Iterable[tuple[Moment, Moment]]) -> dict[str, list[float]]:
    """Intersection over union with the truth, a number per scene and pair of pictures; the thing's middle in the first
    view is clicked.
    """
    found: dict[str, list[float]] = {name: [] for name in PAIRS}
    for moments in scenes:
        click = middle(moments[0].things[0])
        for name, (time, view) in PAIRS.items():
            truth = moments[time].things[view]
            mask = find(moments[0].pictures[0], click, moments[time].pictures[view], (time, view) == (0, 0))
            found[name].append(overlap(mask, truth))
    return found


def gripper_overlaps(find: Find, scenes: Iterable[tuple[Moment, Moment]]) -> list[float]:
    """The same for the gripper, clicked in the first picture and looked for in the later one of the same view."""
    found = []
    for moments in scenes:
        if min(moment.grippers[0].sum() for moment in moments) == 0:
            continue
        click = middle(moments[0].grippers[0])
        mask = find(moments[0].pictures[0], click, moments[1].pictures[0], False)
        found.append(overlap(mask, moments[1].grippers[0]))
    return found


def overlap(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union."""
    return float((mask & truth).sum() / max((mask | truth).sum(), 1))


def middle(mask: np.ndarray) -> tuple[int, int]:
    """Row and column farthest from the mask's edge."""
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    row, column = np.unravel_index(int(depth.argmax()), mask.shape)
    return int(row), int(column)


def _lab(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
