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
    arrived_m: float = 0.01
    """From a keyframe that is nearer to the tcp, with the gripper alike, nothing is left to be done: the one after it
    comes next, as it does for a planner that pursues them.
    """
    same_closure: float = 0.3
    """Closures that differ by less are alike."""


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


def next_keyframes(states: np.ndarray, thresholds: KeyframeThresholds | None = None) -> np.ndarray:
    """The first keyframe after each frame of an episode that is still to be gone to: states [T+1, S] -> int [T+1].

    Where there is none it is T+1, one past the last frame.
    """
    limits = thresholds or KeyframeThresholds()
    places, frames = np.flatnonzero(keyframes(states, limits)), np.arange(len(states))
    ahead = (places > frames[:, None]) & ~is_there(states[:, None], states[places][None], limits)
    return np.append(places, len(states))[np.append(ahead, np.ones((len(states), 1), bool), axis=1).argmax(axis=1)]


def is_there(states: np.ndarray, targets: np.ndarray, limits: KeyframeThresholds | None = None) -> np.ndarray:
    """Whether nothing is left to be done to come from states [.., S] to those of targets [.., S]: bool [..]."""
    limits = limits or KeyframeThresholds()
    apart = np.abs(states - targets)
    near = np.linalg.norm(apart[..., XYZ], axis=-1) <= limits.arrived_m
    return near & (apart[..., [GRIPPER, MEASURED]].max(axis=-1) <= limits.same_closure)


def _settled(frame: int, closure: np.ndarray, lengths_m: np.ndarray, limits: KeyframeThresholds) -> int:
    """The first frame from `frame` on where the fingers rest, the arm sets off, or the episode ends."""
    while (
        frame < len(lengths_m)
        and abs(closure[frame + 1] - closure[frame]) > limits.settled_change
        and lengths_m[frame] < limits.setting_off_m
    ):
        frame += 1
    return frame
