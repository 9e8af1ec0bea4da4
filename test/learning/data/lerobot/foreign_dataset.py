"""LeRobotDatasets as lerobot lays them out, written without this package's own writer."""

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
FRONT = "observation.images.front"
COUNTED = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}


def picture(episode: int, row: int, height: int = 32, width: int = 48) -> np.ndarray:
    """One that tells which episode and row it is of."""
    shown = np.full((height, width, 3), 128, np.uint8)
    shown[..., 0], shown[..., 1] = 40 * episode + 40, 8 * row + 20
    return shown


def row_shown(shown: np.ndarray) -> tuple[int, int]:
    """Of which episode and row a picture is, decoded or resized."""
    red, green = shown[..., 0].mean(), shown[..., 1].mean()
    return round((red - 40) / 40), round((green - 20) / 8)


def write_foreign(
    root: Path, numbers: Sequence[Mapping[str, np.ndarray]], names: Mapping[str, Any], fps: float = 10.0,
    tasks: Sequence[str] = (), pictures: str = "video", episodes_per_file: int = 100, codec: str = "mpeg4",
    video_fps: int | None = None, sizes: Mapping[str, tuple[int, int]] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Path:  # fmt: skip
    """A dataset of episodes whose numbers [N, C] are given by feature; cameras show `picture`.

    names: of features, as info.json has them. changes: of info.json.
    """
    sizes = {FRONT: (32, 48)} if sizes is None else sizes
    tasks = tasks or ["lift it"] * len(numbers)
    known = list(dict.fromkeys(tasks))
    first, rows, videos = 0, [], {key: {"file": -1, "at": 0, "out": None} for key in sizes}
    for number, own in enumerate(numbers):
        count = len(next(iter(own.values())))
        file = number // episodes_per_file
        columns: dict[str, Any] = {key: _vectors(values) for key, values in own.items()} | {
            "timestamp": pa.array((np.arange(count) / fps).astype(np.float32)),
            "frame_index": np.arange(count), "episode_index": np.full(count, number),
            "index": np.arange(first, first + count), "task_index": np.full(count, known.index(tasks[number])),
        }  # fmt: skip
        row = {
            "episode_index": number, "tasks": [tasks[number]], "length": count, "data/chunk_index": 0,
            "data/file_index": file, "dataset_from_index": first, "dataset_to_index": first + count,
        }  # fmt: skip
        for key, size in sizes.items():
            shown = [picture(number, index, *size) for index in range(count)]
            if pictures == "video":
                row |= _film(root, key, shown, file, videos[key], codec, int(video_fps or fps))
            else:
                columns[key] = [{"bytes": _png(one), "path": f"{index}.png"} for index, one in enumerate(shown)]
        path = root / DATA.format(chunk_index=0, file_index=file)
        table = pa.table(columns)
        if path.exists():
            table = pa.concat_tables([pq.read_table(path), table])
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, row_group_size=count)
        rows.append(row | {"stats/action/mean": [0.0], "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0})
        first += count
    for film in videos.values():
        _close(film)
    _write(root / "meta/episodes/chunk-000/file-000.parquet", pa.Table.from_pylist(rows))
    _write(root / "meta/tasks.parquet", pa.table({"task_index": range(len(known)), "__index_level_0__": known}))
    features = {key: {"dtype": str(values.dtype), "shape": list(values.shape[1:]) or [1], "names": names.get(key)}
                for key, values in numbers[0].items()}  # fmt: skip
    features |= {key: {"dtype": pictures, "shape": [*size, 3], "names": ["height", "width", "channels"]}
                 for key, size in sizes.items()}  # fmt: skip
    features |= {key: {"dtype": dtype, "shape": [1], "names": None} for key, dtype in COUNTED.items()}
    info = {
        "codebase_version": "v3.0", "robot_type": "some arm", "total_episodes": len(numbers), "total_frames": first,
        "total_tasks": len(known), "chunks_size": 1000, "fps": fps, "splits": {"train": f"0:{len(numbers)}"},
        "data_path": DATA, "video_path": VIDEO if pictures == "video" else None, "features": features,
    }  # fmt: skip
    (root / "meta/info.json").write_text(json.dumps(info | dict(changes or {})))
    return root


def rewrite(path: Path, **columns: Any) -> None:
    """Changes columns of a parquet file."""
    table = pq.read_table(path)
    for name, values in columns.items():
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array(values, table.schema.field(name).type))
    pq.write_table(table, path)


def _vectors(values: np.ndarray) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(values).ravel())
    return flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _film(
    root: Path, key: str, shown: list[np.ndarray], file: int, film: dict[str, Any], codec: str, fps: int
) -> dict[str, Any]:
    if file != film["file"]:
        _close(film)
        path = root / VIDEO.format(video_key=key, chunk_index=0, file_index=file)
        path.parent.mkdir(parents=True, exist_ok=True)
        film |= {"file": file, "at": 0, "out": av.open(str(path), "w")}
        film["stream"] = film["out"].add_stream(codec, rate=fps, options={"g": "6"})
        film["stream"].bit_rate = 4_000_000
        film["stream"].height, film["stream"].width = shown[0].shape[:2]
        film["stream"].pix_fmt = "yuv420p"
    begins = film["at"]
    for one in shown:
        frame = av.VideoFrame.from_ndarray(one, format="rgb24")
        frame.pts, frame.time_base = film["at"], Fraction(1, fps)
        film["out"].mux(film["stream"].encode(frame))
        film["at"] += 1
    span = {"from_timestamp": begins / fps, "to_timestamp": film["at"] / fps}
    return {f"videos/{key}/{name}": value for name, value in ({"chunk_index": 0, "file_index": file} | span).items()}


def _close(film: dict[str, Any]) -> None:
    if film["out"] is not None:
        film["out"].mux(film["stream"].encode(None))
        film["out"].close()
        film["out"] = None


def _png(shown: np.ndarray) -> bytes:
    return cv2.imencode(".png", shown[..., ::-1])[1].tobytes()


def _write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
