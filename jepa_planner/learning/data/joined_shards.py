"""Shards that are read together: what they must have in common, and how they become one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from jepa_planner.learning.data.images_on_disk import Images
from jepa_planner.learning.data.shard_file import EpisodeError

FRAMES = "frames per episode"
MEND = {FRAMES: "cut them to the shortest, or into pieces of one length"}


class Shard(Protocol):
    """What is asked of the episodes in a file; see `Episodes`."""

    @property
    def images(self) -> Images: ...

    @property
    def actions(self) -> np.ndarray: ...

    @property
    def lengths(self) -> np.ndarray: ...

    @property
    def views(self) -> tuple[str, ...]: ...

    @property
    def time_step_s(self) -> float: ...

    def __len__(self) -> int: ...


def check_together(path: Path, shard: Shard, first_path: Path, first: Shard) -> None:
    """Raises EpisodeError naming what two files have not in common."""
    own, others = _in_common(shard), _in_common(first)
    for name, value in own.items():
        if value != others[name]:
            raise EpisodeError(
                f"{path} has {name} {value}, but {first_path} {others[name]}: episodes that are read together are "
                f"alike in that; {MEND.get(name, 'record or convert them alike')}"
            )


def _in_common(shard: Shard) -> dict[str, object]:
    shape = shard.images.shape
    return {FRAMES: shape[1], "views": shard.views, "height and width": shape[3:5], "time_step_s": shard.time_step_s}


def numbered_apart(motions: Sequence[np.ndarray]) -> np.ndarray:
    """Motions of shards, joined: those of one shard are none of another's, whatever their numbers."""
    joined, first = [], 0
    for of_shard in motions:
        names, own = np.unique(of_shard, return_inverse=True)
        joined.append(own + first)
        first += len(names)
    return np.concatenate(joined)


def frame_of(paths: Sequence[Path], frames: Sequence[str]) -> str:
    """The frame that all shards name; empty where one of them names none. Raises EpisodeError where they differ."""
    named = {frame: path for path, frame in zip(paths, frames, strict=False) if frame}
    if len(named) > 1:
        (one, its), (other, others) = list(named.items())[:2]
        raise EpisodeError(
            f"{its} holds poses of frame {one!r}, but {others} of {other!r}: episodes that are read together take one"
        )
    return "" if "" in frames else frames[0]
