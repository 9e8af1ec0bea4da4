"""Which way a hand draws back from what it let go: found in the arm's own states."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from jepa_planner.core.arm_layout import RPY, XYZ
from jepa_planner.learning.data.contact_segments import GRASP, ContactThresholds, contact_segments

USUAL = (0.0, 0.0, 1.0)
GONE_M = 0.03
"""A hand that is so far from where it let something go has drawn back."""
ALONG = 0.8
"""Share of the way along an axis of the tcp from which on it is taken to lead along that axis."""


def way_back(states: np.ndarray, thresholds: ContactThresholds) -> tuple[float, float, float]:
    """Its direction in the frame of the tcp, of length 1: states [E, T+1, S], channels as in STATE_CHANNELS.

    USUAL where no hand lets anything go.
    """
    ways = [way for episode in states for way in _ways(episode, thresholds)]
    if not ways:
        return USUAL
    mean = np.mean(ways, axis=0)
    mean /= max(1e-9, float(np.linalg.norm(mean)))
    axis = int(np.abs(mean).argmax())
    if abs(mean[axis]) >= ALONG:
        mean = np.sign(mean[axis]) * np.eye(3)[axis]
    x, y, z = (round(float(part), 3) + 0.0 for part in mean)
    return x, y, z


def _ways(states: np.ndarray, thresholds: ContactThresholds) -> list[np.ndarray]:
    """Of each time that something was let go in an episode: unit vectors [3]."""
    ways = []
    for segment in contact_segments(states, thresholds):
        moved_m = states[segment.end : segment.latest + 1, XYZ] - states[segment.end, XYZ]
        gone = np.flatnonzero(np.linalg.norm(moved_m, axis=1) > GONE_M)
        if segment.kind == GRASP and len(gone):
            way_m = moved_m[gone[0]].astype(np.float64)
            turned = Rotation.from_euler("xyz", states[segment.end, RPY])
            ways.append(turned.inv().apply(way_m / np.linalg.norm(way_m)))
    return ways
