"""A lens from pictures of a board alone, whose poses nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jepa_planner.calibration.adjustment import Adjustment, Noise, Sighting, Unknowns
from jepa_planner.calibration.hand_eye import MOST_PX, board_pose
from jepa_planner.calibration.lens import EQUIDISTANT, Lens
from jepa_planner.calibration.transforms import moved

FOCAL_SHARES = {False: (0.6, 0.8, 1.0, 1.3, 1.7, 2.4), True: (0.25, 0.35, 0.45, 0.6, 0.8)}
"""Focal lengths to begin with, as shares of the picture's width; True: of fisheyes."""


def find_lens(width_px: int, height_px: int, model: str, sightings: Sequence[Sighting]) -> tuple[Lens, Noise]:
    """The lens with which every picture can be of the board, begun with the best of several focal lengths, and how well
    corners are seen.
    """
    middle = (width_px - 1) / 2, (height_px - 1) / 2
    guesses = [
        Lens.given(width_px, height_px, model, (share * width_px, share * width_px, *middle), ())
        for share in FOCAL_SHARES[model == EQUIDISTANT]
    ]
    lens = min(guesses, key=lambda guess: _distance_px(guess, sightings))
    free = [replace(sighting, base_from_carrier=None) for sighting in sightings]
    start = Unknowns(lens, camera_from_board={s.name: board_pose(lens, s.corners) for s in free})
    fit = Adjustment(free, lens=True).fit_with_noise(start, Noise())
    return fit.unknowns.lens, fit.noise


def _distance_px(lens: Lens, sightings: Sequence[Sighting]) -> float:
    total = 0.0
    for sighting in sightings:
        seen = lens.project(moved(board_pose(lens, sighting.corners), sighting.corners.points_m))
        total += float(np.minimum(MOST_PX, np.linalg.norm(seen - sighting.corners.pixels, axis=1)).mean())
    return total
