"""The moments at which something was achieved, found in the arm's own motion: no labels, no object poses.

An arm that does something comes to rest or turns where one thing is done and the next begins, and its gripper acts
between two of them. Motion in between is only the way there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepa_planner.core.arm_layout import GRIPPER, MEASURED, XYZ
from jepa_planner.learning.data.strokes import LEAST_STROKE, strokes


@dataclass(frozen=True)
class KeyframeThresholds:
    """What counts as motion, turning and gripping, per time step; closures are 0 open to 1 closed."""

    moving_m: float = 0.006
    """A tcp that moves less rests."""
    turn_cos: float = 0.64
    """Cosine between consecutive displacements below which the arm turned (0.64 is 50 degrees)."""
    command_change: float = LEAST_STROKE
    """The gripper acts where the commanded closure changes by more."""
    settled_change: float = 0.03
    """A measured closure that changes less has settled."""
    setting_off_m: float = 0.012
    """An arm that moves by so much in a step ends the wait for fingers to settle."""


def keyframes(states: np.ndarray, thresholds: KeyframeThresholds | None = None) -> np.ndarray:
    """Which frames of an episode are keyframes: states [T+1, S], channels as in STATE_CHANNELS -> bool [T+1].

    Frames where the tcp turns or comes to rest, the last one before the gripper is commanded to change, and the one
    where the fingers have settled after it.
    """
    limits = thresholds or KeyframeThresholds()
    steps = np.diff(states[:, XYZ].astype(np.float64), axis=0)
    lengths_m = np.linalg.norm(steps, axis=1)
    moves = lengths_m > limits.moving_m
    cosines = (steps[:-1] * steps[1:]).sum(axis=1) / np.maximum(lengths_m[:-1] * lengths_m[1:], 1e-12)
    is_keyframe = np.zeros(len(states), bool)
    is_keyframe[1:-1] = moves[:-1] & (~moves[1:] | (cosines < limits.turn_cos))
    for stroke in strokes(states[:, GRIPPER], limits.command_change):
        is_keyframe[[stroke.begin, _settled(stroke.end, states[:, MEASURED], lengths_m, limits)]] = True
    return is_keyframe


def next_keyframes(is_keyframe: np.ndarray) -> np.ndarray:
    """The frame of the first keyframe after each frame of an episode: bool [T+1] -> int [T+1].

    Where there is none it is T+1, one past the last frame.
    """
    frames = len(is_keyframe)
    places = np.flatnonzero(is_keyframe)
    after = np.searchsorted(places, np.arange(frames), side="right")
    return np.append(places, frames)[after]


def _settled(frame: int, closure: np.ndarray, lengths_m: np.ndarray, limits: KeyframeThresholds) -> int:
    """The first frame from `frame` on where the fingers rest, the arm sets off, or the episode ends."""
    while (
        frame < len(lengths_m)
        and abs(closure[frame + 1] - closure[frame]) > limits.settled_change
        and lengths_m[frame] < limits.setting_off_m
    ):
        frame += 1
    return frame
