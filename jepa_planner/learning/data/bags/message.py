"""What is read from a bag's files, whichever way they store it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
"""What compressed data begins with; a message in CDR begins with a byte 0."""


class BagError(ValueError):
    """A bag that cannot be read, or that lacks what is looked for; the message names file or topic."""


class Definition(NamedTuple):
    """How a type of messages is laid out; encoding: ros2msg or ros2idl."""

    encoding: str
    text: str


class Message(NamedTuple):
    """One message: when it was recorded (ns), and its data in CDR. `place` finds it again in its file."""

    topic: str
    msgtype: str
    log_ns: int
    place: Any
    data: bytes


class BagFile(Protocol):
    """One file of a bag. `damage`: what of it could not be read, in words, once messages were; empty for nothing."""

    path: Path
    damage: str
    types: dict[str, str]
    """The type of each topic that was met."""
    definitions: dict[str, Definition]
    """Of the types that were met, as far as the file holds them."""

    def messages(self, wanted: Callable[[str], bool]) -> Iterator[Message]:
        """All messages of the topics that are wanted, in the order in which they stand in the file."""

    def read(self, places: Sequence[Any]) -> Iterator[bytes]:
        """The data of messages whose places were told, in the order of `places`; fast where that is the file's."""

    def close(self) -> None:
        """Lets go of the file."""


def zstd_module() -> Any:
    """The module for Zstandard, which rosbags brings where Python has none; raises ModuleNotFoundError."""
    return importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


def inflated(data: bytes) -> bytes:
    """A message as it was before it was compressed on its own; raises BagError where that is damaged."""
    if not data.startswith(ZSTD_MAGIC):
        return data
    zstd = zstd_module()
    try:
        return zstd.decompress(data)
    except zstd.ZstdError as error:
        raise BagError(f"a compressed message is damaged: {error}") from error
