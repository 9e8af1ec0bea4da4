"""Goals of other episodes of the same scene: hands that took a thing, or left it, tell where it lies in them."""

from __future__ import annotations

import numpy as np

from jepa_planner.learning.data.contact_segments import GRASP

HELD = -1
"""Instead of a frame: the thing is in the hand."""


class GoalsAcross:
    """Frames of episodes in which a hand holds a thing, or it is known where the thing lies, by the scene they show.

    segments int [A, 6] as in `PictureKeyframeSampler`, scenes int [E].
    """

    def __init__(self, segments: np.ndarray, scenes: np.ndarray) -> None:
        frames = [
            (scenes[episode], episode, frame, lies)
            for episode, kind, earliest, begin, end, latest in segments.tolist()
            if kind == GRASP
            for first, last, lies in ((earliest, begin, begin), (begin, end + 1, HELD), (end + 1, latest + 1, end))
            for frame in range(first, last)
        ]
        rows = np.array(frames, int).reshape(-1, 4)
        self._rows = rows[np.argsort(rows[:, 0], kind="stable")]
        self._scenes = scenes

    def draw(self, episodes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each of episodes [B] another one of its scene, a frame of it, and one at which the hand is where the
        thing lies in that frame, or HELD. Of a scene without grasps they are any.
        """
        first, end = (np.searchsorted(self._rows[:, 0], self._scenes[episodes], side) for side in ("left", "right"))
        chosen = rng.integers(first, np.maximum(end, first + 1)).clip(max=len(self._rows) - 1)
        return self._rows[chosen, 1], self._rows[chosen, 2], self._rows[chosen, 3]
