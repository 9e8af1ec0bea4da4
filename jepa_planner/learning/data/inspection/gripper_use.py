"""How often the gripper acts, and whether it holds anything then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepa_planner.core.arm_layout import GRIPPER, MEASURED
from jepa_planner.learning.data.contact_segments import GRASP, PUSH, ContactThresholds, contact_segments
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.inspection.judgement import Judgement, Level

CLOSED, OPEN = 0.6, 0.4
"""Measured or commanded closures beyond which fingers have closed, or opened again."""
FIXED = 0.05
"""Fingers that never move by more belong to no gripper."""
SELDOM = 0.3


@dataclass(frozen=True)
class GripperUse:
    """For each episode [E]: how often it closed, how often it held something, how often it pushed along the table.
    fixed: there is nothing that closes. told: what was asked of it is told, beside where its fingers are.
    """

    closings: np.ndarray
    grasps: np.ndarray
    pushes: np.ndarray
    fixed: bool
    told: bool

    @classmethod
    def of(cls, episodes: Episodes) -> GripperUse:
        """From the arm's own states, recorded frames alone."""
        closings, grasps, pushes = [], [], []
        for states, length in zip(episodes.states, episodes.lengths, strict=True):
            own = states[: length + 1]
            kinds = [segment.kind for segment in contact_segments(own)]
            closings.append(_closings(own[:, GRIPPER]))
            grasps.append(kinds.count(GRASP))
            pushes.append(kinds.count(PUSH))
        fingers = episodes.states[..., [GRIPPER, MEASURED]]
        fixed = bool(np.ptp(fingers, axis=(0, 1)).max() < FIXED)
        told = bool(np.abs(np.diff(fingers, axis=-1)).max() > FIXED)
        return cls(np.array(closings), np.array(grasps), np.array(pushes), fixed, told)


def judge_gripper(use: GripperUse) -> Judgement:
    """Whether what a gripper does can be learned."""
    topic, count = "gripper", len(use.closings)
    closings, grasps, pushes = (int(each.sum()) for each in (use.closings, use.grasps, use.pushes))
    says = (
        f"it closes {closings / count:.1f} times in an episode, holds something {grasps / count:.1f} times ({grasps} "
        f"in all) and pushes {pushes / count:.1f} times"
    )
    numbers = {"closings": closings, "grasps": grasps, "pushes": pushes, "fixed": use.fixed, "told": use.told}
    if use.fixed:
        return Judgement(topic, Level.GOOD, "it never moves: taken as fixed", "", numbers)
    if not use.told and grasps:
        return Judgement(
            topic, Level.WARNING, f"{says}; what was asked of it is nowhere told, only where its fingers were: who "
            "closes it just so far holds without force",
            "record what the gripper is told (gripper_commands in recording.yaml), as closure_commanded", numbers,
        )  # fmt: skip
    if closings >= count * SELDOM and grasps < closings / 10:
        return Judgement(
            topic, Level.WARNING, f"{says}: it mostly closes on nothing, or its closed end is wrong: while something "
            f"is held, closure_measured has to stay below {ContactThresholds().holding:g}",
            "compare gripper_open and gripper_closed with the fingers' own ends", numbers,
        )  # fmt: skip
    if grasps < SELDOM * count and pushes < SELDOM * count:
        return Judgement(
            topic, Level.WARNING, f"{says}: grasps are not learned from so few",
            "take and put things in most episodes, unless only the arm is to be moved", numbers,
        )  # fmt: skip
    return Judgement(topic, Level.GOOD, says, "", numbers)


def _closings(closure: np.ndarray) -> int:
    """How often it went from open to closed."""
    sides = np.where(closure > CLOSED, 1, np.where(closure < OPEN, -1, 0))
    sides = sides[sides != 0]
    return int(((sides[:-1] < 0) & (sides[1:] > 0)).sum())
