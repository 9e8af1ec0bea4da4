"""One pass over a bag: of every topic that matters, when messages were stamped and recorded, and what is taken of them.

Of pictures only the place in the file is kept; they are decoded when they are wanted.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from jepa_planner.core.message_types import TF, header_stamp_ns
from jepa_planner.learning.data.bags.message import BagError, Message
from jepa_planner.learning.data.bags.message_reader import begins_with_header, reader_of
from jepa_planner.learning.data.bags.opened_bag import OpenedBag


class Taker(Protocol):
    """Takes what it needs of each message of a topic."""

    types: tuple[str, ...]
    """Whose messages it can take; none: any."""

    def take(self, number: int, message: Any, log_ns: int) -> None:
        """A message, which one of its topic it is, and when it was recorded; raises BagError for one that does not hold
        what is needed.
        """


@dataclass
class HeardTopic:
    """What was heard of a topic. Times are in nanoseconds, in the order of the files."""

    topic: str
    msgtype: str = ""
    stamps_ns: array = field(default_factory=lambda: array("q"))
    """0 for messages without a header, and for stamps that nobody set."""
    logs_ns: array = field(default_factory=lambda: array("q"))
    places: list[tuple[int, Any]] = field(default_factory=list)
    """Of pictures: number of the file, and where in it."""
    unreadable: int = 0
    """Messages of which something could not be used."""
    complaint: str = ""
    """What is wrong with the first of those."""

    def __len__(self) -> int:
        return len(self.logs_ns)

    def times(self) -> tuple[np.ndarray, np.ndarray]:
        """Stamps and times of recording, int64 [N] each."""
        return np.array(self.stamps_ns, np.int64), np.array(self.logs_ns, np.int64)


def hear(
    bag: OpenedBag, takers: Mapping[str, Iterable[Taker]], pictures: Iterable[str], every: bool = False
) -> dict[str, HeardTopic]:
    """Reads the topics that somebody takes or that hold pictures; returns those that the bag has.

    every: also all others, of which only the times are told.
    Raises BagError naming a topic whose type is not what is expected, or that nobody can read.
    """
    pictures = frozenset(pictures)
    heard: dict[str, HeardTopic] = {}
    for number, file in enumerate(bag.files):
        readers: dict[str, Callable[[bytes], Any]] = {}
        for message in file.messages(lambda topic: every or topic in takers or topic in pictures):
            topic = heard.setdefault(message.topic, HeardTopic(message.topic, message.msgtype))
            if topic.msgtype != message.msgtype:
                raise BagError(f"topic {topic.topic} is of {topic.msgtype} and of {message.msgtype}; expected one type")
            if message.topic in pictures:
                _keep(topic, message, number)
                continue
            if message.topic not in takers:
                _note(topic, message, begins_with_header(message.msgtype, file.definitions))
                continue
            if message.topic not in readers:
                _check_type(topic, takers[message.topic])
                readers[message.topic] = reader_of(message.msgtype, file.definitions)
            _take(topic, message, readers[message.topic], takers[message.topic])
    return heard


def _keep(topic: HeardTopic, message: Message, file: int) -> None:
    stamp_ns = header_stamp_ns(message.data)
    if stamp_ns is None:
        _complain(topic, BagError(f"a message has {len(message.data)} bytes, too few for a header"))
        return
    topic.stamps_ns.append(stamp_ns)
    topic.logs_ns.append(message.log_ns)
    topic.places.append((file, message.place))


def _note(topic: HeardTopic, message: Message, has_stamp: bool) -> None:
    topic.stamps_ns.append((header_stamp_ns(message.data) or 0) if has_stamp else 0)
    topic.logs_ns.append(message.log_ns)


def _take(topic: HeardTopic, message: Message, read: Callable[[bytes], Any], takers: Iterable[Taker]) -> None:
    try:
        whole = read(message.data)
    except BagError as error:
        _complain(topic, error)
        return
    for part, stamp in _parts(whole):
        for taker in takers:
            try:
                taker.take(len(topic), part, message.log_ns)
            except BagError as error:
                _complain(topic, error)
        topic.stamps_ns.append(stamp.sec * 1_000_000_000 + stamp.nanosec if stamp is not None else 0)
        topic.logs_ns.append(message.log_ns)


def _parts(message: Any) -> Iterator[tuple[Any, Any]]:
    """What is stamped in a message: itself, or each of its transforms; with its stamp, None where it has none."""
    if message.__msgtype__ == TF:
        yield from ((transform, transform.header.stamp) for transform in message.transforms)
    else:
        header = getattr(message, "header", None)
        yield message, getattr(header, "stamp", None)


def _complain(topic: HeardTopic, error: BagError) -> None:
    topic.unreadable += 1
    topic.complaint = topic.complaint or str(error)


def _check_type(topic: HeardTopic, takers: Iterable[Taker]) -> None:
    for taker in takers:
        if taker.types and topic.msgtype not in taker.types:
            raise BagError(f"topic {topic.topic} is of {topic.msgtype}; expected {' or '.join(taker.types)}")
