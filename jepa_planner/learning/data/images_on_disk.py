"""Pictures that stay on disk: opening reads their shape alone, and pixels are read when they are wanted."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, overload

import h5py
import numpy as np

from jepa_planner.learning.data.shard_file import MOVE_AWAY, EpisodeError, errors_named

NAME = "images"
MOST_OPEN = 64
"""Files that one process keeps open at a time."""
ALL = slice(None)


@dataclass(frozen=True)
class PictureFile:
    """A file that holds pictures [E, T+1, V, H, W, 3], and which version of it was opened."""

    path: Path
    shape: tuple[int, ...]
    version: tuple[int, ...]

    @staticmethod
    def version_of(path: Path) -> tuple[int, ...]:
        """Another one for any other file at the path; raises OSError where there is none."""
        status = path.stat()
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

    def read(self, row: int, frames: slice) -> np.ndarray:
        """Consecutive frames of an episode, uint8 [F, V, H, W, 3].

        Raises EpisodeError where they are damaged, or the file is gone or another by now.
        """
        try:
            version = self.version_of(self.path)
        except OSError as error:
            raise EpisodeError(
                f"{self.path} was there when reading began, and now is not: {error.strerror}; put it back and start "
                "again"
            ) from error
        if version != self.version:
            raise EpisodeError(
                f"{self.path} was replaced, cut short or written to since reading began: start again, so that all "
                "that is learned is of the same episodes"
            )
        dataset = _opened(self.path, self.version, os.getpid())
        try:
            return dataset[row, frames]
        except OSError as error:
            raise EpisodeError(
                f"{self.path} is damaged: {NAME} of episode {row}, counted from 0, cannot be read ({error}); "
                f"{MOVE_AWAY}"
            ) from error


@lru_cache(maxsize=MOST_OPEN)
def _opened(path: Path, version: tuple[int, ...], process: int) -> h5py.Dataset:
    """HDF5 handles are of the process that opened them; a cache of chunks is of no use, each is read once."""
    with errors_named(path):
        return h5py.File(path, "r", rdcc_nbytes=0)[NAME]


@dataclass(frozen=True, eq=False)
class ImagesOnDisk:
    """uint8 [E, T+1, V, H, W, 3] of any number of files, indexed as the array that they would be.

    An episode, frames of it, and frames of many episodes (`[number]`, `[number, frames]`, `[numbers, frames]`, with
    views behind) are read; a choice of episodes or of views (`[first:last]`, `[numbers]`, `[:, :, views]`) reads
    nothing. Other processes may be given it: each opens the files for itself.

    rows int [E, 2]: in which of the files an episode stands, and as which of its rows; views: which of a file's.
    """

    files: tuple[PictureFile, ...]
    rows: np.ndarray
    views: tuple[int, ...]
    dtype = np.dtype(np.uint8)
    ndim = 6

    @classmethod
    def of_file(cls, path: Path, shape: Sequence[int], version: tuple[int, ...], count: int) -> ImagesOnDisk:
        """The first so many episodes of a file."""
        rows = np.stack([np.zeros(count, int), np.arange(count)], axis=1)
        return cls((PictureFile(path, tuple(map(int, shape)), version),), rows, tuple(range(shape[2])))

    @classmethod
    def joined(cls, parts: Sequence[ImagesOnDisk]) -> ImagesOnDisk:
        """Those of several files of the same views, one after the other."""
        firsts = np.cumsum([0, *(len(part.files) for part in parts)])
        rows = [part.rows + np.array([first, 0]) for part, first in zip(parts, firsts, strict=False)]
        return cls(tuple(file for part in parts for file in part.files), np.concatenate(rows), parts[0].views)

    @property
    def shape(self) -> tuple[int, ...]:
        """As the array's."""
        _, frames, _, *size = self.files[0].shape
        return len(self.rows), frames, len(self.views), *size

    @property
    def nbytes(self) -> int:
        """What all of them would take in memory."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[number] for number in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._read(*np.indices(self.shape[:2])).astype(dtype or self.dtype, copy=False)

    @overload
    def __getitem__(self, key: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, key: slice) -> ImagesOnDisk: ...

    @overload
    def __getitem__(self, key: Any) -> Any: ...

    def __getitem__(self, key: Any) -> Any:
        parts: tuple[Any, ...] = key if isinstance(key, tuple) else (key,)
        if len(parts) > 3:
            raise IndexError(f"{len(parts)} indices given; pictures on disk take episodes, frames and views")
        episode, frame, view = parts + (ALL,) * (3 - len(parts))
        numbers, frames = np.arange(len(self))[episode], np.arange(self.shape[1])[frame]
        if numbers.ndim == 1 and isinstance(frame, slice) and frame == ALL and not isinstance(view, int | np.integer):
            return replace(self, rows=self.rows[numbers], views=tuple(np.array(self.views)[view].tolist()))
        if isinstance(frame, slice) or (isinstance(episode, slice) and frames.ndim):
            numbers = numbers[..., None]
        numbers, frames = np.broadcast_arrays(numbers, frames)
        read = self._read(numbers, frames)
        of_view = (*[ALL] * numbers.ndim, view)
        return read if isinstance(view, slice) and view == ALL else read[of_view]

    def _read(self, numbers: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """Frames of episodes [..] as [.., V, H, W, 3]; those that follow one another are read at once."""
        number, frame = numbers.ravel(), frames.ravel()
        pictures = np.empty((len(number), *self.shape[2:]), np.uint8)
        begins = np.flatnonzero((np.diff(number, prepend=-1) != 0) | (np.diff(frame, prepend=-2) != 1))
        all_views = self.views == tuple(range(self.files[0].shape[2]))
        for first, end in pairwise([*begins.tolist(), len(number)]):
            file, row = self.rows[number[first]]
            read = self.files[file].read(int(row), slice(int(frame[first]), int(frame[end - 1]) + 1))
            pictures[first:end] = read if all_views else read[:, list(self.views)]
        return pictures.reshape(*numbers.shape, *self.shape[2:])


Images = np.ndarray | ImagesOnDisk
"""Pictures uint8 [E, T+1, V, H, W, 3], in memory or on disk."""


def on_disk(images: Images) -> ImagesOnDisk:
    """The same, of files; raises TypeError for pictures in memory."""
    if not isinstance(images, ImagesOnDisk):
        raise TypeError("pictures in memory are of no file; expected those of episodes from `read_episodes`")
    return images


def frames_at(images: Images, numbers: np.ndarray) -> np.ndarray:
    """Pictures [.., V, H, W, 3] by numbers [..] that count the frames of all episodes, one episode after the other."""
    return images[np.divmod(numbers, images.shape[1])]
