"""A first guess of where camera and board are, from poses of the board before the camera and of what carries it.

Rotations after M. Shah, Solving the robot-world/hand-eye calibration problem using the Kronecker product, 2013. Some of
the poses may be wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from jepa_planner.calibration.adjustment import Sighting, Unknowns
from jepa_planner.calibration.board import Corners
from jepa_planner.calibration.lens import Lens
from jepa_planner.calibration.transforms import inverse, moved, transform

DRAWS, DRAWN = 60, 4
"""So many sets of so few sightings are tried; with one in four wrong, all but one in a million hold a set without."""
MOST_PX = 30.0
"""A corner that is further off counts as so far."""


def board_pose(lens: Lens, corners: Corners) -> np.ndarray:
    """camera_from_board that a lens sees corners at [4, 4]."""
    rays, points = lens.rays(corners.pixels), corners.points_m
    _, turns, places, _ = cv2.solvePnPGeneric(points, rays, np.eye(3), None, flags=cv2.SOLVEPNP_IPPE)
    poses = [transform(np.ravel(place), cv2.Rodrigues(turn)[0]) for turn, place in zip(turns, places, strict=True)]
    pose = min(poses, key=lambda pose: float(np.abs(lens.project(moved(pose, points)) - corners.pixels).sum()))
    turn, place = cv2.Rodrigues(pose[:3, :3])[0], pose[:3, 3].reshape(3, 1)
    _, turn, place = cv2.solvePnP(points, rays, np.eye(3), None, turn, place, True, cv2.SOLVEPNP_ITERATIVE)
    return transform(place.ravel(), cv2.Rodrigues(turn)[0])


def robust_start(
    lens: Lens, sightings: Sequence[Sighting], camera_from_board: Sequence[np.ndarray], rng: np.random.Generator
) -> Unknowns:
    """Where camera and board are so that most corners are near where they were seen, and the board's scale.

    sightings: with carriers, at least three.
    """
    carriers = np.stack([s.base_from_carrier for s in sightings if s.base_from_carrier is not None])
    boards = np.stack(camera_from_board)
    sets: list[np.ndarray] = [np.arange(len(sightings))]
    if len(sightings) > DRAWN:
        sets += [rng.choice(len(sightings), DRAWN, replace=False) for _ in range(DRAWS)]
    guesses = [Unknowns(lens, *closed_form(carriers[chosen], boards[chosen])) for chosen in sets]
    return min(guesses, key=lambda guess: _distance_px(guess, sightings))


def closed_form(carriers: np.ndarray, boards: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict, float]:
    """base_from_camera, carrier_from_board, no free ones, and scale, from poses base_from_carrier and camera_from_board
    [N, 4, 4]: carrier x carrier_from_board = base_from_camera x board.
    """
    product = sum(np.kron(board[:3, :3], carrier[:3, :3]) for carrier, board in zip(carriers, boards, strict=True))
    left, _, right = np.linalg.svd(product)
    sign = np.sign(np.linalg.det(left[:, 0].reshape(3, 3)))
    camera, hung = (_nearest_rotation(sign * v.reshape(3, 3, order="F")) for v in (left[:, 0], right[0]))
    # carrier's turn x place of the board - place of the camera - scale x turned place of the board seen = -carrier's
    rows = [
        np.column_stack([carrier[:3, :3], -np.eye(3), -camera @ board[:3, 3]])
        for carrier, board in zip(carriers, boards, strict=True)
    ]
    found = np.linalg.lstsq(np.concatenate(rows), -carriers[:, :3, 3].ravel(), rcond=None)[0]
    return transform(found[3:6], camera), transform(found[:3], hung), {}, float(found[6])


def _nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    left, _, right = np.linalg.svd(matrix)
    return left @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ right


def _distance_px(guess: Unknowns, sightings: Sequence[Sighting]) -> float:
    """The median over corners of every sighting, and of these the sum, each as far as counts."""
    total = 0.0
    for sighting in sightings:
        assert sighting.base_from_carrier is not None
        pose = inverse(guess.base_from_camera) @ sighting.base_from_carrier @ guess.carrier_from_board
        places = moved(pose, guess.scale * sighting.corners.points_m)
        off = np.linalg.norm(guess.lens.project(places) - sighting.corners.pixels, axis=1)
        total += min(MOST_PX, float(np.median(np.where(places[:, 2] > 0.0, off, np.inf))))
    return total
