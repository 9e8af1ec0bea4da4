"""Whether arm and gripper do what they are told: what is measured, against what is commanded."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from jepa_planner.control.kinematics import rotation_vector
from jepa_planner.core.status import OK, Status, StatusCode

Pose = tuple[np.ndarray, np.ndarray]
"""Position [3] (m) and rotation [3, 3]."""

UNDONE_SHARE = 0.5
"""An arm that has more than this share of a motion still before it has not followed."""
LATE_S = 0.5
"""So long after a motion's last setpoint an arm may still be on its way."""
UNFOLLOWED_MOTIONS, UNFOLLOWED_M, UNFOLLOWED_RAD = 2, 0.02, 0.08
"""So many motions in a row that are not followed, and so much that was not made, are a fault: an arm may meet
something, and give way to it.
"""
JUDGED_M, JUDGED_RAD = 0.002, 0.01
"""Shorter motions of the tcp are not judged: they are lost in friction and noise."""
STROKE_SHARE = 0.4
"""A gripper that is told to go a smaller share of its stroke is not judged."""
OPEN_CLOSURE = 0.03
"""A gripper that is told to close is judged only where it is as good as open: elsewhere it may hold something."""
STILL_CLOSURE, STILL_S = 0.02, 1.0
"""It has not moved at all when its closure has stayed within that for so long."""
MOVED_CLOSURE = 0.1
"""A resting gripper that goes so much further away from where it is told to be was moved by others."""


@dataclass(frozen=True)
class _Motion:
    """The tcp (m, rotation [3, 3]) as it was measured and commanded when a motion began, and its commanded end."""

    measured: Pose
    commanded: Pose
    end: Pose | None = None
    ended_s: float = 0.0


class ArmFollowing:
    """Judges each motion once: how much of it did the measured tcp make?"""

    def __init__(self) -> None:
        self._motion: _Motion | None = None
        self._unfollowed = 0
        self._lost = np.zeros(2)

    def begin(self, measured: Pose, commanded: Pose) -> None:
        """Notes where the tcp is, and is told to be, as a motion begins."""
        self._motion = _Motion(measured, commanded)

    def end(self, now_s: float, commanded: Pose) -> None:
        """Notes where the tcp was told to be at the end of the motion."""
        if self._motion is not None:
            self._motion = replace(self._motion, end=commanded, ended_s=now_s)

    def judge(self, now_s: float, measured: Pose, last_look: bool = False) -> Status:
        """Looks at where the tcp is measured after a motion; last_look: before the next one.

        Not OK after the last of several motions that were not followed.
        """
        motion = self._motion
        if motion is None or motion.end is None:
            return OK
        asked = _way(motion.commanded, motion.end)
        lost = np.array([_lost(way, made) for way, made in zip(asked, _way(motion.measured, measured), strict=True)])
        lengths = np.array([np.linalg.norm(way) for way in asked])
        is_judged = lengths > (JUDGED_M, JUDGED_RAD)
        is_unfollowed = bool(np.any(is_judged & (lost > UNDONE_SHARE * lengths)))
        if is_unfollowed and not last_look and 0.0 <= now_s - motion.ended_s < LATE_S:
            return OK
        self._motion = None
        if is_unfollowed:
            self._unfollowed, self._lost = self._unfollowed + 1, self._lost + lost
        elif np.any(is_judged):
            self._unfollowed, self._lost = 0, np.zeros(2)
        if self._unfollowed < UNFOLLOWED_MOTIONS or np.all(self._lost < (UNFOLLOWED_M, UNFOLLOWED_RAD)):
            return OK
        of = f"of its last {self._unfollowed} motions it did not make {self._lost[0]:.3f} m and {self._lost[1]:.2f} rad"
        self._unfollowed, self._lost = 0, np.zeros(2)
        return Status(StatusCode.ARM_NOT_FOLLOWING, f"the arm does not follow: {of}; is its controller active?")


def _way(before: Pose, after: Pose) -> tuple[np.ndarray, np.ndarray]:
    """From one pose to another: a translation [3] (m) and a turn [3] (rad)."""
    return after[0] - before[0], rotation_vector(after[1] @ before[1].T)


def _lost(asked: np.ndarray, made: np.ndarray) -> float:
    """How much of what was asked was not made, along its direction."""
    length = float(np.linalg.norm(asked))
    return 0.0 if length == 0.0 else max(0.0, length - float(asked @ made) / length)


class GripperFollowing:
    """Judges a gripper that stays where it is though it is told to go a good part of its stroke."""

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._at = 0.0
        self._nearest: float | None = None

    def begin(self) -> None:
        """Notes that a motion begins, in which the gripper may go anywhere."""
        self._nearest = None

    def was_moved(self, told: float, measured: float) -> bool:
        """Looks at closures of a gripper at rest: has it been where it is told to be, and then gone away from there?

        One that has not come there does not follow, which is for `judge` to say. What gives way between the fingers
        lets them go on to where they are told to be.
        """
        off = abs(measured - told)
        if self._nearest is None:
            self._nearest = None if _is_far(told, measured) else off
            return False
        if off > self._nearest + MOVED_CLOSURE:
            self._nearest = None
            return True
        self._nearest = min(self._nearest, off)
        return False

    def judge(self, now_s: float, told: float, measured: float) -> Status:
        """Looks at closures, 0 open to 1 closed; not OK once, and again after a further while."""
        if not _is_far(told, measured):
            self._since_s = None
            return OK
        if self._since_s is None or abs(measured - self._at) > STILL_CLOSURE or now_s < self._since_s:
            self._since_s, self._at = now_s, measured
        if now_s - self._since_s < STILL_S:
            return OK
        self._since_s = None
        at = f"told to close to {told:.2f}, it stays at {max(0.0, measured):.2f} (0 open, 1 closed)"
        text = f"the gripper does not move: {at}"
        return Status(StatusCode.GRIPPER_NOT_FOLLOWING, f"{text}; is its controller active?")


def _is_far(told: float, measured: float) -> bool:
    """Whether a gripper is a good part of its stroke from where it is told to be, and holds nothing."""
    return measured - told > STROKE_SHARE or (told - measured > STROKE_SHARE and measured < OPEN_CLOSURE)
