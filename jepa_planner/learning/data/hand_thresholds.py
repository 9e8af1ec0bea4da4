"""By which heights and closures a hand's work is told from its own states: those of the arm at hand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from jepa_planner.core.arm_layout import GRIPPER, MEASURED, Z
from jepa_planner.learning.data.contact_segments import ContactThresholds
from jepa_planner.learning.data.object_tracks import CLOSED, TrackThresholds

USUAL_LOWEST_M = 0.02
"""Where a tcp is at its lowest that takes things from a table as high as the arm's base."""
LOWEST_SHARE = 0.005
"""Of the frames so many may be lower than what counts as lowest."""
NEAR_M = 0.015
"""A lowest height that is so near to the usual one is taken for that."""
SETTLED_FRAMES = 3
"""Fingers that were told to close so many frames ago have done so."""
CLEAR = 0.05
"""Few fingers settle so near to a closure that tells holding from holding nothing."""
LEAST_GAP, LEAST_SHARE = 0.1, 0.03
"""Closures of full hands and of empty ones are so far apart, and each are so large a share of all: fewer are few."""


@dataclass(frozen=True)
class HandThresholds:
    """What counts as holding, pushing and being low."""

    tracks: TrackThresholds = field(default_factory=TrackThresholds)
    """For following an object."""
    contacts: ContactThresholds = field(default_factory=ContactThresholds)
    """For finding contact segments."""
    table_m: float = 0.0
    """How much higher than the arm's base things lie."""

    @property
    def holding(self) -> float:
        """Closed fingers that are measured at most so far closed hold something."""
        return self.tracks.holding


def hand_thresholds(states: np.ndarray) -> HandThresholds:
    """Those that fit states [E, T+1, S], channels as in STATE_CHANNELS: heights from where the hand is lowest, closures
    from where fingers stop. The usual ones where these do as well.
    """
    usual = HandThresholds()
    lowest_m = float(np.quantile(states[..., Z], LOWEST_SHARE)) - USUAL_LOWEST_M
    table_m = 0.0 if abs(lowest_m) < NEAR_M else round(lowest_m, 3)
    holding = _holding(states, usual.holding)
    return HandThresholds(
        replace(usual.tracks, holding=holding, low_m=usual.tracks.low_m + table_m),
        replace(usual.contacts, holding=holding, low_m=usual.contacts.low_m + table_m),
        table_m,
    )


def _holding(states: np.ndarray, usual: float) -> float:
    """Between where fingers stop that hold something and that hold nothing."""
    closed = states[..., GRIPPER] > CLOSED
    settled = closed[:, SETTLED_FRAMES:]
    for back in range(1, SETTLED_FRAMES + 1):
        settled = settled & closed[:, SETTLED_FRAMES - back : -back or None][:, : settled.shape[1]]
    stops = np.sort(states[:, SETTLED_FRAMES:, MEASURED][settled])
    if len(stops) < 2 or np.mean(np.abs(stops - usual) < CLEAR) < LEAST_SHARE:
        return usual
    fewest = max(1, round(LEAST_SHARE * len(stops)))
    gaps = np.diff(stops)[fewest - 1 : len(stops) - fewest]
    if not len(gaps) or gaps.max() < LEAST_GAP:
        return usual
    lower = int(gaps.argmax()) + fewest - 1
    return round(float(stops[lower] + stops[lower + 1]) / 2, 3)
