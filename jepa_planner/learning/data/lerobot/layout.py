"""Where a LeRobotDataset v3 keeps what, and what its `meta/info.json` says of it.

A folder of parquet files, each with the rows (frames) of many episodes, and of videos, each with the pictures of many
episodes one after the other; `meta/episodes` says which rows and which seconds are whose. See "LeRobotDataset v3.0" in
the documentation of huggingface/lerobot.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VERSION = "v3.0"
INFO, STATS, TASKS = "meta/info.json", "meta/stats.json", "meta/tasks.parquet"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
FILES_PER_CHUNK = 1000
DATA_FILE_MB, VIDEO_FILE_MB = 100, 200
PICTURES = ("image", "video")
CONVERT = "python -m lerobot.scripts.convert_dataset_v21_to_v30 --repo-id=NAME --root={root} --push-to-hub=false"


class DatasetError(ValueError):
    """A LeRobotDataset that is missing, damaged, of another version, or not told enough of."""


@dataclass(frozen=True)
class Feature:
    """What each row holds under a name; names: of its numbers, where the dataset names them.

    info: what else is known of it, as of a video its codec.
    """

    key: str
    dtype: str
    shape: tuple[int, ...]
    names: tuple[str, ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_picture(self) -> bool:
        return self.dtype in PICTURES

    @property
    def is_depth(self) -> bool:
        """Whether its pictures hold distances, not colours."""
        said = self.info.get("is_depth_map") or self.info.get("video.is_depth_map")
        return bool(said) or 1 in (self.shape[:1] + self.shape[-1:])

    def __str__(self) -> str:
        names = f": {', '.join(self.names)}" if self.names and not self.is_picture else ""
        return f"{self.key} ({self.dtype} {list(self.shape)}{names})"


@dataclass(frozen=True)
class Info:
    """What a dataset says of itself; data_path and video_path as in DATA and VIDEO."""

    fps: float
    features: Mapping[str, Feature]
    episodes: int
    frames: int
    data_path: str
    video_path: str
    robot: str = ""


def read_info(root: Path) -> Info:
    """What `meta/info.json` says; raises DatasetError for another version, and for what is missing or no number."""
    path = root / INFO
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{root} is no LeRobotDataset: {INFO} cannot be read: {error}") from error
    if not isinstance(plain, dict):
        raise DatasetError(f"{path} holds {type(plain).__name__}, expected a mapping")
    _check_version(root, str(plain.get("codebase_version")))
    try:
        features = {key: _feature(key, feature) for key, feature in plain["features"].items()}
        info = Info(
            float(plain["fps"]), features, int(plain["total_episodes"]), int(plain["total_frames"]),
            str(plain["data_path"]), str(plain.get("video_path") or ""), str(plain.get("robot_type") or ""),
        )  # fmt: skip
    except KeyError as error:
        raise DatasetError(f"{path} lacks {error.args[0]}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{path} is damaged: {error}") from error
    if not 0.0 < info.fps < math.inf:
        raise DatasetError(f"{path}: fps is {info.fps:g}, expected pictures per second")
    return info


def _check_version(root: Path, version: str) -> None:
    if version.startswith("v2"):
        raise DatasetError(
            f"{root} is a LeRobotDataset {version}, expected {VERSION}: convert it with the package lerobot: "
            f"{CONVERT.format(root=root)}"
        )
    if not version.startswith("v3."):
        raise DatasetError(f"{root}: codebase_version is {version!r}, expected {VERSION!r}")


def _feature(key: str, plain: Any) -> Feature:
    if not isinstance(plain, dict):
        raise DatasetError(f"{INFO}: feature {key} is {plain!r}, expected a mapping with dtype and shape")
    info = plain.get("info") or plain.get("video_info") or {}
    shape = tuple(int(size) for size in plain["shape"])
    return Feature(key, str(plain["dtype"]), shape, _names(plain.get("names")), info if isinstance(info, dict) else {})


def _names(plain: Any) -> tuple[str, ...]:
    """Names as writers give them: a list, a list in a list, lists under a word as `motors`, or numbers by name."""
    if isinstance(plain, dict) and all(type(number) is int for number in plain.values()):
        return tuple(sorted(plain, key=plain.__getitem__))
    if isinstance(plain, dict):
        return tuple(name for names in plain.values() for name in _names(names))
    if isinstance(plain, list):
        return tuple(name for item in plain for name in ([item] if isinstance(item, str) else _names(item)))
    return ()
