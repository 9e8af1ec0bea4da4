"""Episodes on disk: HDF5 shards that any HDF5 reader opens, written atomically, checked when read.

A shard `episodes-000123.h5` holds E episodes of T actions each:

| dataset | shape | meaning |
|---|---|---|
| images | uint8 [E, T+1, V, H, W, 3] | RGB before each action and after the last; order as in `views` |
| states | float32 [E, T+1, S] | arm state; channels in attribute `state_channels`, m and rad in the base frame |
| actions | float32 [E, T, A] | the action as commanded; channels in attribute `action_channels` |
| object_pose | float32 [E, T+1, 4] | x, y, z (m), yaw (rad) of the object: for probes only, training never reads it |
| behaviour | str [E] | what was being done |

File attributes: `format` (FORMAT), `time_step_s`, `views`, `state_channels`, `action_channels`, `seeds` (one per
episode).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

FORMAT = "jepa_planner-episodes-1"
STATE_CHANNELS = (
    "x_m",
    "y_m",
    "z_m",
    "roll_rad",
    "pitch_rad",
    "yaw_rad",
    "closedness_commanded",
    "closedness_measured",
)
ACTION_CHANNELS = ("dx_m", "dy_m", "dz_m", "droll_rad", "dpitch_rad", "dyaw_rad", "dclosedness")


class EpisodeError(ValueError):
    """Episode files that are missing, foreign, damaged, or do not go together."""


@dataclass(frozen=True)
class Episodes:
    """Episodes of equal length in memory; shapes as in the module's table, leading axis E."""

    images: np.ndarray
    states: np.ndarray
    actions: np.ndarray
    object_pose: np.ndarray
    behaviour: tuple[str, ...]
    seeds: np.ndarray
    views: tuple[str, ...]
    time_step_s: float

    def __len__(self) -> int:
        return len(self.images)


def write_shard(path: Path, episodes: Episodes) -> None:
    """Write one shard; a crash leaves either the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with h5py.File(partial, "w") as file:
        frame = episodes.images.shape[2:]
        file.create_dataset("images", data=episodes.images, chunks=(1, 1, *frame), compression="lzf")
        file["states"] = episodes.states
        file["actions"] = episodes.actions
        file["object_pose"] = episodes.object_pose
        file["behaviour"] = list(episodes.behaviour)
        file.attrs["format"] = FORMAT
        file.attrs["time_step_s"] = episodes.time_step_s
        file.attrs["views"] = list(episodes.views)
        file.attrs["state_channels"] = list(STATE_CHANNELS)
        file.attrs["action_channels"] = list(ACTION_CHANNELS)
        file.attrs["seeds"] = episodes.seeds
    os.replace(partial, path)


def read_episodes(folder: str | Path, limit: int | None = None) -> Episodes:
    """Read the shards of a folder, in the order of their names, up to `limit` episodes.

    Raises EpisodeError naming the file and what is wrong with it.
    """
    paths = sorted(Path(folder).glob("episodes-*.h5"))
    if not paths:
        raise EpisodeError(f"no episodes-*.h5 in {folder}: collect some with `jepa-planner collect {folder}`")
    shards = []
    count = 0
    for path in paths:
        shards.append(_read_shard(path))
        if shards[-1].images.shape[1:] != shards[0].images.shape[1:] or shards[-1].views != shards[0].views:
            raise EpisodeError(
                f"{path} holds images {shards[-1].images.shape[1:]} of views {shards[-1].views}, "
                f"but {paths[0]} {shards[0].images.shape[1:]} of {shards[0].views}: one folder takes one setting"
            )
        count += len(shards[-1])
        if limit is not None and count >= limit:
            break

    def join(name: str) -> np.ndarray:
        return np.concatenate([getattr(s, name) for s in shards])[:limit]

    return Episodes(
        join("images"), join("states"), join("actions"), join("object_pose"),
        tuple(b for s in shards for b in s.behaviour)[:limit], join("seeds"), shards[0].views, shards[0].time_step_s,
    )  # fmt: skip


def _read_shard(path: Path) -> Episodes:
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise EpisodeError(f"{path} has format {file.attrs.get('format')!r}, expected {FORMAT!r}")
            channels = tuple(file.attrs["state_channels"]), tuple(file.attrs["action_channels"])
            if channels != (STATE_CHANNELS, ACTION_CHANNELS):
                raise EpisodeError(f"{path} has channels {channels}, expected {(STATE_CHANNELS, ACTION_CHANNELS)}")
            shard = Episodes(
                file["images"][:], file["states"][:], file["actions"][:], file["object_pose"][:],
                tuple(file["behaviour"].asstr()[:]), np.asarray(file.attrs["seeds"]), tuple(file.attrs["views"]),
                float(file.attrs["time_step_s"]),
            )  # fmt: skip
    except (OSError, KeyError) as error:
        raise EpisodeError(
            f"{path} cannot be read as an episode shard: {error}; delete it and collect again"
        ) from error
    episodes, steps = shard.actions.shape[:2]
    if shard.images.shape[:2] != (episodes, steps + 1) or shard.states.shape[:2] != (episodes, steps + 1):
        raise EpisodeError(
            f"{path}: {steps} actions need {steps + 1} images and states, "
            f"got {shard.images.shape} and {shard.states.shape}"
        )
    if not (np.all(np.isfinite(shard.states)) and np.all(np.isfinite(shard.actions))):
        raise EpisodeError(f"{path} holds states or actions that are not finite; delete it and collect again")
    return shard
