"""Whether arm and gripper do what they are told: what is measured, against what is commanded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepa_planner.control.kinematics import rotation_vector
from jepa_planner.core.status import OK, Status, StatusCode

UNDONE_SHARE = 0.5
"""An arm that rests with more than this share of its way before it has not followed."""
LATE_S = 0.5
"""So long after a motion's last setpoint an arm may still be on its way."""
UNFOLLOWED_MOTIONS = 2
"""So many motions in a row that are not followed are a fault; one alone may have met something."""
JUDGED_M, JUDGED_RAD = 0.01, 0.05
"""Shorter ways of the tcp are not judged: they are lost in what an arm sags."""
STROKE_SHARE = 0.4
"""A gripper that is told to go a smaller share of its stroke is not judged."""
OPEN_CLOSURE = 0.03
"""A gripper that is told to close is judged only where it is as good as open: elsewhere it may hold something."""
STILL_CLOSURE, STILL_S = 0.02, 1.0
"""It has not moved at all when its closure has stayed within that for so long."""


@dataclass(frozen=True)
class _Way:
    """A motion of the tcp: from where it was measured to where it was told to be, and when the last setpoint left."""

    from_m: np.ndarray
    from_rotation: np.ndarray
    to_m: np.ndarray
    to_rotation: np.ndarray
    ended_s: float


class ArmFollowing:
    """Judges each motion once, by where the tcp was measured before and after it."""

    def __init__(self) -> None:
        self._from: tuple[np.ndarray, np.ndarray] | None = None
        self._way: _Way | None = None
        self._unfollowed = 0

    def begin(self, xyz_m: np.ndarray, rotation: np.ndarray) -> None:
        """Notes where the tcp is measured as a motion begins."""
        self._from = xyz_m, rotation

    def end(self, now_s: float, xyz_m: np.ndarray, rotation: np.ndarray) -> None:
        """Notes where the tcp was told to be at the end of the motion."""
        if self._from is not None:
            self._way = _Way(*self._from, xyz_m, rotation, now_s)

    def judge(self, now_s: float, xyz_m: np.ndarray, rotation: np.ndarray, last_look: bool = False) -> Status:
        """Looks at where the tcp is measured after a motion; last_look: before the next one.

        Not OK after the last of several motions that were not followed.
        """
        if (way := self._way) is None:
            return OK
        asked_m, left_m = np.linalg.norm(way.to_m - way.from_m), np.linalg.norm(way.to_m - xyz_m)
        asked_rad = np.linalg.norm(rotation_vector(way.to_rotation @ way.from_rotation.T))
        left_rad = np.linalg.norm(rotation_vector(way.to_rotation @ rotation.T))
        shares = [left_m / asked_m] if asked_m > JUDGED_M else []
        shares += [left_rad / asked_rad] if asked_rad > JUDGED_RAD else []
        if shares and max(shares) > UNDONE_SHARE:
            if not last_look and 0.0 <= now_s - way.ended_s < LATE_S:
                return OK
            self._unfollowed += 1
        elif shares:
            self._unfollowed = 0
        self._way = None
        if self._unfollowed < UNFOLLOWED_MOTIONS:
            return OK
        self._unfollowed = 0
        told = (
            f"told to move {asked_m:.3f} m and {asked_rad:.2f} rad, it rests {left_m:.3f} m and {left_rad:.2f} rad away"
        )
        text = f"the arm does not follow: {told}, {UNFOLLOWED_MOTIONS} times in a row; is its controller active?"
        return Status(StatusCode.ARM_NOT_FOLLOWING, text)


class GripperFollowing:
    """Judges a gripper that stays where it is though it is told to go a good part of its stroke."""

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._at = 0.0

    def judge(self, now_s: float, told: float, measured: float) -> Status:
        """Looks at closures, 0 open to 1 closed; not OK once, and again after a further while."""
        far = measured - told > STROKE_SHARE or (told - measured > STROKE_SHARE and measured < OPEN_CLOSURE)
        if not far:
            self._since_s = None
            return OK
        if self._since_s is None or abs(measured - self._at) > STILL_CLOSURE or now_s < self._since_s:
            self._since_s, self._at = now_s, measured
        if now_s - self._since_s < STILL_S:
            return OK
        self._since_s = None
        text = f"the gripper does not move: told to close to {told:.2f}, it stays at {measured:.2f} (0 open, 1 closed)"
        return Status(StatusCode.GRIPPER_NOT_FOLLOWING, f"{text}; is its controller active?")
