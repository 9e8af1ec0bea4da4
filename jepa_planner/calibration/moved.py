"""By how much a camera has moved since it was calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import cv2
import numpy as np

from jepa_planner.calibration.adjustment import Adjustment, Noise, Sighting, Unknowns
from jepa_planner.calibration.hand_eye import board_pose
from jepa_planner.calibration.lens import Lens
from jepa_planner.calibration.transforms import from_quaternion, inverse, moved, transform, turn_rad, xyz_m
from jepa_planner.core.camera_calibration import CameraCalibration

STDS = 2.0
"""A place or a turn that is so uncertain counts as moved by no more than it must be."""
MATCH_RATIO, LEAST_MATCHES, LEAST_SHARE = 0.75, 20, 0.4
"""A feature counts that is so much more like its match than like any other; so many, and this share, must agree."""
MATCH_PX = 2.5
FARTHEST_M = 5.0


class CheckError(ValueError):
    """Pictures that do not tell whether the camera has moved; the message says why."""


@dataclass(frozen=True)
class Movement:
    """What changed since: pixels of what stands still, and where known place (m, base frame) and turn, with their
    standard deviations; for an estimate from pictures alone these are unknown.
    """

    shift_px: float
    shift_m: np.ndarray | None = None
    turn_rad: float | None = None
    std_m: float = 0.0
    std_rad: float = 0.0
    roll_deg: float = 0.0
    """By how much the picture turned about its middle."""

    def exceeds(self, most_px: float, most_m: float, most_rad: float, by_pixels: bool) -> bool:
        """Whether more has changed than may; by_pixels: place and turn are estimates that decide nothing."""
        if self.shift_px > most_px or by_pixels:
            return self.shift_px > most_px
        assert self.shift_m is not None and self.turn_rad is not None
        beyond_m = float(np.linalg.norm(self.shift_m)) - STDS * self.std_m
        return beyond_m > most_m or self.turn_rad - STDS * self.std_rad > most_rad


def by_board(camera: CameraCalibration, sightings: Sequence[Sighting]) -> Movement:
    """From pictures of the board at known places; raises CheckError where the calibration keeps none."""
    if (placed := camera.board_pose) is None:
        raise CheckError(f"the calibration of {camera.view} keeps no board; check it by its reference picture")
    lens, carrier_from_board = Lens.of(camera), from_quaternion(placed.xyz_m, placed.quaternion_xyzw)
    before = from_quaternion(camera.xyz_m, camera.quaternion_xyzw)
    off = []
    for sighting in sightings:
        assert sighting.base_from_carrier is not None
        board = sighting.base_from_carrier @ carrier_from_board
        off.append(lens.project(moved(inverse(before) @ board, sighting.corners.points_m)) - sighting.corners.pixels)
    first = sightings[0]
    assert first.base_from_carrier is not None
    start = first.base_from_carrier @ carrier_from_board @ inverse(board_pose(lens, first.corners))
    adjustment = Adjustment(sightings, lens=False, board=False)
    fit = adjustment.fit_with_noise(Unknowns(lens, start, carrier_from_board), Noise())
    now = fit.unknowns.base_from_camera
    shift_px = float(np.sqrt(np.mean(np.sum(np.concatenate(off) ** 2, axis=1))))
    stds = float(np.linalg.norm(fit.std("camera")[3:])), float(np.linalg.norm(fit.turn_std_rad()))
    return Movement(shift_px, now[:3, 3] - before[:3, 3], turn_rad(inverse(before) @ now), *stds)


def by_picture(camera: CameraCalibration, before: np.ndarray, now: np.ndarray) -> Movement:
    """From two pictures of the scene, uint8 RGB [H, W, 3] of one size; where the table's height is known, with an
    estimate of place and turn that holds as far as what both show lies on the table.

    Raises CheckError where too little of the one is found in the other.
    """
    camera = camera.at_size(now.shape[1], now.shape[0])
    seen_before, seen_now = _matches(before, now)
    if len(seen_before) < LEAST_MATCHES:
        _refuse(before, now, len(seen_before))
    lens = Lens.of(camera)
    focal_px = float(lens.focal_and_centre_px[:2].mean())
    rays_before, rays_now = lens.rays(seen_before), lens.rays(seen_now)
    homography, agree = cv2.findHomography(rays_before * focal_px, rays_now * focal_px, cv2.RANSAC, MATCH_PX)
    agrees = np.zeros(0, bool) if homography is None else agree.ravel().astype(bool)
    if agrees.sum() < max(LEAST_MATCHES, LEAST_SHARE * len(seen_before)):
        _refuse(before, now, int(agrees.sum()))
    shifts = seen_now[agrees] - seen_before[agrees]
    roll_deg = float(np.degrees(np.arctan2(homography[1, 0] - homography[0, 1], homography[0, 0] + homography[1, 1])))
    shift_px = float(np.median(np.linalg.norm(shifts, axis=1)))
    pose = _on_table(camera, lens, rays_before[agrees], seen_now[agrees])
    if pose is None:
        return Movement(shift_px, roll_deg=roll_deg)
    base_from_camera = from_quaternion(camera.xyz_m, camera.quaternion_xyzw)
    turn = turn_rad(inverse(base_from_camera) @ pose)
    return Movement(shift_px, np.array(xyz_m(pose)) - camera.xyz_m, turn, roll_deg=roll_deg)


def _refuse(before: np.ndarray, now: np.ndarray, found: int) -> NoReturn:
    if len(_matches(before, now[:, ::-1])[0]) > 3 * max(found, LEAST_MATCHES):
        raise CheckError("the picture is mirrored: turn that off in the camera's driver")
    raise CheckError(
        f"{found} places of the reference picture are found, at least {LEAST_MATCHES} are needed: another camera, "
        "another scene, or much darker"
    )


def _matches(before: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of features in both pictures, [N, 2] each."""
    finder = cv2.SIFT.create(2000)
    found = [
        finder.detectAndCompute(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY), None)
        for picture in (before, now)
    ]
    (points, looks), (points_now, looks_now) = found
    if looks is None or looks_now is None or len(looks_now) < 2:
        return np.zeros((0, 2)), np.zeros((0, 2))
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(looks, looks_now, 2)
    good = [first for first, second in pairs if first.distance < MATCH_RATIO * second.distance]
    if len(good) < 4:
        return np.zeros((0, 2)), np.zeros((0, 2))
    seen = np.array([points[match.queryIdx].pt for match in good])
    return seen, np.array([points_now[match.trainIdx].pt for match in good])


def _on_table(camera: CameraCalibration, lens: Lens, rays_before: np.ndarray, pixels: np.ndarray) -> np.ndarray | None:
    """base_from_camera that sees places of the table at pixels [N, 2]; None where that cannot be told."""
    if camera.table_z_m is None:
        return None
    directions = np.column_stack([rays_before, np.ones(len(rays_before))]) @ camera.rotation.T
    with np.errstate(divide="ignore", invalid="ignore"):
        away = (camera.table_z_m - camera.xyz_m[2]) / directions[:, 2]
    there = np.isfinite(away) & (away > 0.0) & (away * np.linalg.norm(directions, axis=1) < FARTHEST_M)
    if there.sum() < LEAST_MATCHES:
        return None
    places = np.array(camera.xyz_m) + away[there, None] * directions[there]
    focal_px = float(lens.focal_and_centre_px[:2].mean())
    back = inverse(transform(camera.xyz_m, camera.rotation))
    turn, place = cv2.Rodrigues(back[:3, :3])[0], back[:3, 3].reshape(3, 1)
    good, turn, place, _ = cv2.solvePnPRansac(
        places, lens.rays(pixels[there]), np.eye(3), None, turn, place, True, 500, MATCH_PX / focal_px
    )
    return inverse(transform(place.ravel(), cv2.Rodrigues(turn)[0])) if good else None
