"""Whether a camera stood elsewhere in some of the recordings: what stands still in the pictures is laid over another.

Episodes that follow one another in a file are a session. Its background is what most of its pictures agree on. Shift,
turn and brightness that make two backgrounds one are found by least squares. How uncertain that is, halves of one
session tell, between which no camera moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import cv2
import numpy as np

from jepa_planner.learning.data.inspection.arm_region import FIXED_SHARE, differing
from jepa_planner.learning.data.inspection.judgement import Judgement, Level
from jepa_planner.learning.data.inspection.seen import Seen

LEAST_EPISODES, MOST_EPISODES = 4, 20
"""Of those seen, so many make a session: fewer leave the arm and things in its background."""
SESSION_FRAMES = 80
COARSE_TO_FINE = (5.0, 2.5, 1.0)
BORDER_PX, LEAST_PIXELS = 3, 100
LEAST_STILL = 800
"""Fewer pixels that stand still do not tell whether a camera does."""
HALVES, FINEST_PX = 12, 0.05
STILL_SHARE = 0.25
"""Pixels that differ from the background in more pictures belong to the arm's room."""
FAINT_SLOPE = 0.5
"""Motion along which pixels change by less (of 255 per px, in the mean), as along the only edge that there is, is not
seen, and taken as none."""
LEAST_ALIKE = 0.75
"""Backgrounds whose correlation stays below this show something else."""
MOVED_PX = 0.15
"""Of the small picture: less is no motion, or one that does no harm."""
SURE = 4.5
"""A motion so many times as large as its own standard deviation is one."""
ROUNDS = 10


@dataclass(frozen=True)
class Session:
    """Episodes of a file that were recorded one after the other, as numbers of those seen, first to last as numbers of
    all. background uint8 [V, h, w, 3] and still bool [V, h, w]: where all pictures agree. fixed bool [V]: views that
    show a background at all.
    """

    file: str
    numbers: tuple[int, ...]
    first: int
    last: int
    background: np.ndarray
    still: np.ndarray
    fixed: np.ndarray


@dataclass(frozen=True)
class Motion:
    """By how much a picture has moved: shift_px right and down, turn_deg clockwise, as `px` in the middle over the
    picture; alike: correlation of the two when laid over.
    """

    shift_px: tuple[float, float]
    turn_deg: float
    px: float
    alike: float


def sessions(seen: Seen, files: Sequence[str]) -> list[Session]:
    """Those of episodes that stand in so named files [E], in order."""
    found = []
    for file, group in groupby(range(len(seen.numbers)), key=lambda number: files[int(seen.numbers[number])]):
        numbers = list(group)
        parts = max(1, len(numbers) // MOST_EPISODES)
        found += [(file, part.tolist()) for part in np.array_split(numbers, parts)]
    joined: list[tuple[str, list[int]]] = []
    for file, numbers in found:
        if joined and min(len(numbers), len(joined[-1][1])) < LEAST_EPISODES:
            joined[-1] = joined[-1][0], joined[-1][1] + numbers
        else:
            joined.append((file, numbers))
    return [_session(seen, file, numbers) for file, numbers in joined]


def judge_cameras(found: Sequence[Session], seen: Seen) -> Iterator[Judgement]:
    """One judgement for each view: sessions that differ are told, from the one that is most like all others."""
    for view, name in enumerate(seen.views):
        topic = f"place of camera {name}"
        with_view = [session for session in found if session.fixed[view] and session.still[view].sum() > LEAST_STILL]
        if len(with_view) < 2:
            why = (
                "one session alone"
                if len(found) < 2
                else "it moves with the arm, or shows too little that stands still"
            )
            yield Judgement(topic, Level.GOOD, f"not compared: {why}")
            continue
        reference = _most_usual(with_view, view)
        motions = {session.first: motion_between(reference, session, view) for session in with_view}
        yield _judged(topic, reference, with_view, motions, _spread(seen, with_view, view), seen)


def motion_between(one: Session, other: Session, view: int) -> Motion:
    """How the other session's picture lies over the one's."""
    before, after = (_grey(session.background[view]) for session in (one, other))
    return register(before, after, one.still[view] & other.still[view])


def register(before: np.ndarray, after: np.ndarray, counts: np.ndarray) -> Motion:
    """Lays grey pictures float32 [h, w] over one another, by what is seen where `counts` bool [h, w]."""
    found = cv2.phaseCorrelate(before.astype(np.float64), after.astype(np.float64))[0]
    fits = [_Fit.of(before, after, counts, np.array([*start, 0.0])) for start in ((0.0, 0.0), found)]
    best = min(fits, key=lambda fit: fit.left)
    right, down, turn = best.motion
    size = np.array([right, down, turn * _radius(before.shape)])
    return Motion((float(right), float(down)), float(np.degrees(turn)), float(np.linalg.norm(size)), best.alike)


def _spread(seen: Seen, found: Sequence[Session], view: int) -> np.ndarray:
    """Covariance [3, 3] of shift and turn, as _vector has them, where nothing moved."""
    rng = np.random.default_rng(0)
    moved = []
    for draw in range(HALVES):
        session = found[draw % len(found)]
        halves = np.array_split(rng.permutation(session.numbers), 2)
        one, other = (_grey(np.median(_frames(seen, half, view), axis=0).astype(np.uint8)) for half in halves)
        moved.append(_vector(register(one, other, session.still[view]), seen))
    return np.einsum("hi,hj->ij", moved, moved) / HALVES + FINEST_PX**2 * np.eye(3)


def _vector(motion: Motion, seen: Seen) -> np.ndarray:
    """Shift and turn in px."""
    return np.array([*motion.shift_px, np.radians(motion.turn_deg) * _radius(seen.pictures[0].shape[2:4])])


@dataclass(frozen=True)
class _Fit:
    """motion: right and down (px), turn (rad); left: what is left (of 255); alike: correlation when laid over."""

    motion: np.ndarray
    left: float
    alike: float

    @classmethod
    def of(cls, before: np.ndarray, after: np.ndarray, counts: np.ndarray, start: np.ndarray) -> _Fit:
        """By Gauss and Newton with brightness and contrast free, from coarse to fine; single things weigh little."""
        motion, radius = start.astype(float), _radius(before.shape)
        for smoothed_px in COARSE_TO_FINE:
            one, other = (cv2.GaussianBlur(picture, (0, 0), smoothed_px) for picture in (before, after))
            for _ in range(ROUNDS):
                laid, inside = _laid_over(other, motion, counts)
                if inside.sum() < LEAST_PIXELS:
                    return cls(start, np.inf, 0.0)
                slopes = _slopes(laid, radius)[inside]
                normal, answer, _ = _equations(slopes, laid[inside], one[inside])
                held = np.zeros(5)
                held[:3] = len(slopes) * FAINT_SLOPE**2
                answer -= held * [*motion * [1.0, 1.0, radius], 0.0, 0.0]
                step = np.linalg.solve(normal + np.diag(held), answer)[:3] / [1.0, 1.0, radius]
                motion = motion + np.clip(step, -2.0, 2.0)
                if np.abs(step).max() < 1e-3:
                    break
        laid, inside = _laid_over(other, motion, counts)
        _, _, left = _equations(_slopes(laid, radius)[inside], laid[inside], one[inside])
        pair = np.stack([laid[inside], one[inside]])
        alike = float(np.corrcoef(pair)[0, 1]) if pair.std(axis=1).min() > 0.0 else 0.0
        return cls(motion, float(np.abs(left).mean()), alike)


def _laid_over(picture: np.ndarray, motion: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A picture moved back, and where it counts and shows anything."""
    height, width = picture.shape
    right, down, turn = motion
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    warp = np.column_stack([rotation, middle + np.array([right, down]) - rotation @ middle])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(picture, warp, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    rim = np.zeros_like(picture)
    rim[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] = 1.0
    return laid, counts & (rim > 0.0) & (cv2.warpAffine(rim, warp, (width, height), flags=flags) > 0.5)


def _slopes(picture: np.ndarray, radius: float) -> np.ndarray:
    """By how much pixels change with a motion to the right, down, and around the middle, per px [h, w, 3]."""
    height, width = picture.shape
    down, right = np.gradient(picture)
    rows, columns = np.mgrid[:height, :width]
    around = (down * (columns - (width - 1) / 2) - right * (rows - (height - 1) / 2)) / radius
    return np.stack([right, down, around], axis=-1)


def _equations(slopes: np.ndarray, laid: np.ndarray, aim: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal equations [5, 5] and [5] of motion, contrast and brightness; what is left [N]."""
    contrast = float(np.clip(aim.std() / max(float(laid.std()), 1e-6), 0.3, 3.0))
    left = aim - np.median(aim) - contrast * (laid - np.median(laid))
    typical = 1.5 * float(np.median(np.abs(left))) + 1.0
    weight = 1.0 / np.maximum(1.0, np.abs(left) / (2.0 * typical))
    columns = np.column_stack([contrast * slopes, laid - laid.mean(), np.ones(len(laid))])
    return columns.T @ (weight[:, None] * columns) + 1e-3 * np.eye(5), columns.T @ (weight * left), left


def _radius(shape: tuple[int, ...]) -> float:
    """Mean distance of pixels from the middle of a picture of so many rows and columns."""
    return float(np.sqrt((shape[0] ** 2 + shape[1] ** 2) / 12.0))


def _sure(motion: Motion, spread: np.ndarray, seen: Seen) -> float:
    """A motion in standard deviations."""
    size = _vector(motion, seen)
    return float(np.sqrt(size @ np.linalg.solve(spread, size)))


def _session(seen: Seen, file: str, numbers: Sequence[int]) -> Session:
    frames = _frames(seen, numbers)
    background = np.median(frames, axis=0).astype(np.uint8)
    differs = differing(frames, background.astype(np.int16))
    still, fixed = differs.mean(axis=0) < STILL_SHARE, differs.mean(axis=(0, 2, 3)) < FIXED_SHARE
    first, last = (int(seen.numbers[numbers[end]]) for end in (0, -1))
    return Session(file, tuple(numbers), first, last, background, still, fixed)


def _frames(seen: Seen, numbers: Sequence[int] | np.ndarray, view: int | slice = slice(None)) -> np.ndarray:
    """Some frames of episodes, evenly spread: [F, V, h, w, 3], or of one view [F, h, w, 3]."""
    stride = max(1, sum(len(seen.pictures[number]) for number in numbers) // SESSION_FRAMES)
    return np.concatenate([seen.pictures[number][::stride, view] for number in numbers])


def _grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY).astype(np.float32)


def _most_usual(found: Sequence[Session], view: int) -> Session:
    pictures = np.stack([session.background[view].astype(np.int16) for session in found])
    apart = [np.abs(pictures - picture).mean(axis=(1, 2, 3)) for picture in pictures]
    return found[int(np.argmin(np.median(apart, axis=1)))]


def _judged(
    topic: str,
    reference: Session,
    found: Sequence[Session],
    motions: dict[int, Motion],
    spread: np.ndarray,
    seen: Seen,
) -> Judgement:
    moved, strange, pixel_px = [], [], seen.pixel_px
    for session in found:
        motion = motions[session.first]
        where = f"episodes {session.first} to {session.last} ({session.file})"
        if motion.alike < LEAST_ALIKE:
            strange.append(where)
        elif motion.px > MOVED_PX and _sure(motion, spread, seen) > SURE:
            right, down = (pixel_px * shift for shift in motion.shift_px)
            moved.append(
                f"{where}: {right:+.1f} px right, {down:+.1f} px down, turned by {motion.turn_deg:+.1f} degrees"
            )
    numbers = {
        f"{session.first}-{session.last}": {
            "shift_px": [round(pixel_px * shift, 2) for shift in motions[session.first].shift_px],
            "turn_deg": round(motions[session.first].turn_deg, 2),
        }
        for session in found
    }
    if not moved and not strange:
        return Judgement(topic, Level.GOOD, f"the same in all {len(found)} sessions, within 0.3 px of 64", "", numbers)
    says = [f"beside episodes {reference.first} to {reference.last} it stands elsewhere in {one}" for one in moved]
    says += [f"another scene, light or camera in {one}" for one in strange]
    advice = (
        "set it back and record these anew, or train with all of it and more of each: what was learned at one place "
        "does not hold at another"
    )
    return Judgement(topic, Level.WARNING, "; ".join(says), advice, numbers)
