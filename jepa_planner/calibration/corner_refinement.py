"""Corners of a board to a few hundredths of a pixel: what the camera should see around each is drawn and laid over it.

All that is printed near a corner helps, where a search for its saddle alone is led astray by the markers beside it.
After B. D. Lucas and T. Kanade, An iterative image registration technique, 1981, with gain and offset of the light.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

HALF_WINDOW_SQUARES = 0.55
HALF_WINDOW_PX = (5, 12)
"""The least and the most that the window reaches from a corner."""
FINE = 2
"""Places along each side of a pixel at which the drawing is looked up."""
STEPS, SETTLED_PX = 12, 5e-3
DOTS_PER_SQUARE = range(120, 240)
NEIGHBOURS = 9
"""Corners whose homography tells how the board is seen near one of them, lens included."""
PASSES, LEAST_FOUND = 3, 4
FARTHEST_SQUARES = 0.3
"""A corner that is found further than this from where it was expected is another."""
LEAST_LIKENESS, LIKENESS_BELOW_MEDIAN = 0.75, 0.12
"""Of the window to the drawing, by correlation; below it something stands before the corner."""


class Drawing(NamedTuple):
    """A drawn board, float32 [H, W] with white around it, its dots per metre, and the dot of the board's origin."""

    dots: np.ndarray
    dots_per_m: float
    origin: float


def drawing(board: cv2.aruco.CharucoBoard) -> Drawing:
    """Of a board, with half a square of paper around it, as fine as puts the edges of markers on whole dots."""
    columns, rows = board.getChessboardSize()
    share = (1.0 - board.getMarkerLength() / board.getSquareLength()) / 2.0
    dots_per_square = min(DOTS_PER_SQUARE, key=lambda dots: round(abs(dots * share - round(dots * share)), 6))
    margin = dots_per_square // 2
    drawn = board.generateImage((columns * dots_per_square, rows * dots_per_square))
    dots = np.pad(drawn, margin, constant_values=255).astype(np.float32)
    return Drawing(dots, dots_per_square / board.getSquareLength(), margin - 0.5)


def refine(
    gray: np.ndarray, drawn: Drawing, square_m: float, places_m: np.ndarray, seen_m: np.ndarray, seen_px: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which of the corners at `places_m` [N, 2] are in the picture, [N] bool, and their pixels [N, 2].

    seen_m, seen_px: places on the board and in the picture that are known well enough to begin with, at least four.
    """
    whole, _ = cv2.findHomography(seen_m, seen_px, cv2.RANSAC, 3.0)
    found, pixels = np.zeros(len(places_m), bool), np.zeros((len(places_m), 2))
    for _ in range(PASSES):
        if whole is None:
            break
        maps = np.stack([_map_near(place, seen_m, seen_px, whole) for place in places_m])
        before = found.sum()
        found, pixels = _align(gray, drawn, square_m, places_m, maps)
        if found.sum() < LEAST_FOUND or found.sum() <= before:
            break
        seen_m, seen_px = places_m[found], pixels[found]
    return found, pixels


def _map_near(place_m: np.ndarray, places_m: np.ndarray, pixels: np.ndarray, whole: np.ndarray) -> np.ndarray:
    nearest = np.argsort(np.linalg.norm(places_m - place_m, axis=1))[:NEIGHBOURS]
    if len(nearest) < NEIGHBOURS:
        return whole
    near, _ = cv2.findHomography(places_m[nearest], pixels[nearest], 0)
    return whole if near is None else near


def _mapped(maps: np.ndarray, places_m: np.ndarray) -> np.ndarray:
    """Pixels [N, 2] of places [N, 2], each by its own homography [N, 3, 3]."""
    pixels = np.einsum("nij,nj->ni", maps, np.column_stack([places_m, np.ones(len(places_m))]))
    return pixels[:, :2] / pixels[:, 2:]


def _square_px(maps: np.ndarray, places_m: np.ndarray, square_m: float) -> np.ndarray:
    """How long the shorter side of a square is in the picture near each of the places [N]."""
    sides = [
        np.linalg.norm(_mapped(maps, places_m + half) - _mapped(maps, places_m - half), axis=1)
        for half in (np.array([square_m / 2, 0.0]), np.array([0.0, square_m / 2]))
    ]
    return np.minimum(*sides)


def _align(
    gray: np.ndarray, drawn: Drawing, square_m: float, places_m: np.ndarray, maps: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`refine` with a homography [N, 3, 3] from the board to pixels for each corner."""
    expected, sizes = _mapped(maps, places_m), _square_px(maps, places_m, square_m)
    half = int(np.clip(np.ceil(HALF_WINDOW_SQUARES * np.median(sizes)), *HALF_WINDOW_PX))
    height, width = gray.shape
    whole_px = np.rint(expected)
    inside = np.all((whole_px >= half) & (whole_px < np.array([width, height]) - half), axis=1)
    numbers = np.flatnonzero(inside)
    found, pixels = np.zeros(len(places_m), bool), expected.copy()
    if not len(numbers):
        return found, pixels
    span = np.arange(-half, half + 1)
    windows = np.stack([gray[y + span[:, None], x + span] for x, y in whole_px[numbers].astype(int)]).astype(np.float32)
    back = np.linalg.inv(maps[numbers])
    shift = np.zeros((len(numbers), 2))
    for _ in range(STEPS):
        wanted = _drawn_windows(drawn, back, whole_px[numbers] - shift, half)
        step, likeness = _step(windows, wanted)
        shift += np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < SETTLED_PX:
            break
    near = np.linalg.norm(shift, axis=1) < FARTHEST_SQUARES * sizes[numbers]
    alike = likeness > max(LEAST_LIKENESS, float(np.median(likeness)) - LIKENESS_BELOW_MEDIAN)
    pixels[numbers] = expected[numbers] + shift
    found[numbers] = near & alike & np.all(np.isfinite(shift), axis=1)
    return found, pixels


def _drawn_windows(drawn: Drawing, back: np.ndarray, middles_px: np.ndarray, half: int) -> np.ndarray:
    """What is drawn around pixels [N, 2], one pixel wider than windows, [N, P + 2, P + 2]."""
    side = 2 * half + 3
    fine = (np.arange(side * FINE) + 0.5) / FINE - 0.5 - (half + 1)
    at = np.stack([*np.meshgrid(fine, fine), np.ones((side * FINE,) * 2)], axis=-1)
    places = np.broadcast_to(at, (len(back), *at.shape)).copy()
    places[..., :2] += middles_px[:, None, None]
    places = np.einsum("nij,nyxj->nyxi", back, places)
    dots = (places[..., :2] / places[..., 2:] * drawn.dots_per_m + drawn.origin).astype(np.float32)
    x, y = (np.ascontiguousarray(dots[..., axis]).reshape(-1, side * FINE) for axis in (0, 1))
    seen = np.asarray(cv2.remap(drawn.dots, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return seen.reshape(len(back), side, FINE, side, FINE).mean(axis=(2, 4))


def _step(windows: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far drawings should be shifted [N, 2] to lie over windows, and how alike the two are [N]."""
    across = (wanted[:, 1:-1, 2:] - wanted[:, 1:-1, :-2]) / 2
    down = (wanted[:, 2:, 1:-1] - wanted[:, :-2, 1:-1]) / 2
    flat = [part.reshape(len(windows), -1) for part in (wanted[:, 1:-1, 1:-1], across, down, windows)]
    drawn, across, down, seen = (part - part.mean(axis=1, keepdims=True) for part in flat)
    basis = np.stack([drawn, across, down], axis=-1)
    gram = np.einsum("npi,npj->nij", basis, basis) + 1e-6 * np.eye(3)
    fit = np.linalg.solve(gram, np.einsum("npi,np->ni", basis, seen)[..., None])[..., 0]
    norms = np.linalg.norm(drawn, axis=1) * np.linalg.norm(seen, axis=1)
    likeness = np.einsum("np,np->n", drawn, seen) / np.maximum(norms, 1e-6)
    gain = np.where(np.abs(fit[:, :1]) > 1e-3, fit[:, :1], 1.0)
    return -fit[:, 1:] / gain, likeness
