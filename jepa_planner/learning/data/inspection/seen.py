"""Small pictures of some episodes: all that is looked at more than once, and as much as memory has room for."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from jepa_planner.learning.data.episodes import Episodes

SIDE_PX = 64
MOST_EPISODES = 160
MOST_BYTES = 200 * 2**20


@dataclass(frozen=True)
class Seen:
    """Of some of the episodes, evenly spread; what follows their recorded lengths is left out.

    numbers int [K]: which episodes. pictures: of each uint8 [L+1, V, h, w, 3], the longer side at most SIDE_PX; states:
    of each [L+1, S]. pixel_px: so many pixels of the recorded pictures are one of these.
    """

    numbers: np.ndarray
    pictures: tuple[np.ndarray, ...]
    states: tuple[np.ndarray, ...]
    views: tuple[str, ...]
    pixel_px: float

    @classmethod
    def of(cls, episodes: Episodes, most: int = MOST_EPISODES) -> Seen:
        """Reads them, one episode after the other."""
        height, width = episodes.images.shape[3:5]
        shrink = min(1.0, SIDE_PX / max(height, width))
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        each = episodes.images.shape[1] * len(episodes.views) * size[0] * size[1] * 3
        count = int(np.clip(MOST_BYTES // each, 1, min(most, len(episodes))))
        numbers = np.linspace(0, len(episodes) - 1, count).round().astype(int)
        pictures, states = [], []
        for number in numbers:
            frames = slice(0, int(episodes.lengths[number]) + 1)
            pictures.append(_shrunk(np.asarray(episodes.images[int(number), frames]), size))
            states.append(episodes.states[number, frames])
        return cls(numbers, tuple(pictures), tuple(states), episodes.views, 1.0 / shrink)

    def some_frames(self, most: int) -> np.ndarray:
        """At most about so many frames of all episodes, evenly spread: uint8 [F, V, h, w, 3]."""
        stride = max(1, sum(map(len, self.pictures)) // most)
        return np.concatenate([pictures[number % stride :: stride] for number, pictures in enumerate(self.pictures)])


def _shrunk(pictures: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pictures [F, V, H, W, 3] at width and height `size`."""
    if pictures.shape[2:4] == size[::-1]:
        return pictures
    flat = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for view in pictures for picture in view]
    return np.stack(flat).reshape(*pictures.shape[:2], size[1], size[0], 3)
