"""Rows and pictures of a LeRobotDataset v3, by episode; nothing is taken that its own indices contradict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jepa_planner.learning.data.lerobot.layout import DATA, TASKS, DatasetError, Info, read_info

ROW_NUMBERS = ("episode_index", "frame_index", "index", "task_index")
FROM, TO = "dataset_from_index", "dataset_to_index"


@dataclass(frozen=True)
class Episode:
    """An episode: its rows `index` first to first + length are in data_file, its pictures of a key in a video from so
    many seconds on. notes: all else that stands beside it in `meta/episodes`, but for statistics.
    """

    number: int
    length: int
    first: int
    data_file: Path
    videos: Mapping[str, tuple[Path, float]]
    notes: Mapping[str, Any]


class Dataset:
    """A dataset that was opened: what it says of itself, and its rows."""

    def __init__(self, root: Path, info: Info, episodes: Sequence[Episode], tasks: Mapping[int, str]) -> None:
        self.root, self.info, self.episodes, self.tasks = root, info, tuple(episodes), tasks
        self._table = lru_cache(maxsize=2)(_table)  # episodes are read in the order in which they stand

    @classmethod
    def open(cls, root: Path) -> Dataset:
        """Reads what is known of the episodes; raises DatasetError for what is missing, damaged or contradictory."""
        info = read_info(root)
        files = sorted((root / "meta/episodes").glob("*/*.parquet"))
        if not files:
            raise DatasetError(f"{root} holds no episodes: there is no meta/episodes/chunk-000/file-000.parquet")
        rows = [row for file in files for row in _plain_rows(file)]
        episodes = sorted((_episode(root, info, row) for row in rows), key=lambda episode: episode.number)
        if (numbers := [episode.number for episode in episodes]) != list(range(info.episodes)) or not numbers:
            raise DatasetError(
                f"{root}: meta/episodes lists {len(numbers)} episodes ({numbers[0]} to {numbers[-1]}), and "
                f"meta/info.json says {info.episodes}: the dataset was not finished, or a file is missing"
            )
        if (frames := sum(episode.length for episode in episodes)) != info.frames:
            raise DatasetError(f"{root}: episodes have {frames} rows together, and meta/info.json says {info.frames}")
        for before, after in pairwise(episodes):
            if after.first != before.first + before.length:
                raise DatasetError(
                    f"{root}: episode {after.number} begins at row {after.first}, out of range: episode "
                    f"{before.number} ends before row {before.first + before.length}"
                )
        return cls(root, info, episodes, _tasks(root / TASKS))

    def numbers(self, episode: Episode, keys: Sequence[str]) -> dict[str, np.ndarray]:
        """Columns of numbers by key, one row a frame [N, ..]; `timestamp` and task_index come with them.

        Raises DatasetError for what is missing or damaged, and for numbers that are not finite.
        """
        path = self.root / episode.data_file
        wanted = tuple(sorted({*keys, "timestamp", *ROW_NUMBERS}))
        table = self._rows(path, wanted, episode)
        columns = {key: _array(path, key, table.column(key)) for key in wanted}
        expected = np.arange(episode.length)
        for key, first in (("frame_index", 0), ("index", episode.first)):
            if not np.array_equal(columns[key], expected + first):
                wrong = int(np.flatnonzero(columns[key] != expected + first)[0])
                raise DatasetError(
                    f"{path}: {key} is {columns[key][wrong]} in row {wrong} of episode {episode.number}, expected "
                    f"{wrong + first}: rows are missing, doubled or out of order"
                )
        for key in wanted:
            if columns[key].dtype.kind == "f" and not np.isfinite(columns[key]).all():
                row = int(np.argwhere(~np.isfinite(columns[key]))[0][0])
                raise DatasetError(
                    f"{path}: {key} is not finite in row {row} of episode {episode.number}, which others of it follow: "
                    f"leave that episode out (--leave-out {episode.number})"
                )
        return columns

    def packed_pictures(self, episode: Episode, key: str) -> pa.ChunkedArray:
        """The column of a feature of pictures, one file (bytes, path) a row; raises DatasetError."""
        path = self.root / episode.data_file
        return self._rows(path, (key, "episode_index"), episode).column(key)

    def task(self, episode: Episode, task_index: np.ndarray) -> str:
        """What was to be done, in words; several, one after the other, are joined by ", then "."""
        numbers = [int(number) for number in task_index]
        in_turn = [number for row, number in enumerate(numbers) if row == 0 or number != numbers[row - 1]]
        if unknown := [number for number in in_turn if number not in self.tasks]:
            raise DatasetError(
                f"{self.root}: episode {episode.number} has task_index {unknown[0]}, out of range: {TASKS} has "
                f"{len(self.tasks)} tasks"
            )
        return ", then ".join(self.tasks[number] for number in in_turn)

    def _rows(self, path: Path, keys: tuple[str, ...], episode: Episode) -> pa.Table:
        table = self._table(path, keys)
        own = np.flatnonzero(_array(path, "episode_index", table.column("episode_index")) == episode.number)
        if len(own) != episode.length or (len(own) and own[-1] - own[0] + 1 != len(own)):
            raise DatasetError(
                f"{path} holds {len(own)} rows of episode {episode.number}, and meta/episodes says {episode.length} "
                "in a row: the file is another's, or was cut"
            )
        return table.slice(int(own[0]), len(own)) if len(own) else table.slice(0, 0)


def _table(path: Path, keys: tuple[str, ...]) -> pa.Table:
    """Columns of a file."""
    with _damage_named(path):
        file = pq.ParquetFile(path)
        if missing := [key for key in keys if key not in file.schema_arrow.names]:
            raise DatasetError(f"{path} has no column {missing[0]}; there are {', '.join(file.schema_arrow.names)}")
        return file.read(list(keys))


def _array(path: Path, key: str, column: pa.ChunkedArray) -> np.ndarray:
    """A column as an array [N] or [N, C]; raises DatasetError for rows of other lengths, gaps and nestings."""
    kind, width = column.type, None
    if column.null_count:
        raise DatasetError(f"{path}: {key} is missing in {column.null_count} rows")
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind):
        widths = pc.unique(pc.list_value_length(column)).to_pylist()
        if len(widths) != 1:
            raise DatasetError(f"{path}: {key} has rows of {sorted(widths)} numbers, expected one length")
        width, kind = widths[0], kind.value_type
        column = pa.chunked_array([chunk.flatten() for chunk in column.chunks], kind)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise DatasetError(f"{path}: {key} holds {kind}, expected numbers")
    if column.null_count:
        raise DatasetError(f"{path}: {key} is missing in {column.null_count} places")
    values = column.to_numpy()
    return values if width is None else values.reshape(-1, width)


def _plain_rows(path: Path) -> list[dict[str, Any]]:
    with _damage_named(path):
        file = pq.ParquetFile(path)
        return file.read([name for name in file.schema_arrow.names if not name.startswith("stats/")]).to_pylist()


def _episode(root: Path, info: Info, row: Mapping[str, Any]) -> Episode:
    try:
        where = {"chunk_index": int(row["data/chunk_index"]), "file_index": int(row["data/file_index"])}
        data_file = Path((info.data_path or DATA).format(**where))
        number, length, first = int(row["episode_index"]), int(row["length"]), int(row[FROM])
        if length < 1 or int(row[TO]) - first != length:
            raise DatasetError(
                f"{root}: episode {number} has length {length} and rows {first} to {row[TO]}, out of range"
            )
        videos = {key: _video(info, key, row) for key, feature in info.features.items() if feature.dtype == "video"}
    except KeyError as error:
        raise DatasetError(f"{root}: meta/episodes lacks {error.args[0]}") from error
    except (TypeError, IndexError, ValueError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{root}: meta/episodes or the paths of meta/info.json are damaged: {error}") from error
    notes = {name: value for name, value in row.items() if "/" not in name}
    return Episode(number, length, first, data_file, videos, notes)


def _video(info: Info, key: str, row: Mapping[str, Any]) -> tuple[Path, float]:
    where = {name: int(row[f"videos/{key}/{name}"]) for name in ("chunk_index", "file_index")}
    return Path(info.video_path.format(video_key=key, **where)), float(row[f"videos/{key}/from_timestamp"])


def _tasks(path: Path) -> dict[int, str]:
    """Tasks by number; whoever wrote them with pandas has the texts in an index with or without a name."""
    rows = _plain_rows(path)
    try:
        return {
            int(row.pop("task_index")): str(next(text for text in row.values() if isinstance(text, str)))
            for row in rows
        }  # fmt: skip
    except (KeyError, TypeError, StopIteration) as error:
        raise DatasetError(f"{path} is damaged: expected a text and a task_index in each row") from error


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Raises DatasetError naming the file in the place of what pyarrow raises."""
    try:
        yield
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing: copy the whole dataset") from error
    except DatasetError:
        raise
    except (pa.ArrowException, OSError) as error:
        says = str(error).splitlines()[0]
        raise DatasetError(f"{path} is damaged or cut short: {says}; copy it anew") from error
