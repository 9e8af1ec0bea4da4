"""Which frames and steps of episodes were recorded, and are no filling up to the length of the longest."""

from __future__ import annotations

import numpy as np

from jepa_planner.learning.data.episodes import Episodes


def recorded_frames(episodes: Episodes) -> np.ndarray:
    """bool [E, T+1]."""
    return np.arange(episodes.actions.shape[1] + 1) <= episodes.lengths[:, None]


def recorded_steps(episodes: Episodes) -> np.ndarray:
    """bool [E, T]."""
    return np.arange(episodes.actions.shape[1]) < episodes.lengths[:, None]
