"""How often things move, seen in pictures alone: what stays changed where the arm is not.

A window has four frames, two seconds in between at 4 Hz, and four frames. A thing was moved if a spot of the table,
free of the arm before and after, looked one way all the time before and another way all the time after.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from jepa_planner.learning.data.inspection.arm_region import DIFFERS, ArmRegion
from jepa_planner.learning.data.inspection.judgement import Judgement, Level
from jepa_planner.learning.data.inspection.seen import Seen

SIDE_FRAMES, BETWEEN_S = 4, 2.0
SPOT_SHARE = 4 / 4096
"""Of a picture, the smallest spot that is a thing."""
FEW, HARDLY = 0.15, 0.08
"""Of windows; in the simulator 0.05 are found where nothing moves, and half of those where something does."""
LEAST_WINDOWS = 20


@dataclass(frozen=True)
class ObjectMotion:
    """moved: for each episode looked at, whether something moved in each of its windows, bool [W]; told: whether
    any view could be looked at. between: frames from the last one before to the first one after.
    """

    moved: tuple[np.ndarray, ...]
    told: bool
    between: int

    @property
    def of_windows(self) -> float:
        """Share of windows in which something moved."""
        return float(np.concatenate(self.moved).mean()) if self.told else 0.0

    @property
    def of_episodes(self) -> float:
        """Share of episodes with such a window."""
        return float(np.mean([windows.any() for windows in self.moved])) if self.told else 0.0


def object_motion(seen: Seen, region: ArmRegion, time_step_s: float) -> ObjectMotion:
    """Looks at every window of the episodes seen, one beginning where the last one's pause ended."""
    between = max(SIDE_FRAMES, round(BETWEEN_S / time_step_s))
    views = np.flatnonzero(region.fixed)
    moved = []
    for pictures, hidden in zip(seen.pictures, region.hidden, strict=True):
        begins = range(SIDE_FRAMES - 1, len(pictures) - between - SIDE_FRAMES + 1, between)
        moved.append(np.array([_changes(pictures, hidden, views, begin, begin + between) for begin in begins], bool))
    told = bool(len(views)) and sum(map(len, moved)) >= LEAST_WINDOWS
    return ObjectMotion(tuple(moved), told, between)


def judge_object_motion(motion: ObjectMotion, time_step_s: float) -> Judgement:
    """Whether there is enough to learn what moving things is."""
    topic, pause_s = "things that move", motion.between * time_step_s
    if not motion.told:
        return Judgement(
            topic, Level.GOOD, "not told: cameras move, stand elsewhere in each episode, or there are too few frames "
            "to know where in the pictures the arm is",
        )  # fmt: skip
    numbers = {"of_episodes": round(motion.of_episodes, 3), "of_windows": round(motion.of_windows, 3)}
    says = (
        f"in {motion.of_episodes:.0%} of the episodes, and in {motion.of_windows:.0%} of all {pause_s:g} s, pictures "
        "show that a thing was moved"
    )
    if motion.of_windows < HARDLY:
        return Judgement(
            topic, Level.WARNING, f"{says}: a model will know the arm and nothing else",
            "push and carry things in most episodes, unless the arm alone is to be moved", numbers,
        )  # fmt: skip
    if motion.of_windows < FEW:
        return Judgement(topic, Level.WARNING, f"{says}, which is little", "record more pushes and grasps", numbers)
    return Judgement(topic, Level.GOOD, says, "", numbers)


def _changes(pictures: np.ndarray, hidden: np.ndarray, views: np.ndarray, last: int, first: int) -> bool:
    """Whether a spot changed between the frames up to `last` and those from `first` on."""
    before, after = slice(last - SIDE_FRAMES + 1, last + 1), slice(first, first + SIDE_FRAMES)
    for view in views:
        (one, one_stays), (other, other_stays) = (
            _settled(pictures[side, view], hidden[side, view]) for side in (before, after)
        )
        spots = one_stays & other_stays & (np.abs(one - other).max(axis=-1) > DIFFERS)
        if spots.any() and _largest(spots) >= SPOT_SHARE * spots.size:
            return True
    return False


def _settled(pictures: np.ndarray, hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What pixels show where the arm is not [h, w, 3], and whether they show it all the time [h, w]."""
    shown, free = pictures.astype(np.float32), ~hidden[..., None]
    most, least = np.where(free, shown, -np.inf).max(axis=0), np.where(free, shown, np.inf).min(axis=0)
    mean = np.where(free, shown, 0.0).sum(axis=0) / np.maximum(free.sum(axis=0), 1)
    return mean, free.any(axis=(0, 3)) & ((most - least).max(axis=-1) < DIFFERS)


def _largest(spots: np.ndarray) -> int:
    count, _, sizes, _ = cv2.connectedComponentsWithStats(spots.astype(np.uint8), connectivity=8)
    return int(sizes[1:, cv2.CC_STAT_AREA].max()) if count > 1 else 0
