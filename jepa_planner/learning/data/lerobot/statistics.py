"""What a dataset says of its numbers and pictures: least, most, mean, spread and quantiles, of each episode and of all.

Pictures are counted by their 256 levels, so that nothing is sampled and nothing is kept. Shapes are those of lerobot:
[C] of numbers, [3, 1, 1] of pictures, whose levels are 0 to 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
LEVELS = np.arange(256) / 255.0


class NumberStatistics:
    """Of rows of numbers."""

    def __init__(self) -> None:
        self._rows: list[np.ndarray] = []

    def add(self, rows: np.ndarray) -> dict[str, Any]:
        """Those of an episode's rows [N] or [N, C], which count for all."""
        self._rows.append(rows.reshape(len(rows), -1))
        return _of_rows(self._rows[-1])

    def total(self) -> dict[str, Any]:
        """Those of all rows so far."""
        return _of_rows(np.concatenate(self._rows))


class PictureStatistics:
    """Of pictures, one after the other."""

    def __init__(self) -> None:
        self._counts: np.ndarray = np.zeros((3, 256), np.int64)
        self._own: np.ndarray = np.zeros((3, 256), np.int64)
        self._pictures = self._own_pictures = 0

    def add(self, picture: np.ndarray) -> None:
        """One more picture [H, W, 3] of the episode."""
        self._own += np.stack([np.bincount(channel.ravel(), minlength=256) for channel in np.moveaxis(picture, 2, 0)])
        self._own_pictures += 1

    def end_of_episode(self) -> dict[str, Any]:
        """Those of the pictures since the last episode."""
        own = _of_levels(self._own, self._own_pictures)
        self._counts, self._pictures = self._counts + self._own, self._pictures + self._own_pictures
        self._own, self._own_pictures = np.zeros_like(self._own), 0
        return own

    def total(self) -> dict[str, Any]:
        """Those of all episodes that ended."""
        return _of_levels(self._counts, self._pictures)


def _of_rows(rows: np.ndarray) -> dict[str, Any]:
    values = rows.astype(float)
    of_all = {"min": values.min(0), "max": values.max(0), "mean": values.mean(0), "std": values.std(0)}
    of_all |= {name: np.quantile(values, share, axis=0) for name, share in QUANTILES.items()}
    return {name: value.tolist() for name, value in of_all.items()} | {"count": [len(rows)]}


def _of_levels(counts: np.ndarray, pictures: int) -> dict[str, Any]:
    """Of how often each channel had each level [3, 256]."""
    share = counts / counts.sum(axis=1, keepdims=True)
    up_to, pixels = counts.cumsum(axis=1), counts.sum(axis=1, keepdims=True)
    mean = share @ LEVELS
    of_all = {
        "min": LEVELS[(counts > 0).argmax(axis=1)],
        "max": LEVELS[255 - (counts[:, ::-1] > 0).argmax(axis=1)],
        "mean": mean,
        "std": np.sqrt((share * (LEVELS - mean[:, None]) ** 2).sum(axis=1)),
    }
    of_all |= {name: LEVELS[(up_to < part * pixels).sum(axis=1).clip(max=255)] for name, part in QUANTILES.items()}
    return {name: value.reshape(3, 1, 1).tolist() for name, value in of_all.items()} | {"count": [pictures]}
