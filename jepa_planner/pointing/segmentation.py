"""From a heat map to the mask of one thing: where the picture itself has an edge around what is alike."""

from __future__ import annotations

import cv2
import numpy as np

THRESHOLDS = (0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
"""Shares of the heat at the seed above which pixels may belong to the thing: none is right for all things."""
LARGEST_SHARE = 0.08
"""Of the picture: what is larger is table or arm, and nothing that a gripper takes."""
FEWEST_PX = 6
LEAST_CONTRAST = 5.0
"""In CIELAB, between just inside and just outside: less is no edge."""
CORE_SHARE = 0.3
"""The warmest share of a region surely belongs to the thing."""
MAGNIFIED, MARGIN_PX, ROUNDS = 2, 12, 3
NEAR_SHARE = 0.35
"""A thing may be larger than the region that is alike, by so much of the region's side."""


def thing_at(heat: np.ndarray, picture: np.ndarray, seed: tuple[int, int]) -> np.ndarray:
    """The mask, bool [H, W], of the thing at a seed (row, column) of a picture, uint8 RGB [H, W, 3], by its heat map
    [H, W]; empty where nothing has an edge of its own there.

    Regions above each of THRESHOLDS are cut out by colour (GrabCut, Rother et al. 2004); the one with the sharpest edge
    is the thing.
    """
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    best, sharpest = np.zeros(heat.shape, bool), LEAST_CONTRAST
    for threshold in THRESHOLDS:
        region = _connected(heat > threshold * heat[seed], seed)
        if region.sum() < FEWEST_PX:
            region = _disc(heat.shape, seed, 2)
        if region.sum() > LARGEST_SHARE * heat.size:
            break  # lower thresholds only add to it
        core = (region & (heat >= np.quantile(heat[region], 1 - CORE_SHARE))) | _disc(heat.shape, seed, 1)
        mask = _connected(_cut_by_colour(picture, region, core), seed)
        if not FEWEST_PX <= mask.sum() <= LARGEST_SHARE * heat.size:
            continue
        if (contrast := _edge_contrast(lab, mask)) > sharpest:
            best, sharpest = mask, contrast
    return best


def warmest(heat: np.ndarray) -> tuple[int, int]:
    """Row and column of what is most alike."""
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    return int(row), int(column)


def _connected(mask: np.ndarray, seed: tuple[int, int]) -> np.ndarray:
    """The part of a mask around a seed; empty where the seed is not in it."""
    if not mask[seed]:
        return np.zeros_like(mask)
    labels = cv2.connectedComponents(mask.astype(np.uint8))[1]
    return labels == labels[seed]


def _disc(shape: tuple[int, ...], centre: tuple[int, int], radius_px: int) -> np.ndarray:
    drawn = np.zeros(shape, np.uint8)
    cv2.circle(drawn, (centre[1], centre[0]), radius_px, 1, -1)
    return drawn > 0


def _cut_by_colour(picture: np.ndarray, region: np.ndarray, core: np.ndarray) -> np.ndarray:
    """The region as its colours and edges have it; all that is computed lies in a window around it."""
    reach = max(5, 2 * int(NEAR_SHARE * np.sqrt(region.sum())) + 1)
    near = cv2.dilate(region.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))) > 0
    labels = np.full(region.shape, cv2.GC_BGD, np.uint8)
    labels[near], labels[region], labels[core] = cv2.GC_PR_BGD, cv2.GC_PR_FGD, cv2.GC_FGD
    rows, columns = np.nonzero(near)
    window = tuple(slice(max(of.min() - MARGIN_PX, 0), of.max() + MARGIN_PX + 1) for of in (rows, columns))
    colours = cv2.resize(
        picture[window][..., ::-1], None, fx=MAGNIFIED, fy=MAGNIFIED, interpolation=cv2.INTER_CUBIC
    )  # edges of small things lie between pixels
    cut = cv2.resize(labels[window], None, fx=MAGNIFIED, fy=MAGNIFIED, interpolation=cv2.INTER_NEAREST)
    mixtures = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # mixtures of colours are begun at random
    try:
        cv2.grabCut(colours, cut, (0, 0, 1, 1), *mixtures, ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # everything around is surely background, or nothing is
        return region
    inside = np.isin(cut, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    mask = np.zeros(region.shape, bool)
    share = cv2.resize(inside, labels[window].shape[::-1], interpolation=cv2.INTER_AREA)
    mask[window] = cv2.morphologyEx((share > 0.5).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) > 0
    return mask


def _edge_contrast(lab: np.ndarray, mask: np.ndarray) -> float:
    """How far colours just inside and just outside a mask are apart, in CIELAB."""
    kernel, filled = np.ones((3, 3), np.uint8), mask.astype(np.uint8)
    inside = mask & (cv2.erode(filled, kernel, iterations=2) == 0)
    outside = (cv2.dilate(filled, kernel, iterations=2) > 0) & ~mask
    if not inside.any() or not outside.any():
        return 0.0
    return float(np.linalg.norm(np.median(lab[inside], axis=0) - np.median(lab[outside], axis=0)))
