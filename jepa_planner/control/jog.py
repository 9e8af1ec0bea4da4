"""What a person wants of the arm by keys or a joystick, turned into steps. No ROS; the time is passed in."""

from __future__ import annotations

import numpy as np

TAPPED_S = 0.7
"""A key that is held repeats after so long at most; until then it may only have been tapped, which is one step."""
HELD_S = 0.2
"""After that it repeats so often at least, as a joystick does."""
_STILL = np.zeros(6)


class Jog:
    """One direction at a time, which ends by itself unless it is asked for again and again. Times: a steady clock (s).

    Directions are [6], xyz and rotation vector of the base frame, each from -1 to 1.
    """

    def __init__(self) -> None:
        self._direction, self._until_s = _STILL, -np.inf
        self._is_tapped = self._is_taken = self._grips = self._brakes = False

    def press(self, direction: np.ndarray, now_s: float) -> None:
        """A key went down, or repeats because it is held; another one than before brakes first."""
        is_same = now_s < self._until_s and np.array_equal(direction, self._direction)
        if not is_same:
            self.release()
            self._is_taken = False
        self._direction, self._is_tapped = direction, not is_same
        self._until_s = now_s + (HELD_S if is_same else TAPPED_S)

    def lean(self, direction: np.ndarray, now_s: float) -> None:
        """A joystick leans that way; not at all, and the arm brakes."""
        if np.any(direction):
            self._direction, self._is_tapped, self._until_s = direction, False, now_s + HELD_S
        else:
            self.release()

    def toggle_gripper(self) -> None:
        """The gripper is to close, or to open, in the next step."""
        self._grips = True

    def release(self) -> None:
        """Nothing is wanted any more."""
        self._brakes |= bool(np.any(self._direction))
        self._direction, self._until_s = _STILL, -np.inf

    def wants(self, now_s: float) -> bool:
        """Whether a step would be wanted of an arm that can make one."""
        return self._grips or (now_s < self._until_s and not (self._is_tapped and self._is_taken))

    def brakes(self, now_s: float) -> bool:
        """Whether what was wanted has just ended; says so once."""
        if now_s >= self._until_s:
            self.release()
        brakes, self._brakes = self._brakes, False
        return brakes

    def step(self, now_s: float, closure: float) -> np.ndarray | None:
        """The next step [7] for an arm that rests, as shares of the largest; None where none is wanted.

        closure: commanded of the gripper, by which it is opened or closed.
        """
        if not self.wants(now_s):
            return None
        if self._grips:
            self._grips = False
            return np.array([*_STILL, -1.0 if closure > 0.5 else 1.0])
        self._is_taken = True
        return np.array([*self._direction, 0.0])
