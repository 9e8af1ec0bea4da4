"""Writes a LeRobotDataset v3, episode by episode."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jepa_planner.core.compressed_picture import png
from jepa_planner.learning.data.lerobot.layout import (
    DATA,
    DATA_FILE_MB,
    EPISODES,
    FILES_PER_CHUNK,
    INFO,
    STATS,
    TASKS,
    VERSION,
    VIDEO,
    VIDEO_FILE_MB,
    Feature,
)
from jepa_planner.learning.data.lerobot.statistics import NumberStatistics, PictureStatistics
from jepa_planner.learning.data.lerobot.video_out import VideoWriter

COUNTED = (
    Feature("timestamp", "float32", (1,)),
    Feature("frame_index", "int64", (1,)),
    Feature("episode_index", "int64", (1,)),
    Feature("index", "int64", (1,)),
    Feature("task_index", "int64", (1,)),
)
"""Features that every dataset has."""
PICTURE_NAMES = ("height", "width", "channels")
ARROW = {"float32": pa.float32(), "float64": pa.float64(), "int64": pa.int64(), "int8": pa.int8(), "bool": pa.bool_()}
PICTURE = pa.struct({"bytes": pa.binary(), "path": pa.string()})


class DatasetWriter:
    """A new dataset in a folder: episodes are added, and `finish` makes it whole."""

    def __init__(
        self, root: Path, features: Sequence[Feature], fps: int, robot: str = "",
        data_mb: float = DATA_FILE_MB, video_mb: float = VIDEO_FILE_MB,
    ) -> None:  # fmt: skip
        self._root, self._fps, self._robot, self._data_mb = root, fps, robot, data_mb
        self._features = {feature.key: feature for feature in (*features, *COUNTED)}
        self._statistics: dict[str, NumberStatistics | PictureStatistics] = {
            key: PictureStatistics() if feature.is_picture else NumberStatistics()
            for key, feature in self._features.items()
        }
        self._videos = {
            feature.key: VideoWriter(root, feature.key, fps, feature.shape[:2], video_mb)  # type: ignore[arg-type]
            for feature in features
            if feature.dtype == "video"
        }
        self._episodes: list[dict[str, Any]] = []
        self._tasks: dict[str, int] = {}
        self._frames, self._file = 0, -1
        self._data: pq.ParquetWriter | None = None

    def add_episode(
        self, numbers: Mapping[str, np.ndarray], pictures: Mapping[str, Iterable[np.ndarray]], task: str,
        notes: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """Rows of an episode: numbers [N] or [N, C] and pictures [N], uint8 RGB [H, W, 3], by feature.

        notes: what else `meta/episodes` says of it.
        """
        count, number = len(next(iter(numbers.values()))), len(self._episodes)
        rows = np.arange(count)
        task_index = self._tasks.setdefault(task, len(self._tasks))
        columns: dict[str, Any] = dict(numbers) | {
            "timestamp": (rows / self._fps).astype(np.float32), "frame_index": rows, "index": rows + self._frames,
            "episode_index": np.full(count, number), "task_index": np.full(count, task_index),
        }  # fmt: skip
        said: dict[str, Any] = {"episode_index": number, "tasks": [task], "length": count, **notes}
        stats: dict[str, dict[str, Any]] = {}
        for key, values in columns.items():
            of_numbers = self._statistics[key]
            assert isinstance(of_numbers, NumberStatistics)
            stats[key] = of_numbers.add(values)
        for key, shown in pictures.items():
            columns[key], stats[key] = self._add_pictures(key, shown, said)
        said |= self._write_rows(columns, count)
        said |= {f"stats/{key}/{name}": value for key, own in stats.items() for name, value in own.items()}
        said |= {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
        self._episodes.append(said)
        self._frames += count

    def finish(self) -> None:
        """Closes all files, and writes what the dataset says of itself."""
        if self._data is not None:
            self._data.close()
        for video in self._videos.values():
            video.close()
        _write(self._root / EPISODES.format(chunk_index=0, file_index=0), pa.Table.from_pylist(self._episodes))
        _write(self._root / TASKS, _tasks(list(self._tasks)))
        stats = {key: statistics.total() for key, statistics in self._statistics.items()}
        (self._root / STATS).write_text(json.dumps(stats, indent=4), encoding="utf-8")
        (self._root / INFO).write_text(json.dumps(self._info(), indent=4), encoding="utf-8")

    def _add_pictures(
        self, key: str, shown: Iterable[np.ndarray], said: dict[str, Any]
    ) -> tuple[list[bytes], dict[str, Any]]:
        """Into the video, or packed for rows; says where the video has them."""
        statistics, video, packed = self._statistics[key], self._videos.get(key), []
        assert isinstance(statistics, PictureStatistics)
        if video is not None:
            video.begin_episode()
        for picture in shown:
            statistics.add(picture)
            if video is None:
                packed.append(png(picture))
            else:
                video.add(picture)
        if video is not None:
            said |= video.end_of_episode()
        return packed, statistics.end_of_episode()

    def _write_rows(self, columns: Mapping[str, Any], count: int) -> dict[str, int]:
        """One group of rows an episode; returns where they are."""
        kept = [feature for feature in self._features.values() if feature.dtype != "video"]
        arrays = [_arrow(feature, columns[feature.key]) for feature in kept]
        schema = pa.schema([(feature.key, array.type) for feature, array in zip(kept, arrays, strict=True)])
        if self._data is None or self._path().stat().st_size > self._data_mb * 2**20:
            if self._data is not None:
                self._data.close()
            self._file += 1
            self._path().parent.mkdir(parents=True, exist_ok=True)
            self._data = pq.ParquetWriter(self._path(), schema.with_metadata(_hugging_face(kept)))
        self._data.write_table(pa.Table.from_arrays(arrays, schema=self._data.schema))
        chunk, file = divmod(self._file, FILES_PER_CHUNK)
        return {
            "data/chunk_index": chunk, "data/file_index": file,
            "dataset_from_index": self._frames, "dataset_to_index": self._frames + count,
        }  # fmt: skip

    def _path(self) -> Path:
        chunk, file = divmod(self._file, FILES_PER_CHUNK)
        return self._root / DATA.format(chunk_index=chunk, file_index=file)

    def _info(self) -> dict[str, Any]:
        features: dict[str, dict[str, Any]] = {}
        for key, feature in self._features.items():
            names = PICTURE_NAMES if feature.is_picture else feature.names
            features[key] = {"dtype": feature.dtype, "shape": list(feature.shape), "names": list(names) or None}
            if info := {**feature.info, **(self._videos[key].info() if key in self._videos else {})}:
                features[key]["info"] = info
        return {
            "codebase_version": VERSION, "robot_type": self._robot or None, "total_episodes": len(self._episodes),
            "total_frames": self._frames, "total_tasks": len(self._tasks), "chunks_size": FILES_PER_CHUNK,
            "data_files_size_in_mb": DATA_FILE_MB, "video_files_size_in_mb": VIDEO_FILE_MB, "fps": self._fps,
            "splits": {"train": f"0:{len(self._episodes)}"}, "data_path": DATA,
            "video_path": VIDEO if self._videos else None, "features": features,
        }  # fmt: skip


def _arrow(feature: Feature, values: Any) -> pa.Array:
    if feature.is_picture:
        return pa.array([{"bytes": data, "path": None} for data in values], PICTURE)
    kind = ARROW[feature.dtype]
    flat = pa.array(np.ascontiguousarray(values).ravel(), kind)
    return flat if feature.shape == (1,) else pa.FixedSizeListArray.from_arrays(flat, feature.shape[0])


def _hugging_face(features: Sequence[Feature]) -> dict[str, str]:
    """By which the package datasets knows pictures from bytes."""
    said: dict[str, Any] = {}
    for feature in features:
        value = {"dtype": feature.dtype, "_type": "Value"}
        if feature.is_picture:
            said[feature.key] = {"_type": "Image"}
        else:
            length = feature.shape[0]
            said[feature.key] = value if length == 1 else {"feature": value, "length": length, "_type": "List"}
    return {"huggingface": json.dumps({"info": {"features": said}})}


def _tasks(tasks: Sequence[str]) -> pa.Table:
    """With the texts as the index of a pandas table, in which lerobot looks them up."""
    column = {"metadata": None, "pandas_type": "int64", "numpy_type": "int64"}
    pandas = {
        "index_columns": ["task"], "column_indexes": [], "pandas_version": "2.2.0",
        "columns": [
            {"name": "task_index", "field_name": "task_index", **column},
            {"name": "task", "field_name": "task", "metadata": None, "pandas_type": "unicode", "numpy_type": "object"},
        ],
    }  # fmt: skip
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": pa.array(tasks, pa.string())})
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})


def _write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
