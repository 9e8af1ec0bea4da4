"""When the hand acted on something, found in the arm's own states: it took and let go, or pushed along the table.

Where it begins to act is where a thing lies, where it ends is where the thing then is: pictures from before and after
can be taught what lies where, without a label. A closed gripper whose fingers do not close holds something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from jepa_planner.core.arm_layout import GRIPPER, MEASURED, XYZ, Z
from jepa_planner.learning.data.strokes import LEAST_STROKE, strokes

GRASP, PUSH = 0, 1
LEFT_M = 0.06
"""A hand that is farther from where it let go has left."""


@dataclass(frozen=True)
class ContactThresholds:
    """What counts as gripping, holding and pushing; closures are 0 open to 1 closed."""

    command_change: float = LEAST_STROKE
    """The gripper acts where the commanded closure changes by more."""
    holding: float = 0.75
    """Fingers that are measured at most so far closed settle_steps after a command to close hold something."""
    settle_steps: int = 2
    """Time steps that fingers are given to settle after a command."""
    shortest_steps: int = 4
    """Time steps of holding something, at least."""
    low_m: float = 0.035
    """A closed, empty gripper whose tcp is below this height pushes what it meets, if it moves by pushed_m."""
    pushed_m: float = 0.03
    """It pushes if it goes farther than this along the table from where it came down."""


class ContactSegment(NamedTuple):
    """Frames of an episode: kind GRASP or PUSH; the hand acts from `begin` to `end`; from `earliest` on nothing was
    touched before it, and up to `latest` nothing after it.
    """

    kind: int
    earliest: int
    begin: int
    end: int
    latest: int


def contact_segments(states: np.ndarray, thresholds: ContactThresholds | None = None) -> list[ContactSegment]:
    """The contact segments of an episode, in order: states [T+1, S], channels as in STATE_CHANNELS."""
    limits = thresholds or ContactThresholds()
    candidates = sorted([*_grasps(states, limits), *_pushes(states, limits)], key=lambda segment: segment[1])
    last = len(states) - 1
    segments = []
    for number, (kind, begin, end) in enumerate(candidates):
        earliest = candidates[number - 1][2] + 1 if number else 0
        latest = candidates[number + 1][1] - 1 if number + 1 < len(candidates) else last
        if earliest < begin < end < latest:
            segments.append(ContactSegment(kind, earliest, begin, end, latest))
    return segments


def last_goals(states: np.ndarray, segments: Sequence[ContactSegment]) -> np.ndarray:
    """Up to which frame an episode goes straight to what it shows, from each of its frames: states [T+1, S] -> [T+1].

    From before a contact up to the next one. A hand that has just let go and not left yet goes up before it takes the
    same thing again, which nobody would do who sees both pictures: from there up to that next contact.
    """
    bounds = np.full(len(states), len(states) - 1)
    for number, segment in enumerate(segments):
        begin = left(states, segments[number - 1], segment) if number else 0
        bounds[begin : segment.latest + 1] = segment.latest
    if segments:
        bounds[segments[-1].latest :] = len(states) - 1
    return bounds


def left(states: np.ndarray, before: ContactSegment, segment: ContactSegment) -> int:
    """The first frame between two contacts at which the tcp has gone LEFT_M from where the first one ended."""
    between = states[before.end : segment.begin, XYZ]
    away = np.linalg.norm(between - between[0], axis=1) > LEFT_M
    return before.end + int(away.argmax()) if away.any() else segment.begin - 1


def _grasps(states: np.ndarray, limits: ContactThresholds) -> list[tuple[int, int, int]]:
    """From the frame after a command to close that met something to the last one before the command to open."""
    grasps = []
    for closing, opening in pairwise(strokes(states[:, GRIPPER], limits.command_change)):
        settled = min(closing.end + limits.settle_steps, len(states) - 1)
        holds = closing.change > 0 and states[settled, MEASURED] <= limits.holding
        if holds and opening.change < 0 and opening.begin - closing.end + 1 >= limits.shortest_steps:
            grasps.append((GRASP, closing.end, opening.begin))
    return grasps


def _pushes(states: np.ndarray, limits: ContactThresholds) -> list[tuple[int, int, int]]:
    """From where a closed, empty gripper is low to the farthest place from there before it rises."""
    empty = (states[:, GRIPPER] > 1 - limits.command_change) & (states[:, MEASURED] > limits.holding)
    low = np.concatenate([[False], empty & (states[:, Z] < limits.low_m), [False]])
    begins, ends = np.flatnonzero(~low[:-1] & low[1:]), np.flatnonzero(low[:-1] & ~low[1:])
    pushes = []
    for begin, end in zip(begins, ends, strict=True):
        away_m = np.linalg.norm(states[begin:end, :2] - states[begin, :2], axis=1)
        if away_m.max() > limits.pushed_m:
            pushes.append((PUSH, int(begin), int(begin + away_m.argmax())))
    return pushes
