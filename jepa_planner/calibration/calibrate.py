"""From samples to a calibration: a start that stands wrong samples, the adjustment, what was bad, what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from jepa_planner.calibration.adjustment import (
    Adjustment,
    Fit,
    Noise,
    Sighting,
    Touch,
    Unknowns,
)
from jepa_planner.calibration.advice import CalibrationRefused, missing, refuse_degenerate, refuse_uncertain
from jepa_planner.calibration.board import Corners
from jepa_planner.calibration.find_lens import find_lens
from jepa_planner.calibration.hand_eye import board_pose, robust_start
from jepa_planner.calibration.lens import Lens
from jepa_planner.calibration.transforms import inverse, moved, transform

FIRST_LOSS_STDS = 10.0
BAD_SHARE, BAD_PX, BAD_ARM_STDS = 3.0, 1.0, 5.0
"""A sample is left out whose corners are off by more than so many times the median of samples, and so many pixels; or
whose pose is wrong by as much more than others are, and so many standard deviations.
"""
BAD_CORNERS = 8.0
"""A corner is, that is off by more than so many times the median of all, and the same pixels."""
MOST_BAD = 1 / 3
SCALE_STDS, SCALE_OFF, SCALE_WORTH_A_WORD = 5.0, 0.02, 0.004
"""A board is of another size than was said where it is so many standard deviations, and the first share, away."""
LEAST_PICTURES = 3
"""For a lens."""
TOUCH_OFF_M = 0.005


@dataclass(frozen=True)
class Calibrated:
    """The fit, the samples that were kept, in words how far those are off that were left out, and what is missing."""

    fit: Fit
    kept: tuple[Sighting, ...]
    left_out: dict[str, str]
    notes: tuple[str, ...]


def calibrate(
    sightings: Sequence[Sighting],
    size_px: tuple[int, int],
    model: str,
    square_mm: float,
    given: Lens | None = None,
    touch: Touch | None = None,
    seed: int = 0,
) -> Calibrated:
    """The camera's pose, and its lens where none is given; the same samples and seed give the same.

    size_px: of the pictures, width and height. touch: the board lies still, and all carriers are the base; else it
    hangs on the tcp. Raises CalibrationRefused saying what to do.
    """
    carried = [sighting for sighting in sightings if sighting.base_from_carrier is not None]
    if touch is None:
        refuse_degenerate(carried)
    elif not carried:
        raise CalibrationRefused("no picture shows the board where it was touched, take one")
    if given is None and len(sightings) < LEAST_PICTURES:
        raise CalibrationRefused(
            f"{len(sightings)} pictures do not tell the lens, {LEAST_PICTURES} at least are needed: "
            "add some of the board held and tilted by hand, or give the lens by camera_info and keep it"
        )
    lens, noise = (given, Noise()) if given else find_lens(*size_px, model, sightings)
    boards = {sighting.name: board_pose(lens, sighting.corners) for sighting in sightings}
    if touch is None:
        start = robust_start(lens, carried, [boards[s.name] for s in carried], np.random.default_rng(seed))
    else:
        start = _touched_start(lens, carried, boards, touch)
    start = Unknowns(lens, start.base_from_camera, start.carrier_from_board, boards, start.scale)
    fit = Adjustment(sightings, given is None, True, touch).fit(start, noise, "cauchy", FIRST_LOSS_STDS)
    kept, left_out = _without_bad(list(sightings), fit)
    if touch is None:
        refuse_degenerate([sighting for sighting in kept if sighting.base_from_carrier is not None])
    fit = Adjustment(kept, given is None, True, touch).fit_with_noise(fit.unknowns, noise)
    size_notes = _judge_size(fit, square_mm, touch)
    unknowns = fit.unknowns
    start = Unknowns(unknowns.lens, unknowns.base_from_camera, unknowns.carrier_from_board, unknowns.camera_from_board)
    fit = Adjustment(kept, given is None, False, touch).fit_with_noise(start, fit.noise)
    refuse_uncertain(fit)
    if touch is not None:
        _refuse_other_touch(fit, touch)
    return Calibrated(fit, tuple(kept), left_out, (*size_notes, *missing(fit, kept, touch is None)))


def sample_errors_px(fit: Fit) -> dict[str, float]:
    """How far corners are off in each sample, root mean square."""
    return {name: float(np.sqrt(np.mean(np.sum(left**2, axis=1)))) for name, left in fit.left_px.items()}


def _sizes(off: np.ndarray) -> np.ndarray:
    return np.linalg.norm(off.reshape(2, 3), axis=1)


def _without_bad(sightings: list[Sighting], fit: Fit) -> tuple[list[Sighting], dict[str, str]]:
    """The samples that agree, of their corners those that do, and in words by how much others do not."""
    # by the median: corners that were found wrongly spoil no sample
    errors = {name: float(np.median(np.linalg.norm(left, axis=1))) for name, left in fit.left_px.items()}
    most = max(BAD_PX, BAD_SHARE * float(np.median(list(errors.values()))))
    left_out = {name: f"{error:.0f} px" for name, error in errors.items() if error > most}
    wrong = {name: _sizes(off) for name, off in fit.arm_off.items()}
    if wrong:
        usual = np.median(list(wrong.values()), axis=0)
        most_wrong = np.maximum(BAD_ARM_STDS * Noise().arm()[[0, 3]], BAD_SHARE * usual)
        for name, (turn_rad, shift_m) in wrong.items():
            if name not in left_out and (turn_rad > most_wrong[0] or shift_m > most_wrong[1]):
                left_out[name] = f"{1000 * shift_m:.0f} mm and {np.degrees(turn_rad):.1f} degrees"
    if len(left_out) > MOST_BAD * len(sightings):
        raise CalibrationRefused(
            f"{len(left_out)} of {len(sightings)} samples contradict the others, as {next(iter(left_out.items()))}: is "
            "the pose that of the tcp in the base frame, taken with the arm at rest, and is the board fixed to it?"
        )
    usual_px = float(np.median(np.concatenate([np.linalg.norm(left, axis=1) for left in fit.left_px.values()])))
    kept = []
    for sighting in (sighting for sighting in sightings if sighting.name not in left_out):
        good = np.linalg.norm(fit.left_px[sighting.name], axis=1) < max(BAD_PX, BAD_CORNERS * usual_px)
        corners = Corners(sighting.corners.pixels[good], sighting.corners.points_m[good])
        kept.append(replace(sighting, corners=corners))
    return kept, left_out


def _touched_start(lens: Lens, carried: Sequence[Sighting], boards: dict[str, np.ndarray], touch: Touch) -> Unknowns:
    """The board where it was touched, and the camera where the best of the pictures sees it."""
    middle, middle_base = touch.places_m.mean(axis=0), touch.base_m.mean(axis=0)
    left, _, right = np.linalg.svd((touch.base_m - middle_base).T @ (touch.places_m - middle))
    rotation = left @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ right
    base_from_board = transform(middle_base - rotation @ middle, rotation)

    def off_px(sighting: Sighting) -> float:
        seen = lens.project(moved(boards[sighting.name], sighting.corners.points_m))
        return float(np.median(np.linalg.norm(seen - sighting.corners.pixels, axis=1)))

    best = min(carried, key=off_px)
    return Unknowns(lens, base_from_board @ inverse(boards[best.name]), base_from_board)


def _judge_size(fit: Fit, square_mm: float, touch: Touch | None) -> list[str]:
    """A note where the board is of a slightly other size than was said; raises CalibrationRefused where of quite one.

    Pictures alone do not tell sizes: what does is how the arm moved the board, or where it was touched.
    """
    off, std = abs(fit.unknowns.scale - 1.0), float(fit.std("scale")[0])
    by = "the arm's motion" if touch is None else "the corners that were touched"
    looks = f"{fit.unknowns.scale * square_mm:.{1 if off > SCALE_OFF else 2}f} mm"
    if off > max(SCALE_OFF, SCALE_STDS * std):
        raise CalibrationRefused(
            f"your squares look like {looks} by {by}, you said {square_mm:g}: measure several in a row and give "
            "--square-mm and --marker-mm"
        )
    if off > max(SCALE_WORTH_A_WORD, SCALE_STDS * std):
        return [f"your squares look like {looks} by {by}, you said {square_mm:g}: measure several in a row"]
    return []


def _refuse_other_touch(fit: Fit, touch: Touch) -> None:
    off_m = np.linalg.norm(moved(fit.unknowns.carrier_from_board, touch.places_m) - touch.base_m, axis=1)
    if (worst := float(off_m.max())) > TOUCH_OFF_M:
        raise CalibrationRefused(
            f"the corners that were touched are no board's: {1000 * worst:.0f} mm off; touch those printed 1, 2 and 3 "
            "in this order, with the tip that is the tcp"
        )
