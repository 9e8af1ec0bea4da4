"""How late pictures are beside the arm's states, found by cross-correlation.

From one picture to the next much changes where the arm goes far. What changes is compared with how far the arm went
between the same two stamps, both moved by some delay; the delay sought is that with the largest correlation. The arm's
way is interpolated, so delays between two samples are found too. Nothing is known of cameras, arms or scenes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SIDE_PX = 32
"""Pictures are compared at this size, at which noise of single pixels is averaged out."""
LEVER_M = 0.1
"""A turn of the hand shows as much as a way so many times as long per rad."""
LEAST_R = 0.5
"""Pictures that have less to do with the arm than this tell no delay."""
BETWEEN_SAMPLES = 0.2
"""Where an arm is between two samples is known to this share of the time between them."""
LEAST_INTERVALS = 30
WIDEST = 0.4
"""Of the delays tried, as a share of the largest: a wider interval tells nothing."""
STEPS_PER_PERIOD = 10
RESAMPLED = 200
BLOCK_S = 2.0
"""Motion so far apart is taken as independent where the interval of a delay is estimated."""


@dataclass(frozen=True)
class Stretch:
    """Part of a recording without gaps.

    picture_stamps_s [N] and changes [N-1], what changed from each picture to the next in any unit; arm_stamps_s [M] and
    poses [M, 3] or [M, 6] of the tcp, in m and rad (extrinsic xyz), of the same clock.
    """

    picture_stamps_s: np.ndarray
    changes: np.ndarray
    arm_stamps_s: np.ndarray
    poses: np.ndarray


@dataclass(frozen=True)
class Delay:
    """Pictures show the arm of `delay_s` before their stamps, with 95 % between low_s and high_s; negative: of later.

    r: correlation at that delay, at_zero: without one. candidates_s [D] and curve [D]: all delays tried. known: whether
    the arm moved so that the delay can be told at all.
    """

    delay_s: float
    low_s: float
    high_s: float
    r: float
    at_zero: float
    known: bool
    candidates_s: np.ndarray
    curve: np.ndarray


def camera_delay(
    picture_stamps_s: np.ndarray,
    pictures: Iterable[np.ndarray],
    arm_stamps_s: np.ndarray,
    poses: np.ndarray,
    most_s: float = 0.5,
) -> Delay:
    """Of one camera's pictures [N] of uint8 [H, W, 3], which are read one after the other; see `Stretch`."""
    return find_delay([Stretch(picture_stamps_s, picture_changes(pictures), arm_stamps_s, poses)], most_s)


def picture_changes(pictures: Iterable[np.ndarray]) -> np.ndarray:
    """Mean absolute difference (of 255) [N-1] of each picture uint8 [H, W, 3] from the one before."""
    before, changes = None, []
    for picture in pictures:
        height, width = picture.shape[:2]
        shrink = min(1.0, SIDE_PX / max(height, width))
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        if before is not None:
            changes.append(float(np.abs(small - before).mean()))
        before = small
    return np.array(changes)


def find_delay(stretches: Sequence[Stretch], most_s: float = 0.5) -> Delay:
    """The delay of at most `most_s` either way; see `Delay`. It is the more certain the less evenly the arm moves.

    Raises ValueError where pictures, changes, stamps and poses do not go together.
    """
    for stretch in stretches:
        _check(stretch)
    gaps = [np.diff(stretch.picture_stamps_s) for stretch in stretches]
    period_s = float(np.median(np.concatenate(gaps))) if gaps and sum(map(len, gaps)) else most_s
    count = max(4, round(most_s / period_s * STEPS_PER_PERIOD))
    candidates = most_s * np.arange(-count, count + 1) / count
    blocks = [block for stretch in stretches for block in _blocks(stretch, candidates, period_s)]
    intervals = sum(len(changes) for changes, _ in blocks)
    if intervals < LEAST_INTERVALS:
        return Delay(0.0, -most_s, most_s, 0.0, 0.0, False, candidates, np.zeros(len(candidates)))
    changed = np.concatenate([changes for changes, _ in blocks])
    ceiling = 3.0 * float(np.quantile(changed, 0.95))  # a light that is switched on is not motion
    sums = np.stack([_sums(np.minimum(changes, ceiling), ways) for changes, ways in blocks])
    curve = _correlations(sums.sum(axis=0))
    drawn = np.random.default_rng(0).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLED)
    resampled = _correlations(np.einsum("rb,bdk->rdk", drawn, sums))
    found = np.array([_summit(candidates, one) for one in resampled])
    arm_period_s = max(float(np.median(np.diff(stretch.arm_stamps_s))) for stretch in stretches)
    low_s, high_s = np.quantile(found, [0.025, 0.975]) + np.array([-1, 1]) * BETWEEN_SAMPLES * arm_period_s
    best, r = _summit(candidates, curve), float(curve.max())
    inside = 0 < curve.argmax() < len(curve) - 1
    known = bool(r > LEAST_R and inside and high_s - low_s < WIDEST * most_s)
    return Delay(best, float(low_s), float(high_s), r, float(curve[count]), known, candidates, curve)


def _check(stretch: Stretch) -> None:
    pictures, arm = stretch.picture_stamps_s, stretch.arm_stamps_s
    if len(stretch.changes) != max(0, len(pictures) - 1) or len(stretch.poses) != len(arm):
        raise ValueError(
            f"{len(pictures)} pictures with {len(stretch.changes)} changes, {len(arm)} stamps of the arm with "
            f"{len(stretch.poses)} poses; expected one change less than pictures, and as many poses as stamps"
        )
    for what, stamps in (("pictures", pictures), ("arm", arm)):
        if len(stamps) > 1 and np.diff(stamps).min() <= 0.0:
            raise ValueError(f"stamps of the {what} do not grow throughout: sort them, and take each but once")


def _blocks(stretch: Stretch, candidates: np.ndarray, period_s: float) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Changes [B] and, for each delay, the arm's ways [D, B] in the same intervals; long gaps are left out."""
    begins, ends = stretch.picture_stamps_s[:-1], stretch.picture_stamps_s[1:]
    if not len(begins) or len(stretch.arm_stamps_s) < 2:
        return
    most_s = candidates[-1]
    covered = (begins - most_s >= stretch.arm_stamps_s[0] - 1e-9) & (ends + most_s <= stretch.arm_stamps_s[-1] + 1e-9)
    chosen = np.flatnonzero(covered & (ends - begins < 3.0 * period_s))
    poses = np.array(stretch.poses[:, :6], float)
    poses[:, 3:] = LEVER_M * np.unwrap(poses[:, 3:], axis=0)
    block = np.floor((begins[chosen] - begins[0]) / max(BLOCK_S, 8.0 * period_s))
    for number in np.unique(block):
        rows = chosen[block == number]
        first, last = (
            _at(stretch.arm_stamps_s, poses, stamps[rows] - candidates[:, None]) for stamps in (begins, ends)
        )
        yield stretch.changes[rows], np.linalg.norm(last - first, axis=-1)


def _at(stamps_s: np.ndarray, poses: np.ndarray, when_s: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(when_s, stamps_s, channel) for channel in poses.T], axis=-1)


def _sums(changes: np.ndarray, ways: np.ndarray) -> np.ndarray:
    """What correlations are made of, for each delay [D, 6]; those of blocks can be added."""
    one, zero = np.ones_like(ways), np.zeros_like(ways)
    parts = (one, zero + changes, ways, zero + changes**2, ways**2, changes * ways)
    return np.stack([part.sum(axis=1) for part in parts], axis=-1)


def _correlations(sums: np.ndarray) -> np.ndarray:
    count, one, other, one_square, other_square, product = np.moveaxis(sums, -1, 0)
    covariance = product - one * other / count
    spread = (one_square - one**2 / count) * (other_square - other**2 / count)
    return covariance / np.sqrt(np.maximum(spread, 1e-18))


def _summit(candidates: np.ndarray, curve: np.ndarray) -> float:
    """Where a curve is highest, between its points."""
    top = int(curve.argmax())
    if top in (0, len(curve) - 1):
        return float(candidates[top])
    left, middle, right = curve[top - 1 : top + 2]
    bend = left - 2.0 * middle + right
    aside = 0.5 * (left - right) / bend if bend < 0.0 else 0.0
    return float(candidates[top] + aside * (candidates[1] - candidates[0]))
