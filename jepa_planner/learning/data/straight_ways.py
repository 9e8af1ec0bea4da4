"""What comes next on the straight way to where a hand acts: people wander and wait before they take a thing.

Who is shown both pictures and means to get from the one to the other leaves that out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jepa_planner.learning.data.contact_segments import ContactSegment, left
from jepa_planner.learning.data.keyframes import is_there

TREMBLE_M = 0.01
"""A hand that goes back by less goes straight all the same."""


def without_detours(following: np.ndarray, states: np.ndarray, segments: Sequence[ContactSegment]) -> np.ndarray:
    """Next keyframes [T+1] of an episode, states [T+1, S], without those from which the hand went away again before it
    acted: where it set off for the thing in the end, it could have set off for it at once.
    """
    straight = following.copy()
    for number, segment in enumerate(segments):
        first = left(states, segments[number - 1], segment) if number else 0
        last = _sets_off(states[first : segment.begin + 1, :2]) + first
        for frame in range(first, last):
            next_one = following[last]
            while next_one < segment.begin and is_there(states[frame], states[next_one]):
                next_one = following[next_one]
            straight[frame] = next_one
    return straight


def _sets_off(places_m: np.ndarray) -> int:
    """From which of places [N, 2] on the way leads nearer to the last one, without end."""
    away_m = np.linalg.norm(places_m - places_m[-1], axis=1)
    begin = len(away_m) - 1
    for frame in range(begin, -1, -1):
        if away_m[frame] < away_m[begin] - TREMBLE_M:
            break
        if away_m[frame] >= away_m[begin]:
            begin = frame
    return begin
