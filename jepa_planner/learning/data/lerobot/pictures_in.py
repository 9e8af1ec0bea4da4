"""Pictures of an episode by its rows, from a video that many episodes share or from files in the rows."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import av
import numpy as np

from jepa_planner.core.picture_file import PictureError, decode_picture
from jepa_planner.learning.data.lerobot.dataset import Dataset, Episode
from jepa_planner.learning.data.lerobot.layout import DatasetError

NEAR = 0.25
"""Of the time from one picture to the next, how far a picture of a video may be from where it is looked for."""
SAME_RATE = 0.01
"""Relative difference of two rates of pictures that are the same."""


def pictures(dataset: Dataset, episode: Episode, key: str, rows: np.ndarray, stamps_s: np.ndarray) -> Iterator:
    """uint8 RGB [H, W, 3] for each of rows [K] in increasing order; stamps_s [N] of all rows of the episode.

    Raises DatasetError naming the file for what is missing, damaged, or shown at another rate than the dataset says.
    """
    if dataset.info.features[key].dtype == "video":
        file, from_s = episode.videos[key]
        yield from _of_video(dataset.root / file, from_s + stamps_s[rows].astype(float), dataset.info.fps, episode)
        return
    packed = dataset.packed_pictures(episode, key)
    for row in rows.tolist():
        yield _of_file(dataset.root, packed[row].as_py(), f"{key} of row {row} of episode {episode.number}")


def _of_file(root: Path, packed: object, name: str) -> np.ndarray:
    data, path = (packed.get("bytes"), packed.get("path")) if isinstance(packed, dict) else (packed, None)
    if isinstance(data, bytes):
        source: BytesIO | Path = BytesIO(data)
    elif isinstance(path, str) and (root / path).is_file():
        source = root / path
    else:
        raise DatasetError(f"{root}: {name} holds no picture and no path to one")
    try:
        return decode_picture(source, name)
    except PictureError as error:
        raise DatasetError(f"{root}: {error}") from error


def _of_video(path: Path, wanted_s: np.ndarray, fps: float, episode: Episode) -> Iterator[np.ndarray]:
    """The pictures at so many seconds, increasing, of a video."""
    if not path.is_file():
        raise DatasetError(f"{path} is missing, which shows episode {episode.number}: copy the whole dataset")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise DatasetError(f"{path} holds no pictures: it is damaged or cut short; copy it anew")
            yield from _wanted(container, path, wanted_s, fps, episode)
    except (av.FFmpegError, OSError) as error:
        raise DatasetError(f"{path} is damaged or cut short: {error}; copy it anew") from error


def _wanted(
    container: av.container.InputContainer, path: Path, wanted_s: np.ndarray, fps: float, episode: Episode
) -> Iterator[np.ndarray]:
    stream = container.streams.video[0]
    rate = float(stream.average_rate or 0.0)
    if abs(rate - fps) > SAME_RATE * fps:
        raise DatasetError(f"{path} shows {rate:g} pictures per second, and meta/info.json says fps {fps:g}")
    time_base, near_s = float(stream.time_base or 0), NEAR / fps
    container.seek(max(0, round((wanted_s[0] - near_s) / time_base)), stream=stream)
    found, last_s = 0, 0.0
    for frame in container.decode(stream):
        last_s = float(frame.pts or 0) * time_base
        if last_s < wanted_s[found] - near_s:
            continue
        if last_s > wanted_s[found] + near_s:
            break
        yield frame.to_ndarray(format="rgb24")
        found += 1
        if found == len(wanted_s):
            return
    raise DatasetError(
        f"{path} has no picture at {wanted_s[found]:.3f} s, where meta/episodes says that episode {episode.number} has "
        f"one; the nearest is at {last_s:.3f} s: from_timestamp is wrong, or the video was cut short"
    )
