"""Whether episodes show how things are done, so that sub-goals and a verdict can be learned from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jepa_planner.learning.data.contact_segments import contact_segments
from jepa_planner.learning.data.episodes import Episodes, read_episodes, shard_paths, shard_settings
from jepa_planner.learning.data.hand_thresholds import hand_thresholds

EXPLORING = ("exploration", "feints")
"""Mixes of behaviours with mistakes on purpose: what actions do is learned from them, and not what is to be done."""
LEAST_SHARE = 0.2
"""Of the episodes, so many at least take or push something."""
FAILED = 0


def folders_that_show_work(folders: Sequence[Path], episodes: int | None = None) -> tuple[Path, ...]:
    """Those of the folders whose episodes take or push things as somebody would do it who means to; of so many."""
    return tuple(
        folder
        for folder in folders
        if not {str(shard_settings(path)["behaviour"]) for path in shard_paths(folder)} & set(EXPLORING)
        and share_at_work(read_episodes(folder, episodes)) >= LEAST_SHARE
    )


def share_at_work(episodes: Episodes) -> float:
    """Share of the episodes in which the hand takes or pushes something, as the arm's own states tell it."""
    thresholds = hand_thresholds(episodes.states).contacts
    at_work = [
        bool(contact_segments(states[: length + 1], thresholds))
        for states, length in zip(episodes.states, episodes.lengths, strict=True)
    ]
    return float(np.mean(at_work))


def work_shown(episodes: Episodes) -> dict[str, float]:
    """How much was recorded: hours, and how many times the hand took or pushed something."""
    thresholds = hand_thresholds(episodes.states).contacts
    contacts = sum(
        len(contact_segments(states[: length + 1], thresholds))
        for states, length in zip(episodes.states, episodes.lengths, strict=True)
    )
    return {"hours": round(float(episodes.lengths.sum()) * episodes.time_step_s / 3600, 3), "contacts": contacts}


def not_failed(episodes: Episodes) -> Episodes:
    """Those that nobody called a failure; all where all failed, as nothing else is there to learn from."""
    kept = np.flatnonzero(episodes.success != FAILED)
    return episodes if len(kept) in (0, len(episodes)) else episodes.part(kept)
