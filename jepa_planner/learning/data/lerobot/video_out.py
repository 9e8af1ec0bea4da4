"""Videos that many episodes share: H.264 in MP4, which every player and browser shows."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from jepa_planner.learning.data.lerobot.layout import FILES_PER_CHUNK, VIDEO, VIDEO_FILE_MB, DatasetError

CODEC, PIXELS = "libx264", "yuv420p"
OPTIONS = {"crf": "18", "g": "2", "bf": "0", "preset": "medium"}
"""Each second picture can be read by itself, as lerobot writes them, for whoever reads at random."""


class VideoWriter:
    """Pictures of one camera, all of one size, in files of a limited size that begin with an episode."""

    def __init__(self, root: Path, key: str, fps: int, size: tuple[int, int], most_mb: float = VIDEO_FILE_MB) -> None:
        height, width = size
        if height % 2 or width % 2:
            raise DatasetError(
                f"{key}: pictures are {width} x {height} px, and H.264 takes even numbers: write them as pictures "
                "(--pictures image)"
            )
        self._root, self._key, self._fps, self._size, self._most_mb = root, key, fps, size, most_mb
        self._file, self._in_file, self._first, self._bytes = -1, 0, 0, 0
        self._container: av.container.OutputContainer | None = None
        self._stream: Any = None

    def begin_episode(self) -> None:
        """What is added next belongs to another episode."""
        if self._container is None or self._bytes > self._most_mb * 2**20:
            self.close()
            self._open()
        self._first = self._in_file

    def add(self, picture: np.ndarray) -> None:
        """One more picture, uint8 RGB [H, W, 3]."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts, frame.time_base = self._in_file, Fraction(1, self._fps)
        self._encode(frame)
        self._in_file += 1

    def end_of_episode(self) -> dict[str, Any]:
        """Where the pictures since `begin_episode` are, as `meta/episodes` says it."""
        where = {"chunk_index": self._file // FILES_PER_CHUNK, "file_index": self._file % FILES_PER_CHUNK}
        span = {"from_timestamp": self._first / self._fps, "to_timestamp": self._in_file / self._fps}
        return {f"videos/{self._key}/{name}": value for name, value in (where | span).items()}

    def info(self) -> dict[str, Any]:
        """What `meta/info.json` says of it."""
        height, width = self._size
        return {
            "video.height": height, "video.width": width, "video.codec": "h264", "video.pix_fmt": PIXELS,
            "video.is_depth_map": False, "video.fps": self._fps, "video.channels": 3, "has_audio": False,
        }  # fmt: skip

    def close(self) -> None:
        """Ends the file that is being written."""
        if self._container is not None:
            self._encode(None)
            self._container.close()
            self._container = None

    def _encode(self, frame: av.VideoFrame | None) -> None:
        packets = self._stream.encode(frame)
        assert self._container is not None
        self._container.mux(packets)
        self._bytes += sum(packet.size for packet in packets)

    def _open(self) -> None:
        self._file, self._in_file, self._bytes = self._file + 1, 0, 0
        self._path().parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(self._path()), "w", options={"movflags": "faststart"})
        self._stream = self._container.add_stream(CODEC, rate=self._fps, options=OPTIONS)
        self._stream.height, self._stream.width = self._size
        self._stream.pix_fmt, self._stream.time_base = PIXELS, Fraction(1, self._fps)

    def _path(self) -> Path:
        chunk, file = divmod(self._file, FILES_PER_CHUNK)
        return self._root / VIDEO.format(video_key=self._key, chunk_index=chunk, file_index=file)
