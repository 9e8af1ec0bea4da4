"""A file of rosbag2's sqlite3 storage, of any version of its schema; needs nothing but Python."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from jepa_planner.learning.data.bags.message import BagError, Definition, Message, inflated

UNFINISHED = ("-wal", "-journal")
"""What a writer that died leaves beside its file: SQLite takes back or adds what stands there, if it may write."""


class SqliteFile:
    """See `BagFile`. Raises BagError where it is none of rosbag2."""

    def __init__(self, path: Path, may_write: bool = False) -> None:
        """may_write: it is a copy, in which SQLite may bring to an end what its writer left unfinished."""
        self.path, self.damage = path, ""
        uri = f"{path.resolve().as_uri()}?{'mode=rw' if may_write else 'immutable=1'}"
        try:
            self._file = sqlite3.connect(uri, uri=True)
            tables = {name for (name,) in self._file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if missing := {"topics", "messages"} - tables:
                raise BagError(f"{path} is no bag: it has no table {' and '.join(sorted(missing))}")
            rows = self._file.execute("SELECT id, name, type FROM topics WHERE serialization_format = 'cdr'").fetchall()
            self._topics: dict[int, tuple[str, str]] = {
                number: (topic, kind)
                for number, topic, kind in rows
                if isinstance(topic, str) and isinstance(kind, str)
            }
            self.definitions: dict[str, Definition] = {}
            if "message_definitions" in tables:
                told = self._file.execute(
                    "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
                )
                self.definitions = {
                    kind: Definition(encoding, text) for kind, encoding, text in told if isinstance(text, str) and text
                }
        except sqlite3.Error as error:
            raise BagError(f"{path} cannot be read as a bag: {error}") from error
        self.types = dict(self._topics.values())

    def close(self) -> None:
        self._file.close()

    def messages(self, wanted: Callable[[str], bool]) -> Iterator[Message]:
        numbers = [number for number, (topic, _) in self._topics.items() if wanted(topic)]
        those = f"({', '.join(map(str, numbers))})"
        try:
            rows = self._file.execute(
                f"SELECT id, topic_id, timestamp, data FROM messages WHERE topic_id IN {those} ORDER BY id"
            )
            for place, number, log_ns, data in rows:
                try:
                    message = Message(*self._topics[number], int(log_ns), place, inflated(bytes(data)))
                except (BagError, TypeError, ValueError) as error:
                    self.damage = self.damage or f"message {place} cannot be read: {error}"
                    continue
                yield message
        except sqlite3.Error as error:
            self.damage = f"what follows cannot be read: {error}"

    def read(self, places: Sequence[int]) -> Iterator[bytes]:
        for place in places:
            try:
                row = self._file.execute("SELECT data FROM messages WHERE id = ?", (place,)).fetchone()
                data = inflated(bytes(row[0])) if row else b""
            except (sqlite3.Error, BagError):
                data = b""  # of a damaged file; no message is that short
            yield data
