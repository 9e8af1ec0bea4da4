"""What an episode shard must hold: its format, channels and shapes; see `episodes` for the table."""

from __future__ import annotations

import math
import os
from pathlib import Path

import h5py
import numpy as np

from jepa_planner.core.arm_layout import ACTION_CHANNELS, STATE_CHANNELS
from jepa_planner.core.channel_names import present_names
from jepa_planner.learning.data.joined_shards import Shard
from jepa_planner.learning.data.shard_file import EpisodeError, as_texts

FORMAT = "jepa_planner-episodes-2"
FORMATS = (FORMAT, "jepa_planner-episodes-1")


def check_meaning(path: Path, file: h5py.File) -> None:
    """Raises EpisodeError unless the file says that it is a shard, and its numbers mean what is expected."""
    format = as_texts(file.attrs["format"], path)[0] if "format" in file.attrs else None
    if format not in FORMATS:
        raise EpisodeError(f"{path} has format {format!r}, expected {FORMAT!r}")
    channels = tuple(present_names(as_texts(file.attrs[name], path)) for name in ("state_channels", "action_channels"))
    if channels != (STATE_CHANNELS, ACTION_CHANNELS):
        raise EpisodeError(f"{path} has channels {channels}, expected {(STATE_CHANNELS, ACTION_CHANNELS)}")


def check_room(path: Path, file: h5py.File, count: int) -> None:
    """Raises EpisodeError where what is read at once, numbers of so many episodes or pictures of one, does not fit into
    the memory of this machine.
    """
    rows = max(1, len(file["images"]))
    small_bytes = sum(file[name].nbytes for name in file if name != "images" and isinstance(file[name], h5py.Dataset))
    claimed = max(small_bytes * count // rows, file["images"].nbytes // rows)
    room = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if claimed > room:
        raise EpisodeError(
            f"{path} claims {claimed} bytes to be read at once, and this machine has memory for at most {room}: use "
            "fewer episodes (--episodes), shorter ones, or smaller pictures"
        )


def check_pictures_stored(path: Path, images: h5py.Dataset) -> None:
    """Raises EpisodeError unless a dataset holds pictures as bytes."""
    if not isinstance(images, h5py.Dataset):
        raise EpisodeError(f"{path}: images is no array")
    if images.dtype != np.uint8 or images.ndim != 6 or images.shape[-1] != 3:
        layout = f"{images.dtype} {list(images.shape)}"
        raise EpisodeError(
            f"{path}: images are {layout}, expected uint8 (0 to 255) [episodes, frames, views, height, width, 3]"
        )
    if not images.size:
        raise EpisodeError(f"{path} holds no episodes: its images are {list(images.shape)}; leave it out")


def check_shard(path: Path, shard: Shard) -> None:
    """Raises EpisodeError naming what of a shard has another shape than its pictures imply, or is no number."""
    if not 0.0 < shard.time_step_s < math.inf:
        raise EpisodeError(f"{path}: time_step_s is {shard.time_step_s}; expected seconds from one action to the next")
    _check_shapes(path, shard)
    most = shard.actions.shape[1]
    if len(wrong := np.flatnonzero((shard.lengths < 1) | (shard.lengths > most))):
        raise EpisodeError(
            f"{path}: length of episode {wrong[0]} is {shard.lengths[wrong[0]]}; expected 1 to {most}, the actions "
            "that there are"
        )
    for name in ("states", "actions", "object_pose"):
        spoilt = np.argwhere(~np.isfinite(getattr(shard, name)))
        if len(spoilt):
            episode, frame, channel = spoilt[0]
            raise EpisodeError(
                f"{path} holds {name} that are not finite: {len(spoilt)} numbers, the first in episode {episode}, "
                f"frame {frame}, channel {channel} (all counted from 0); leave those episodes out"
            )


def _check_shapes(path: Path, shard: Shard) -> None:
    if len(set(shard.views)) < len(shard.views) or not all(shard.views):
        raise EpisodeError(f"{path}: views are {list(shard.views)}, expected a name of its own for each camera")
    count, frames, _, height, width, _ = shard.images.shape
    for name, expected in (
        ("images", (count, frames, len(shard.views), height, width, 3)),
        ("states", (count, frames, len(STATE_CHANNELS))),
        ("actions", (count, frames - 1, len(ACTION_CHANNELS))),
        ("object_pose", (count, frames, 4)),
        ("behaviour", (count,)),
        ("seeds", (count,)),
        ("scenes", (count,)),
        ("motions", (count,)),
        ("lengths", (count,)),
        ("success", (count,)),
        ("tasks", (count,)),
    ):
        if (given := np.shape(getattr(shard, name))) != expected:
            raise EpisodeError(
                f"{path}: {name} have shape {list(given)}; {count} episodes of {frames} images imply {list(expected)}"
            )
