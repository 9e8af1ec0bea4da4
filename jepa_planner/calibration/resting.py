"""When a moving arm has rested somewhere new, and which pictures were taken then."""

from __future__ import annotations

import numpy as np

from jepa_planner.calibration.transforms import inverse, turn_rad

STILL_M, STILL_RAD = 1e-3, np.radians(0.2)
"""An arm at rest stays within this."""
REST_S = 0.4
"""A picture counts that was taken so long after the arm came to rest; it swings on for a while."""
NEW_M, NEW_RAD = 0.02, np.radians(4.0)
"""A place is new that is so far from all others, or turned by so much."""


class RestingArm:
    """Is told poses of the tcp and their times, and says at which pose the arm was when a picture was taken."""

    def __init__(self) -> None:
        self._pose: np.ndarray | None = None
        self._since_s = self._until_s = 0.0
        self._taken: list[np.ndarray] = []

    def feed(self, stamp_s: float, base_from_tcp: np.ndarray) -> None:
        """A pose [4, 4] that was measured at a time; one from before the last is passed over."""
        if self._pose is not None and stamp_s < self._until_s:
            return
        if self._pose is None or _differ(self._pose, base_from_tcp, STILL_M, STILL_RAD):
            self._pose, self._since_s = base_from_tcp, stamp_s
        self._until_s = stamp_s

    def pose_at(self, stamp_s: float) -> np.ndarray | None:
        """The pose at which the arm rested when a picture was taken and still does; None where it did not."""
        rested = self._since_s + REST_S <= stamp_s <= self._until_s
        return self._pose if self._pose is not None and rested else None

    def is_new(self, base_from_tcp: np.ndarray) -> bool:
        """Whether no sample was taken there."""
        return all(_differ(taken, base_from_tcp, NEW_M, NEW_RAD) for taken in self._taken)

    def take(self, base_from_tcp: np.ndarray) -> None:
        """A sample was taken there, or none can be."""
        self._taken.append(base_from_tcp)


def _differ(one: np.ndarray, other: np.ndarray, most_m: float, most_rad: float) -> bool:
    far = float(np.linalg.norm(one[:3, 3] - other[:3, 3])) > most_m
    return far or turn_rad(inverse(one) @ other) > most_rad
