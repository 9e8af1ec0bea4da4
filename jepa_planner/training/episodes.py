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
episode), `scenes` (a number per episode: those with the same number show the same table, light, cameras and things; if
absent, each shows its own), `motions` (a number per episode, which counts within the file: those with the same number
show the same motion, on tables that look different; if absent, each shows its own), `vary` (what the scenes varied),
`mix` (how behaviours were mixed).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

FORMAT = "jepa_planner-episodes-1"
MAX_SHARD_BYTES = 16 * 2**30
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
UNNAMED_MIX = "exploration"
"""What shards hold that do not say how behaviours were mixed: they were collected before there was a choice."""


class EpisodeError(ValueError):
    """Episode files that are missing, foreign, damaged, or do not go together."""


@dataclass(frozen=True)
class Episodes:
    """Episodes of equal length in memory; shapes as in the module's table, leading axis E. scenes, motions: as in its
    attributes, [E], motions of several files with numbers of their own; None: each has its own.
    """

    images: np.ndarray
    states: np.ndarray
    actions: np.ndarray
    object_pose: np.ndarray
    behaviour: tuple[str, ...]
    seeds: np.ndarray
    views: tuple[str, ...]
    time_step_s: float
    scenes: np.ndarray | None = None
    motions: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.scenes is None:
            object.__setattr__(self, "scenes", np.asarray(self.seeds))
        if self.motions is None:
            object.__setattr__(self, "motions", np.arange(len(self.seeds)))

    def __len__(self) -> int:
        return len(self.images)

    def part(self, numbers: np.ndarray) -> Episodes:
        """Some of them, by number, in that order."""
        arrays = {
            name: getattr(self, name)[numbers]
            for name in ("images", "states", "actions", "object_pose", "seeds", "scenes", "motions")
        }
        return replace(self, **arrays, behaviour=tuple(self.behaviour[number] for number in numbers))


def write_shard(path: Path, episodes: Episodes, vary: Iterable[str] = (), mix: str = "") -> None:
    """Write one shard; a crash leaves either the whole file or none.

    `vary` names what the scenes varied, `mix` how behaviours were mixed.
    """
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
        file.attrs["scenes"] = episodes.scenes
        file.attrs["motions"] = episodes.motions
        file.attrs["vary"] = sorted(vary)
        file.attrs["mix"] = mix
    os.replace(partial, path)


def shard_settings(path: Path) -> dict[str, object]:
    """How a shard was collected: seeds, steps, image size (px), scenes and motions (None: it does not say), vary,
    behaviour, views.

    Raises EpisodeError where it cannot be read.
    """
    try:
        with h5py.File(path, "r") as file:
            return {
                "seeds": file.attrs["seeds"].tolist(),
                "steps": file["actions"].shape[1],
                "image size": file["images"].shape[-2],
                **{name: file.attrs[name].tolist() if name in file.attrs else None for name in ("scenes", "motions")},
                "vary": [str(name) for name in file.attrs.get("vary", ())],
                "behaviour": str(file.attrs.get("mix", UNNAMED_MIX)),
                "views": [str(name) for name in file.attrs["views"]],
            }
    except (OSError, KeyError) as error:
        raise EpisodeError(
            f"{path} cannot be read as an episode shard: {error}; delete it to collect it again"
        ) from error


def shard_paths(folder: str | Path) -> list[Path]:
    """The shards of a folder in the order of their names; raises EpisodeError where there is none."""
    paths = sorted(Path(folder).glob("episodes-*.h5"))
    if not paths:
        raise EpisodeError(f"no episodes-*.h5 in {folder}: collect some with `jepa-planner collect {folder}`")
    return paths


def read_episodes(folders: str | Path | Sequence[Path], limit: int | None = None) -> Episodes:
    """Read the shards of a folder, or of several one after the other, in the order of names, up to `limit` episodes.

    Raises EpisodeError naming the file and what is wrong with it.
    """
    folders = [folders] if isinstance(folders, str | Path) else folders
    paths = [path for folder in folders for path in shard_paths(folder)]
    shards = []
    count = 0
    for path in paths:
        shards.append(_read_shard(path))
        if _setting(shards[-1]) != _setting(shards[0]):
            raise EpisodeError(
                f"{path} holds images, views and time step {_setting(shards[-1])}, "
                f"but {paths[0]} {_setting(shards[0])}: episodes that are read together take one setting"
            )
        count += len(shards[-1])
        if limit is not None and count >= limit:
            break

    def join(name: str) -> np.ndarray:
        return np.concatenate([getattr(s, name) for s in shards])[:limit]

    return Episodes(
        _joined_images(shards)[:limit], join("states"), join("actions"), join("object_pose"),
        tuple(b for s in shards for b in s.behaviour)[:limit], join("seeds"), shards[0].views, shards[0].time_step_s,
        join("scenes"), _numbered_apart([shard.motions for shard in shards])[:limit],
    )  # fmt: skip


def _joined_images(shards: Sequence[Episodes]) -> np.ndarray:
    """All pictures in one array; each shard lets its own go, as there is no room for all of them twice."""
    images = np.empty((sum(map(len, shards)), *shards[0].images.shape[1:]), np.uint8)
    first = 0
    for shard in shards:
        last = first + len(shard)
        images[first:last] = shard.images
        object.__setattr__(shard, "images", images[first:last])
        first = last
    return images


def _numbered_apart(motions: Sequence[np.ndarray]) -> np.ndarray:
    """Motions of shards, joined: those of one shard are none of another's, whatever their numbers."""
    joined, first = [], 0
    for numbers in motions:
        names, own = np.unique(numbers, return_inverse=True)
        joined.append(own + first)
        first += len(names)
    return np.concatenate(joined)


def seeds_in_words(seeds: np.ndarray) -> str:
    """The seeds of episodes as spans without gaps, for example "0 to 19 and 100 to 139"."""
    known = np.unique(seeds)
    spans = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1)
    return " and ".join(f"{span[0]} to {span[-1]}" for span in spans)


def _setting(shard: Episodes) -> tuple[object, ...]:
    return shard.images.shape[1:], shard.views, shard.time_step_s


def _read_shard(path: Path) -> Episodes:
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise EpisodeError(f"{path} has format {file.attrs.get('format')!r}, expected {FORMAT!r}")
            channels = tuple(file.attrs["state_channels"]), tuple(file.attrs["action_channels"])
            if channels != (STATE_CHANNELS, ACTION_CHANNELS):
                raise EpisodeError(f"{path} has channels {channels}, expected {(STATE_CHANNELS, ACTION_CHANNELS)}")
            claimed = sum(file[name].nbytes for name in ("images", "states", "actions", "object_pose"))
            if claimed > MAX_SHARD_BYTES:
                raise EpisodeError(
                    f"{path} claims {claimed} bytes of data, expected at most {MAX_SHARD_BYTES} in a shard"
                )
            shard = Episodes(
                file["images"][:], file["states"][:], file["actions"][:], file["object_pose"][:],
                tuple(file["behaviour"].asstr()[:]), np.asarray(file.attrs["seeds"]), tuple(file.attrs["views"]),
                float(file.attrs["time_step_s"]), file.attrs.get("scenes"),
                file.attrs.get("motions"),
            )  # fmt: skip
    except (OSError, KeyError, TypeError) as error:
        raise EpisodeError(
            f"{path} cannot be read as an episode shard: {error}; delete it and collect again"
        ) from error
    _check_shapes(path, shard)
    for name in ("states", "actions", "object_pose"):
        if not np.all(np.isfinite(getattr(shard, name))):
            raise EpisodeError(f"{path} holds {name} that are not finite; delete it and collect again")
    return shard


def _check_shapes(path: Path, shard: Episodes) -> None:
    if shard.images.dtype != np.uint8 or shard.images.ndim != 6:
        given = f"{shard.images.dtype} {list(shard.images.shape)}"
        raise EpisodeError(f"{path}: images are {given}, expected uint8 [episodes, frames, views, height, width, 3]")
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
    ):
        if (given := np.shape(getattr(shard, name))) != expected:
            raise EpisodeError(
                f"{path}: {name} have shape {list(given)}; {count} episodes of {frames} images imply {list(expected)}"
            )
