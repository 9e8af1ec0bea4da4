"""An MCAP file, read from its beginning on: its index is not needed, so that a file whose writer died can be read.

After https://mcap.dev/spec. What is damaged is passed over as far as lengths of records tell where the next one begins.
"""

from __future__ import annotations

import importlib
import struct
from binascii import crc32
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from jepa_planner.learning.data.bags.message import BagError, Definition, Message, inflated, zstd_module

MAGIC = b"\x89MCAP0\r\n"
HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX, CHUNK_INDEX = range(1, 9)
STATISTICS, METADATA, METADATA_INDEX, SUMMARY_OFFSET, DATA_END = range(0x0B, 0x10)
HIGHEST_OF_SPECIFICATION = DATA_END
"""Records from 0x80 on are other people's own and passed over; those between are damage, as is 0."""
FIRST_OWN = 0x80
RECORD_HEAD = struct.Struct("<BQ")
MESSAGE_HEAD = struct.Struct("<HIQQ")
CHUNK_HEAD = struct.Struct("<QQQI")
TOP = -1
"""The chunk of messages that stand in none."""


class Place(NamedTuple):
    """Where a message stands: in which chunk (its offset in the file), and at which offset there."""

    chunk: int
    offset: int


class McapFile:
    """See `BagFile`. Raises BagError where it is no MCAP."""

    def __init__(self, path: Path) -> None:
        self.path, self.damage = path, ""
        self.types: dict[str, str] = {}
        self.definitions: dict[str, Definition] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        """What the file says of each topic beside its type."""
        self._schemas: dict[int, tuple[str, Definition]] = {}
        self._channels: dict[int, tuple[str, str]] = {}
        self._file = path.open("rb")
        self._size = path.stat().st_size
        if self._file.read(len(MAGIC)) != MAGIC:
            self._file.close()
            raise BagError(f"{path} is no MCAP file: it does not begin as one" if self._size else f"{path} is empty")

    def close(self) -> None:
        self._file.close()

    def messages(self, wanted: Callable[[str], bool]) -> Iterator[Message]:
        at = len(MAGIC)
        while at + RECORD_HEAD.size <= self._size:
            kind, length = RECORD_HEAD.unpack(self._bytes(at, RECORD_HEAD.size))
            begin, at = at + RECORD_HEAD.size, at + RECORD_HEAD.size + length
            if kind in (FOOTER, DATA_END):
                return
            if not 0 < kind <= HIGHEST_OF_SPECIFICATION and kind < FIRST_OWN:
                self._damaged(f"no record begins at byte {begin - RECORD_HEAD.size} of {self._size}, the rest is lost")
                return
            is_whole = at <= self._size
            if kind == CHUNK:
                content = self._chunk(begin, min(length, self._size - begin))
                yield from self._of_chunk(content, begin, wanted)
            elif is_whole and kind in (MESSAGE, SCHEMA, CHANNEL):
                yield from self._of_record(kind, memoryview(self._bytes(begin, length)), Place(TOP, begin), wanted)
            if not is_whole:
                break
        self._damaged(f"it ends within a record: its writer did not close it, or it was cut off at byte {self._size}")

    def read(self, places: Sequence[Place]) -> Iterator[bytes]:
        opened, content = TOP, b""
        for chunk, offset in places:
            if chunk == TOP:
                (length,) = struct.unpack("<Q", self._bytes(offset - 8, 8))
                yield inflated(self._bytes(offset, length)[MESSAGE_HEAD.size :])
                continue
            if chunk != opened:
                (length,) = struct.unpack("<Q", self._bytes(chunk - 8, 8))
                opened, content = chunk, self._chunk(chunk, min(length, self._size - chunk))
            (length,) = struct.unpack_from("<Q", content, offset - 8)
            yield inflated(content[offset + MESSAGE_HEAD.size : offset + length])

    def _of_chunk(self, content: bytes, chunk: int, wanted: Callable[[str], bool]) -> Iterator[Message]:
        view, at = memoryview(content), 0
        while at + RECORD_HEAD.size <= len(view):
            kind, length = RECORD_HEAD.unpack_from(view, at)
            begin, at = at + RECORD_HEAD.size, at + RECORD_HEAD.size + length
            if at > len(view):
                self._damaged(f"the chunk at byte {chunk} ends within a record")
                return
            if kind in (MESSAGE, SCHEMA, CHANNEL):
                yield from self._of_record(kind, view[begin:at], Place(chunk, begin), wanted)

    def _of_record(
        self, kind: int, record: memoryview, place: Place, wanted: Callable[[str], bool]
    ) -> Iterator[Message]:
        """The message, if it is one that is wanted; schemas and channels are learned."""
        try:
            if kind != MESSAGE:
                self._learn(kind, record)
                return
            number, _, log_ns, _ = MESSAGE_HEAD.unpack_from(record)
            channel = self._channels.get(number)
            if channel is None or not wanted(channel[0]):
                return
            message = Message(*channel, log_ns, place, inflated(bytes(record[MESSAGE_HEAD.size :])))
        except (struct.error, BagError) as error:
            self._damaged(f"a record at byte {place.offset} cannot be read: {error}")
            return
        yield message

    def _learn(self, kind: int, record: memoryview) -> None:
        """Takes a schema or a channel."""
        if kind == SCHEMA:
            (number,) = struct.unpack_from("<H", record)
            name, at = _text(record, 2)
            encoding, at = _text(record, at)
            self._schemas[number] = name, Definition(encoding, _text(record, at)[0])
            return
        number, schema = struct.unpack_from("<HH", record)
        topic, at = _text(record, 4)
        encoding, at = _text(record, at)
        if schema not in self._schemas or encoding != "cdr":
            return  # not of ROS 2
        msgtype, definition = self._schemas[schema]
        self._channels[number] = topic, msgtype
        self.types[topic] = msgtype
        self.metadata[topic] = _texts(record, at)
        if definition.text:
            self.definitions[msgtype] = definition

    def _chunk(self, begin: int, length: int) -> bytes:
        """The records of the chunk whose content begins there, as many as can be read."""
        record = self._bytes(begin, length)
        if length < CHUNK_HEAD.size + 12:
            self._damaged(f"the chunk at byte {begin} is cut off")
            return b""
        *_, size, checksum = CHUNK_HEAD.unpack_from(record)
        try:
            compression, at = _text(memoryview(record), CHUNK_HEAD.size)
            (packed_size,) = struct.unpack_from("<Q", record, at)
        except struct.error as error:
            self._damaged(f"the chunk at byte {begin} cannot be read: {error}")
            return b""
        packed = record[at + 8 : at + 8 + packed_size]
        content = self._unpacked(packed, compression, begin)
        if len(content) != size or (checksum and crc32(content) != checksum):
            found = "other data than were written" if len(content) == size else f"{len(content)} of {size} bytes"
            self._damaged(f"the chunk at byte {begin} has {found}")
            if len(content) == size:
                return b""
        return content

    def _unpacked(self, packed: bytes, compression: str, begin: int) -> bytes:
        if not compression:
            return packed
        try:
            if compression == "zstd":
                return zstd_module().ZstdDecompressor().decompress(packed)
            if compression == "lz4":
                return importlib.import_module("lz4.frame").LZ4FrameDecompressor().decompress(packed)
        except (zstd_module().ZstdError, RuntimeError, ValueError, EOFError) as error:
            self._damaged(f"the chunk at byte {begin} cannot be unpacked: {error}")
            return b""
        self._damaged(f"the chunk at byte {begin} is compressed as {compression!r}, expected zstd or lz4")
        return b""

    def _bytes(self, at: int, length: int) -> bytes:
        self._file.seek(at)
        return self._file.read(length)

    def _damaged(self, says: str) -> None:
        """Keeps what was found first."""
        self.damage = self.damage or says


def _text(record: memoryview, at: int) -> tuple[str, int]:
    """A text that stands there, and where it ends."""
    (length,) = struct.unpack_from("<I", record, at)
    return bytes(record[at + 4 : at + 4 + length]).decode(errors="replace"), at + 4 + length


def _texts(record: memoryview, at: int) -> dict[str, str]:
    """Keys and values that stand there."""
    (length,) = struct.unpack_from("<I", record, at)
    texts, at, end = {}, at + 4, at + 4 + length
    while at < end:
        key, at = _text(record, at)
        texts[key], at = _text(record, at)
    return texts
