"""Whether samples can tell where a camera is, and what would make them better."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from jepa_planner.calibration.adjustment import Fit, Sighting
from jepa_planner.calibration.transforms import inverse

LEAST_SAMPLES, ENOUGH_SAMPLES = 3, 8
LEAST_TURN_DEG, ENOUGH_TURN_DEG = 3.0, 12.0
"""Root mean square over pairs of samples, about the second of three axes."""
ENOUGH_TILT_DEG = 15.0
ENOUGH_DISTANCES = 1.2
"""The largest distance of the board over the smallest."""
CELLS, ENOUGH_CELLS = 4, 0.6
"""The picture in so many by so many parts, and the share of them that should see corners."""
MOST_STD_M, MOST_STD_RAD = 0.02, np.radians(1.0)
MOST_FOCAL_STD = 0.03
"""Of the focal length."""


class CalibrationRefused(ValueError):
    """Samples that do not determine the camera's pose, or contradict each other; the message says what to do."""


def refuse_degenerate(sightings: Sequence[Sighting]) -> None:
    """Raises CalibrationRefused where no camera's pose can follow from samples with the board on the gripper."""
    if len(sightings) < LEAST_SAMPLES:
        raise CalibrationRefused(
            f"{len(sightings)} samples with a pose of the tcp and a board in the picture, at least {LEAST_SAMPLES} are "
            f"needed and {ENOUGH_SAMPLES} to 15 are good"
        )
    spread_deg, axes = turns(sightings)
    if spread_deg[0] < LEAST_TURN_DEG:
        raise CalibrationRefused(
            f"the wrist hardly turns between samples, by {spread_deg[0]:.1f} degrees: turn it by 20 to 40 degrees "
            "about two axes"
        )
    if spread_deg[1] < LEAST_TURN_DEG:
        along = np.round(axes[0] * np.sign(axes[0][np.argmax(np.abs(axes[0]))]), 2) + 0.0  # no -0.00
        axis = ", ".join(f"{part:.2f}" for part in along)
        raise CalibrationRefused(
            f"all samples turn about one axis, ({axis}) of the base frame, along which the camera could be anywhere: "
            "turn the wrist about another axis too"
        )


def refuse_uncertain(fit: Fit) -> None:
    """Raises CalibrationRefused where the fit leaves the camera's pose open."""
    off_m, off_rad = float(np.max(fit.std("camera")[3:])), float(np.max(fit.turn_std_rad()))
    if not (off_m < MOST_STD_M and off_rad < MOST_STD_RAD):
        raise CalibrationRefused(
            f"the samples leave the camera's pose open by {1000 * off_m:.0f} mm and {np.degrees(off_rad):.1f} degrees: "
            "take more, with the board nearer, tilted and turned about two axes"
        )
    if "lens" in fit.place and not (open_share := _focal_std(fit)) < MOST_FOCAL_STD:
        raise CalibrationRefused(
            f"the samples leave the focal length open by {100 * open_share:.0f} %: tilt the board toward the camera by "
            "20 to 40 degrees in some, or take the lens from camera_info and keep it"
        )


def missing(fit: Fit, sightings: Sequence[Sighting], on_gripper: bool) -> Iterator[str]:
    """What more samples should show, most important first."""
    lens, carried = fit.unknowns.lens, [s for s in sightings if s.base_from_carrier is not None]
    if on_gripper:
        if (count := len(carried)) < ENOUGH_SAMPLES:
            yield f"{count} samples are few: {ENOUGH_SAMPLES} to 15 are good"
        if (turn_deg := turns(carried)[0][1]) < ENOUGH_TURN_DEG:
            yield f"rotate the wrist more: about the second axis samples turn by {turn_deg:.0f} degrees only"
    poses = np.stack([camera_from_board(fit, sighting) for sighting in sightings])
    distances_m = np.linalg.norm(poses[:, :3, 3], axis=1)
    if "lens" not in fit.place:
        return
    tilt_deg = np.degrees(np.arccos(np.clip(np.abs(poses[:, 2, 2]), 0.0, 1.0)))
    if float(np.max(tilt_deg)) < ENOUGH_TILT_DEG:
        yield f"tilt the board toward the camera more, now {np.max(tilt_deg):.0f} degrees: that tells the focal length"
    if np.max(distances_m) < ENOUGH_DISTANCES * np.min(distances_m):
        yield f"all samples are at one distance, {np.mean(distances_m):.2f} m: take some nearer and some farther"
    pixels = np.concatenate([sighting.corners.pixels for sighting in sightings])
    cells = np.floor(pixels * CELLS / [lens.width_px, lens.height_px]).astype(int).clip(0, CELLS - 1)
    seen = np.zeros((CELLS, CELLS), bool)
    seen[cells[:, 1], cells[:, 0]] = True
    if seen.mean() < ENOUGH_CELLS:
        empty = {"left": seen[:, 0], "right": seen[:, -1], "upper": seen[0], "lower": seen[-1]}
        sides = [name for name, side in empty.items() if side.mean() <= 0.5]
        where = f"its {' and '.join(sides)} part" if 0 < len(sides) < 3 else "its corners"
        yield f"the board covers {100 * seen.mean():.0f} % of the picture: bring it into {where}"


def turns(sightings: Sequence[Sighting]) -> tuple[np.ndarray, np.ndarray]:
    """By how many degrees samples are turned against each other about three axes, largest first [3], and these axes in
    the base frame [3, 3].
    """
    carriers = np.stack([s.base_from_carrier for s in sightings if s.base_from_carrier is not None])
    first, second = np.triu_indices(len(carriers), 1)
    between = carriers[second, :3, :3] @ np.swapaxes(carriers[first, :3, :3], 1, 2)
    vectors = np.degrees(Rotation.from_matrix(between).as_rotvec())
    squares, axes = np.linalg.eigh(vectors.T @ vectors / len(vectors))
    return np.sqrt(np.maximum(squares[::-1], 0.0)), axes.T[::-1]


def camera_from_board(fit: Fit, sighting: Sighting) -> np.ndarray:
    """Where the board was before the camera, [4, 4]."""
    if sighting.base_from_carrier is None:
        return fit.unknowns.camera_from_board[sighting.name]
    return inverse(fit.unknowns.base_from_camera) @ sighting.base_from_carrier @ fit.unknowns.carrier_from_board


def _focal_std(fit: Fit) -> float:
    return float(np.max(fit.std("lens")[:2] / fit.unknowns.lens.focal_and_centre_px[:2]))
