"""Between two neighbours in time, never beyond the first or the last: positions linearly, rotations along the arc."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation


@dataclass(frozen=True)
class Neighbours:
    """For each of N moments the samples before (or just then) and after it, and the share of the way between them.

    known [N]: False where there is no sample on a side, or they are farther apart than allowed.
    """

    before: np.ndarray
    after: np.ndarray
    share: np.ndarray
    known: np.ndarray

    @classmethod
    def of(cls, times_ns: np.ndarray, moments_ns: np.ndarray, gap_s: float) -> Neighbours:
        """times_ns [M]: growing. A moment that is a sample's own needs no other."""
        count, zeros = len(times_ns), np.zeros(len(moments_ns), int)
        if not count:
            return cls(zeros, zeros, np.zeros(len(moments_ns)), np.zeros(len(moments_ns), bool))
        before = np.searchsorted(times_ns, moments_ns, "right") - 1
        known, before = before >= 0, np.maximum(before, 0)
        exact = times_ns[before] == moments_ns
        after = np.where(exact, before, before + 1)
        known &= after < count
        after = np.minimum(after, count - 1)
        apart_ns = times_ns[after] - times_ns[before]
        known &= apart_ns <= round(gap_s * 1e9)
        share = (moments_ns - times_ns[before]) / np.maximum(apart_ns, 1)
        return cls(before, after, np.where(known, share, 0.0), known)

    def linear(self, values: np.ndarray) -> np.ndarray:
        """Values [M, ..] at the moments [N, ..]; where nothing is known, some."""
        share = self.share.reshape(-1, *[1] * (values.ndim - 1))
        return values[self.before] * (1.0 - share) + values[self.after] * share

    def angles(self, values_rad: np.ndarray) -> np.ndarray:
        """Angles [M] at the moments [N], the shorter way around."""
        turn = np.remainder(values_rad[self.after] - values_rad[self.before] + np.pi, 2 * np.pi) - np.pi
        return values_rad[self.before] + self.share * turn

    def rotations(self, quaternions: np.ndarray) -> np.ndarray:
        """Unit quaternions [M, 4], real part last, as rotation matrices [N, 3, 3] at the moments."""
        if not len(quaternions):
            return np.tile(np.eye(3), (len(self.share), 1, 1))
        first = Rotation.from_quat(quaternions[self.before])
        turn = (first.inv() * Rotation.from_quat(quaternions[self.after])).as_rotvec()
        return (first * Rotation.from_rotvec(turn * self.share[:, None])).as_matrix()
