"""What is measured of the pictures of episodes, one episode after the other: few numbers of each, and no pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

THUMBNAIL = 16
"""Rows and columns at most that are looked at where a picture as a whole counts."""
EXCHANGED = 0.75
"""So much nearer is a picture to the other view's last one when two views change places."""
TELLING_APART = 5.0
"""Mean difference (of 255) of views that can be told apart."""
Pair = tuple[int, int]


@dataclass(frozen=True)
class PictureMeasures:
    """Of pictures [E, T+1, V, H, W, 3]: mean and spread (of 255) [E, T+1, V]; stays [E, T, V]: whether the next one is
    the same to the last bit; changed [E, T, V]: mean square of what changes. Of pairs of views: doubled, whether they
    are the same throughout; exchanged [E, T], whether they change places. tables [E, V, h, w, 3]: thumbnails of what
    an episode shows without the arm, as far as that moves.
    """

    mean: np.ndarray
    spread: np.ndarray
    stays: np.ndarray
    changed: np.ndarray
    tables: np.ndarray
    doubled: dict[Pair, bool]
    exchanged: dict[Pair, np.ndarray]

    @classmethod
    def of(cls, images: Iterable[np.ndarray]) -> PictureMeasures:
        """Looks at each episode's pictures uint8 [T+1, V, H, W, 3] once."""
        rows = [_measured(pictures) for pictures in images]
        mean, spread, stays, changed, tables = (np.stack(part) for part in zip(*(row[:5] for row in rows), strict=True))
        pairs = list(rows[0][5])
        return cls(
            mean, spread, stays, changed, tables,
            {pair: all(row[5][pair] for row in rows) for pair in pairs},
            {pair: np.stack([row[6][pair] for row in rows]) for pair in pairs},
        )  # fmt: skip


def thumbnails(pictures: np.ndarray) -> np.ndarray:
    """Every so many pixels of pictures [.., H, W, 3], as float32."""
    rows, columns = (max(1, -(-size // THUMBNAIL)) for size in pictures.shape[-3:-1])
    return pictures[..., ::rows, ::columns, :].astype(np.float32)


def exchanged(before: np.ndarray, after: np.ndarray, alike: float = EXCHANGED) -> np.ndarray:
    """Whether two views [.., 2, h, w, 3] are each like what the other was; they have to differ to tell.

    Each by itself: of two views of one plain table, an arm that comes and goes makes one like the other now and then.
    """
    axes = (-3, -2, -1)
    straight = np.abs(after - before).mean(axes)
    crossed = np.abs(after[..., ::-1, :, :, :] - before).mean(axes)
    return (straight.mean(-1) > TELLING_APART) & (crossed < alike * straight).all(-1)


def _measured(pictures: np.ndarray) -> tuple:
    """The fields of `PictureMeasures`, of one episode."""
    small = thumbnails(pictures)
    pairs = list(combinations(range(pictures.shape[1]), 2))
    stays = (pictures[1:] == pictures[:-1]).all((2, 3, 4))
    changed = np.square(np.diff(small, axis=0)).mean((2, 3, 4))
    doubled = {pair: np.array_equal(*pictures[:, pair].swapaxes(0, 1)) for pair in pairs}
    swaps = {pair: exchanged(small[:-1, pair], small[1:, pair]) for pair in pairs}
    return small.mean((2, 3, 4)), small.std((2, 3)).max(-1), stays, changed, np.median(small, axis=0), doubled, swaps
