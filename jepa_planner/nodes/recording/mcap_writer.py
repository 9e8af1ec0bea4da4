"""MCAP files of ROS 2 messages, written chunk by chunk as rosbag2 writes them.

The format: https://mcap.dev/spec. Chunks are not compressed; schemas and channels stand in the first chunk that needs
them, and again at the end. A process that is killed loses the chunk that it had not written yet.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jepa_planner.learning.data.bags.mcap_file import (
    CHANNEL,
    CHUNK,
    CHUNK_INDEX,
    DATA_END,
    FOOTER,
    HEADER,
    MAGIC,
    MESSAGE,
    MESSAGE_INDEX,
    METADATA,
    METADATA_INDEX,
    RECORD_HEAD,
    SCHEMA,
    STATISTICS,
    SUMMARY_OFFSET,
)  # fmt: skip

CHUNK_BYTES = 2**20
_LATEST_NS = 2**63 - 1
_MESSAGE_HEAD = struct.Struct("<BQHIQQ")


@dataclass
class _Chunk:
    """What is gathered until it is written, with the places of its messages by channel."""

    data: bytearray = field(default_factory=bytearray)
    first_ns: int = 0
    last_ns: int = 0
    places: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def note(self, channel: int, time_ns: int, place: int) -> None:
        self.first_ns = time_ns if not self.places else min(self.first_ns, time_ns)
        self.last_ns = max(self.last_ns, time_ns)
        self.places.setdefault(channel, []).append((time_ns, place))


class McapWriter:
    """Writes one file. Nothing is written over: a path that is there is refused with FileExistsError.

    Methods raise OSError where the disk does not take what is written; what was written before stays whole.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb", buffering=0)
        self._chunk = _Chunk()
        self._schemas: dict[str, tuple[int, bytes]] = {}
        self._channels: list[bytes] = []
        self._chunk_indices: list[bytes] = []
        self.counts: dict[int, int] = {}
        """Messages that are written, by channel."""
        self.first_ns, self.last_ns = _LATEST_NS, 0
        self._whole_bytes = 0
        self._append(MAGIC + _record(HEADER, _text("ros2") + _text("jepa_planner")))

    @property
    def size(self) -> int:
        """Bytes so far, with those that are not written yet."""
        return self._whole_bytes + len(self._chunk.data)

    def add_channel(self, topic: str, type_name: str, definition: str, metadata: Mapping[str, str]) -> int:
        """Makes a topic known; returns its number. definition: the type's text, with all it speaks of, or empty."""
        if type_name not in self._schemas:
            number, encoding = len(self._schemas) + 1, "ros2msg" if definition else ""
            body = struct.pack("<H", number) + _text(type_name) + _text(encoding) + _text(definition)
            self._schemas[type_name] = number, _record(SCHEMA, body)
            self._chunk.data += self._schemas[type_name][1]
        number = len(self._channels) + 1
        body = struct.pack("<HH", number, self._schemas[type_name][0]) + _text(topic) + _text("cdr") + _texts(metadata)
        self._channels.append(_record(CHANNEL, body))
        self._chunk.data += self._channels[-1]
        self.counts[number] = 0
        return number

    def write(self, channel: int, time_ns: int, data: bytes) -> None:
        """Adds a serialized message that came at a time; these must not decrease, so that the file can be scanned."""
        chunk = self._chunk
        chunk.note(channel, time_ns, len(chunk.data))
        chunk.data += _MESSAGE_HEAD.pack(MESSAGE, 22 + len(data), channel, 0, time_ns, time_ns)
        chunk.data += data
        if len(chunk.data) >= CHUNK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hands what was gathered to the operating system, which then has it though this process be killed."""
        chunk, self._chunk = self._chunk, _Chunk()
        if not chunk.data:
            return
        head = struct.pack("<QQQI", chunk.first_ns, chunk.last_ns, len(chunk.data), 0) + _text("")
        head = RECORD_HEAD.pack(CHUNK, len(head) + 8 + len(chunk.data)) + head + struct.pack("<Q", len(chunk.data))
        begins, length = self._whole_bytes, len(head) + len(chunk.data)
        index, offsets = bytearray(), b""
        for channel, places in chunk.places.items():
            offsets += struct.pack("<HQ", channel, begins + length + len(index))
            entries = b"".join(struct.pack("<QQ", *place) for place in places)
            index += _record(MESSAGE_INDEX, struct.pack("<HI", channel, len(entries)) + entries)
        self._append(head, chunk.data, index)
        body = struct.pack("<QQQQI", chunk.first_ns, chunk.last_ns, begins, length, len(offsets)) + offsets
        body += struct.pack("<Q", len(index)) + _text("") + struct.pack("<QQ", len(chunk.data), len(chunk.data))
        self._chunk_indices.append(_record(CHUNK_INDEX, body))
        for channel, places in chunk.places.items():
            self.counts[channel] += len(places)
            self.first_ns, self.last_ns = min(self.first_ns, chunk.first_ns), max(self.last_ns, chunk.last_ns)

    def close(self, metadata: Callable[[], Mapping[str, str]] = dict) -> None:
        """Writes the index, and with it what rosbag2 says of its bags, asked for at the end; the file is whole then."""
        try:
            self.flush()
            record = _record(METADATA, _text("rosbag2") + _texts(metadata()))
            index = struct.pack("<QQ", self._whole_bytes, len(record)) + _text("rosbag2")
            tail = bytearray(record + _record(DATA_END, struct.pack("<I", 0)))
            begins, offsets = self._whole_bytes + len(tail), b""
            groups = (
                (SCHEMA, b"".join(schema for _, schema in self._schemas.values())),
                (CHANNEL, b"".join(self._channels)),
                (CHUNK_INDEX, b"".join(self._chunk_indices)),
                (METADATA_INDEX, _record(METADATA_INDEX, index)),
                (STATISTICS, self._statistics()),
            )
            for opcode, records in groups:
                if records:
                    place = struct.pack("<BQQ", opcode, self._whole_bytes + len(tail), len(records))
                    offsets += _record(SUMMARY_OFFSET, place)
                    tail += records
            footer = struct.pack("<QQI", begins, self._whole_bytes + len(tail), 0)
            self._append(tail, offsets, _record(FOOTER, footer), MAGIC)
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Leaves the file as it is, cut short."""
        self._file.close()

    def _statistics(self) -> bytes:
        total = sum(self.counts.values())
        body = struct.pack(
            "<QHIIIIQQ", total, len(self._schemas), len(self._channels), 0, 1, len(self._chunk_indices),
            self.first_ns if total else 0, self.last_ns,
        )  # fmt: skip
        counts = b"".join(struct.pack("<HQ", *count) for count in self.counts.items())
        return _record(STATISTICS, body + struct.pack("<I", len(counts)) + counts)

    def _append(self, *parts: bytes | bytearray) -> None:
        """Writes all or nothing; a file that could not take all of it ends where it did before."""
        try:
            for part in parts:
                rest = memoryview(part)
                while rest:
                    rest = rest[self._file.write(rest) :]
        except OSError:
            self._file.truncate(self._whole_bytes)
            self._file.seek(self._whole_bytes)
            raise
        self._whole_bytes += sum(map(len, parts))


def _record(opcode: int, body: bytes) -> bytes:
    return RECORD_HEAD.pack(opcode, len(body)) + body


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def _texts(texts: Mapping[str, str]) -> bytes:
    data = b"".join(_text(key) + _text(value) for key, value in texts.items())
    return struct.pack("<I", len(data)) + data
