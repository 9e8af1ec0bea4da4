"""Episodes on disk: HDF5 shards that any HDF5 reader opens, written atomically, checked when read.

A shard `episodes-000123.h5` holds E episodes of T actions each:

| dataset | shape | meaning |
|---|---|---|
| images | uint8 [E, T+1, V, H, W, 3] | RGB before each action and after the last; order as in `views` |
| states | float32 [E, T+1, S] | arm state; channels in attribute `state_channels`, m and rad in the base frame |
| actions | float32 [E, T, A] | the action as commanded; channels in attribute `action_channels` |
| object_pose | float32 [E, T+1, 4] | x, y, z (m), yaw (rad) of the object: for probes only; if absent, zeros |
| behaviour | str [E] | what was being done; if absent, nothing |
| seeds | int [E] | a number of each episode; if absent, they are counted |
| scenes | int [E] | the same for those that show the same table, light, cameras and things; if absent, each its own |
| motions | int [E] | the same for those that show one motion on tables that look different; if absent, each its own |
| lengths | int [E] | how many actions were recorded; what follows shows the last moment again, at rest; if absent, T |
| success | int8 [E] | 1 done, 0 failed, -1 not told; if absent, -1 |
| tasks | str [E] | what was to be done, in words; if absent, nothing |

File attributes: `format` (FORMAT), `time_step_s`, `views`, `state_channels`, `action_channels`, `frame` and `tcp_frame`
(what poses are given in and of), `vary` (what the scenes varied), `strength` (how much) and `setup` (by which number),
`mix` (how behaviours were mixed). Older files, of format 1, hold seeds, scenes and motions as attributes, which HDF5
allows few of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from jepa_planner.core.arm_layout import ACTION_CHANNELS, STATE_CHANNELS
from jepa_planner.learning.data.images_on_disk import Images, ImagesOnDisk, PictureFile, on_disk
from jepa_planner.learning.data.joined_shards import check_together, frame_of, numbered_apart
from jepa_planner.learning.data.shard_file import (
    EpisodeError,
    as_texts,
    first_rows,
    open_to_read,
    open_to_write,
    write_checked,
)
from jepa_planner.learning.data.shard_layout import (
    FORMAT,
    check_meaning,
    check_pictures_stored,
    check_room,
    check_shard,
)

NOT_TOLD = -1
"""Nobody said whether an episode's task was done."""
_NUMBERED = ("seeds", "scenes", "motions", "lengths", "success")
_TEXTS = ("behaviour", "tasks")
UNNAMED_MIX = "exploration"
"""What shards hold that do not say how behaviours were mixed: they were collected before there was a choice."""


@dataclass(frozen=True)
class Episodes:
    """Episodes of equal length; shapes as in the module's table, leading axis E. Pictures of files stay there until
    they are wanted. Motions of several files have numbers of their own. frame, tcp_frame: what poses are given in and
    of; empty where files do not say.
    """

    images: Images
    states: np.ndarray
    actions: np.ndarray
    object_pose: np.ndarray
    behaviour: tuple[str, ...]
    seeds: np.ndarray
    views: tuple[str, ...]
    time_step_s: float
    scenes: np.ndarray = None  # type: ignore[assignment]  # None when given: numbered in __post_init__
    motions: np.ndarray = None  # type: ignore[assignment]  # likewise
    frame: str = ""
    tcp_frame: str = ""
    lengths: np.ndarray = None  # type: ignore[assignment]  # likewise
    success: np.ndarray = None  # type: ignore[assignment]  # likewise
    tasks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.scenes is None:
            object.__setattr__(self, "scenes", np.asarray(self.seeds))
        if self.motions is None:
            object.__setattr__(self, "motions", np.arange(len(self.seeds)))
        if self.lengths is None:
            object.__setattr__(self, "lengths", np.full(len(self.seeds), self.actions.shape[1]))
        if self.success is None:
            object.__setattr__(self, "success", np.full(len(self.seeds), NOT_TOLD, np.int8))
        if not self.tasks:
            object.__setattr__(self, "tasks", ("",) * len(self.seeds))

    def __len__(self) -> int:
        return len(self.images)

    def part(self, episode_indices: np.ndarray) -> Episodes:
        """Some of them, by number, in that order."""
        parts: dict[str, Any] = {
            name: getattr(self, name)[episode_indices]
            for name in ("images", "states", "actions", "object_pose", *_NUMBERED)
        }
        parts |= {name: tuple(getattr(self, name)[number] for number in episode_indices) for name in _TEXTS}
        return replace(self, **parts)


def write_shard(
    path: Path, episodes: Episodes, vary: Iterable[str] = (), mix: str = "", notes: Mapping[str, Any] | None = None
) -> None:
    """Write one shard; a crash leaves either the whole file or none. Raises EpisodeError where there is no room.

    `vary` names what the scenes varied, `mix` how behaviours were mixed. notes: further attributes, for people.
    """
    with open_to_write(path, most_bytes=episodes.images.nbytes + 2**20) as file:
        frame = episodes.images.shape[2:]
        write_checked(file, "images", episodes.images, chunks=(1, 1, *frame), compression="lzf")
        for name in ("states", "actions", "object_pose", *_NUMBERED):
            write_checked(file, name, getattr(episodes, name))
        for name in _TEXTS:
            texts = [text.encode() for text in getattr(episodes, name)]
            longest = max(1, *map(len, texts))
            write_checked(file, name, np.array(texts, h5py.string_dtype("utf-8", longest)))
        file.attrs["format"] = FORMAT
        file.attrs["time_step_s"] = episodes.time_step_s
        file.attrs["views"] = list(episodes.views)
        file.attrs["state_channels"] = list(STATE_CHANNELS)
        file.attrs["action_channels"] = list(ACTION_CHANNELS)
        file.attrs["frame"] = episodes.frame
        file.attrs["tcp_frame"] = episodes.tcp_frame
        file.attrs["vary"] = sorted(vary)
        file.attrs["mix"] = mix
        file.attrs.update(notes or {})


def shard_settings(path: Path) -> dict[str, object]:
    """How a shard was collected: seeds, steps, image size (px), scenes and motions (None: it does not say), vary,
    behaviour, views, strength, setup.

    Raises EpisodeError where it cannot be read.
    """
    with open_to_read(path) as file:
        per_episode = {name: _numbers(file, name) for name in ("seeds", "scenes", "motions")}
        return {
            "steps": file["actions"].shape[1],
            "image size": file["images"].shape[-2],
            **{name: None if values is None else values.tolist() for name, values in per_episode.items()},
            "vary": list(as_texts(file.attrs.get("vary", ()), path)),
            "behaviour": as_texts(file.attrs.get("mix", UNNAMED_MIX), path)[0],
            "views": list(as_texts(file.attrs["views"], path)),
            "strength": float(file.attrs.get("strength", 1.0)),
            "setup": int(file.attrs["setup"]) if "setup" in file.attrs else None,
        }


def shard_paths(folder: str | Path) -> list[Path]:
    """The shards of a folder in the order of their names; raises EpisodeError where there is none."""
    paths = sorted(Path(folder).glob("episodes-*.h5"))
    if not paths:
        raise EpisodeError(f"no episodes-*.h5 in {folder}: collect some with `jepa-planner collect {folder}`")
    return paths


def read_episodes(folders: str | Path | Sequence[Path], limit: int | None = None) -> Episodes:
    """Open the shards of a folder, or of several one after the other, in the order of names, up to `limit` episodes;
    of their pictures the shape alone is read.

    Raises EpisodeError naming the file and what is wrong with it, as reading pictures does later.
    """
    one_or_more = [folders] if isinstance(folders, str | Path) else folders
    paths = [path for folder in one_or_more for path in shard_paths(folder)]
    shards: list[Episodes] = []
    count = 0
    for path in paths:
        shards.append(_read_shard(path, count, None if limit is None else limit - count))
        check_together(path, shards[-1], paths[0], shards[0])
        count += len(shards[-1])
        if limit is not None and count >= limit:
            break

    def join(name: str) -> np.ndarray:
        return np.concatenate([getattr(s, name) for s in shards])

    first = shards[0]
    return Episodes(
        ImagesOnDisk.joined([on_disk(shard.images) for shard in shards]), join("states"), join("actions"),
        join("object_pose"), tuple(b for s in shards for b in s.behaviour), join("seeds"), first.views,
        first.time_step_s, join("scenes"), numbered_apart([shard.motions for shard in shards]),
        frame_of(paths, [shard.frame for shard in shards]), frame_of(paths, [shard.tcp_frame for shard in shards]),
        join("lengths"), join("success"), tuple(task for s in shards for task in s.tasks),
    )  # fmt: skip


def seeds_in_words(seeds: np.ndarray) -> str:
    """The seeds of episodes as spans without gaps, for example "0 to 19 and 100 to 139"."""
    known = np.unique(seeds)
    spans = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1)
    return " and ".join(f"{span[0]} to {span[-1]}" for span in spans)


def _read_shard(path: Path, before: int, limit: int | None) -> Episodes:
    """The episodes of a file, of which so many were read before."""
    with open_to_read(path) as file:
        version = PictureFile.version_of(path)
        check_meaning(path, file)
        images = file["images"]
        check_pictures_stored(path, images)
        count = len(images) if limit is None else min(limit, len(images))
        check_room(path, file, count)
        states, actions = (_floats(file, name, limit) for name in ("states", "actions"))
        poses = np.zeros((*states.shape[:2], 4), np.float32)
        seeds = _numbers(file, "seeds", limit)
        own = {name: _numbers(file, name, limit) for name in ("scenes", "motions", "lengths", "success")}
        numbered = {name: values for name, values in own.items() if values is not None}
        frame, tcp_frame = (as_texts(file.attrs.get(name, ""), path)[0] for name in ("frame", "tcp_frame"))
        shard = Episodes(
            ImagesOnDisk.of_file(path, images.shape, version, count), states, actions,
            _floats(file, "object_pose", limit) if "object_pose" in file else poses,
            _texts(file, "behaviour", limit) if "behaviour" in file else ("",) * count,
            np.arange(before, before + count) if seeds is None else seeds, as_texts(file.attrs["views"], path),
            float(file.attrs["time_step_s"]), frame=frame, tcp_frame=tcp_frame,
            tasks=_texts(file, "tasks", limit) if "tasks" in file else (), **numbered,
        )  # fmt: skip
    check_shard(path, shard)
    return shard


def _texts(file: h5py.File, name: str, limit: int | None) -> tuple[str, ...]:
    return as_texts(first_rows(file, name, limit), Path(file.filename))


def _floats(file: h5py.File, name: str, limit: int | None) -> np.ndarray:
    return first_rows(file, name, limit).astype(np.float32)


def _numbers(file: h5py.File, name: str, limit: int | None = None) -> np.ndarray | None:
    """A number for each episode, from a dataset or, in older files, an attribute; None: the file does not say."""
    if name not in file and name not in file.attrs:
        return None
    values = first_rows(file, name, limit) if name in file else np.asarray(file.attrs[name])[:limit]
    if values.dtype.kind not in "iu":
        raise EpisodeError(f"{file.filename}: {name} are {values.dtype}, expected a whole number for each episode")
    return values
