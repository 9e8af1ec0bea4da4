"""Follows joint trajectories by the rules of joint_trajectory_controller (ros2_controllers, Jazzy). No ROS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

INVALID_GOAL, INVALID_JOINTS, OLD_HEADER_TIMESTAMP = -1, -2, -3
PATH_TOLERANCE_VIOLATED, GOAL_TOLERANCE_VIOLATED = -4, -5


class Rejected(ValueError):
    """A trajectory that is not followed; `code` is that of the action."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Waypoint:
    """A point of a trajectory; velocities and accelerations may be missing."""

    at_s: float
    q: np.ndarray
    dq: np.ndarray | None = None
    ddq: np.ndarray | None = None


def spline(early: Waypoint, late: Waypoint, now_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Position and velocity between two waypoints: straight, cubic or quintic, as both have positions, velocities and
    accelerations.
    """
    span_s = late.at_s - early.at_s
    t = min(max(now_s - early.at_s, 0.0), span_s)
    if span_s <= 0.0:
        return late.q, np.zeros_like(late.q) if late.dq is None else late.dq
    if early.dq is None or late.dq is None:
        slope = (late.q - early.q) / span_s
        return early.q + slope * t, slope
    conditions = [early.q, early.dq, late.q, late.dq]
    if early.ddq is not None and late.ddq is not None:
        conditions = [early.q, early.dq, early.ddq, late.q, late.dq, late.ddq]
    per_end = len(conditions) // 2
    rows = np.array([_derivative(order, at, 2 * per_end) for at in (0.0, span_s) for order in range(per_end)])
    coefficients = np.linalg.solve(rows, np.array(conditions))
    return _derivative(0, t, 2 * per_end) @ coefficients, _derivative(1, t, 2 * per_end) @ coefficients


def _derivative(order: int, t: float, count: int) -> np.ndarray:
    """Row of powers of t, derived `order` times."""
    row = np.zeros(count)
    for power in range(order, count):
        factor = np.prod(np.arange(power, power - order, -1), initial=1.0)
        row[power] = factor * t ** (power - order)
    return row


class Follower:
    """The newest trajectory takes the place of the one before, and begins at the measured state or the desired one."""

    def __init__(
        self, joints: Sequence[str], q: np.ndarray, from_desired: bool = False, goal_tolerance: float = 0.0
    ) -> None:
        """from_desired: what the controller calls open_loop_control, later interpolate_from_desired_state."""
        self.joints = tuple(joints)
        self._from_desired = from_desired
        self.goal_tolerance = goal_tolerance
        """Of the last point where the goal names none; 0: not looked at."""
        self.hold(q)

    def hold(self, q: np.ndarray) -> None:
        """Stay at positions."""
        self._way: list[Waypoint] = []
        self._target, self._speed = np.array(q, dtype=float), np.zeros(len(self.joints))
        self._path: dict[int, float] = {}

    @property
    def moving(self) -> bool:
        """Whether a trajectory is being followed."""
        return bool(self._way)

    def take(
        self,
        names: Sequence[str],
        points: Sequence[Waypoint],
        begins_s: float,
        now_s: float,
        measured: tuple[np.ndarray, np.ndarray],
        path_tolerance: Mapping[str, float] | None = None,
    ) -> None:
        """Follow from now on; points are timed from `begins_s`. Raises Rejected for what the controller rejects."""
        if sorted(names) != sorted(self.joints):
            raise Rejected(INVALID_JOINTS, f"joints are {list(names)}, this controller has {list(self.joints)}")
        if not points:
            raise Rejected(INVALID_GOAL, "empty trajectory")
        for point in points:
            if any(part is not None and len(part) != len(names) for part in (point.q, point.dq, point.ddq)):
                raise Rejected(INVALID_GOAL, f"points need {len(names)} numbers each")
            if not all(np.all(np.isfinite(part)) for part in (point.q, point.dq, point.ddq) if part is not None):
                raise Rejected(INVALID_GOAL, "points need finite numbers")
        if points[0].at_s < 0.0 or any(late.at_s <= early.at_s for early, late in pairwise(points)):
            raise Rejected(INVALID_GOAL, "times from start must grow from point to point")
        if points[-1].dq is not None and np.any(np.abs(points[-1].dq) > 1e-6):
            raise Rejected(INVALID_GOAL, "velocity of the last point is not zero")
        if begins_s + points[-1].at_s < now_s:
            raise Rejected(OLD_HEADER_TIMESTAMP, "the trajectory ends in the past")
        if unknown := set(path_tolerance or {}) - set(self.joints):
            raise Rejected(INVALID_GOAL, f"path tolerance for {sorted(unknown)}")
        order = [list(names).index(joint) for joint in self.joints]
        q, dq = (self._target, self._speed) if self._from_desired else measured
        start = Waypoint(now_s, q.copy(), dq.copy())
        self._way = [start, *(_placed(point, begins_s, order) for point in points)]
        self._path = {self.joints.index(name): limit for name, limit in (path_tolerance or {}).items() if limit > 0.0}

    def update(self, now_s: float, q: np.ndarray) -> tuple[np.ndarray, int | None]:
        """The position to command, and how a trajectory ended where it did just now: 0 or one of the codes above."""
        if not self._way:
            return self._target, None
        for early, late in pairwise(self._way):
            if now_s < late.at_s:
                self._target, self._speed = spline(early, late, now_s)
                if any(abs(self._target[joint] - q[joint]) > limit for joint, limit in self._path.items()):
                    self.hold(q)
                    return self._target, PATH_TOLERANCE_VIOLATED
                return self._target, None
        self._target, self._speed, self._way = self._way[-1].q, np.zeros(len(q)), []
        off = float(np.max(np.abs(self._target - q)))
        return self._target, GOAL_TOLERANCE_VIOLATED if 0.0 < self.goal_tolerance < off else 0


def _placed(point: Waypoint, begins_s: float, order: list[int]) -> Waypoint:
    parts = (None if part is None else np.asarray(part, dtype=float)[order] for part in (point.q, point.dq, point.ddq))
    return Waypoint(begins_s + point.at_s, *parts)
