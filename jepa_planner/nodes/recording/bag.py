"""One bag in a folder of its own, as rosbag2 lays it out: an MCAP file, and metadata.yaml once it is whole."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import yaml

from jepa_planner.learning.data.bags.mcap_file import McapFile
from jepa_planner.learning.data.bags.message import Message
from jepa_planner.nodes.recording.mcap_writer import McapWriter

METADATA = "metadata.yaml"
VERSION = 5
"""Of metadata.yaml: what ROS 2 Humble reads, and all that came later."""
_QOS, _HASH = "offered_qos_profiles", "topic_type_hash"


@dataclass(frozen=True)
class BagTopic:
    """A topic as a bag describes it: its messages' type, that type's text and hash (empty: not known), and the
    publishers' qualities of service as rosbag2 writes them.
    """

    name: str
    type_name: str
    definition: str = ""
    type_hash: str = ""
    offered_qos: str = ""


class Bag:
    """Writes a bag; raises FileExistsError where its folder is there, OSError where the disk takes no more."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._name = f"{folder.name}_0.mcap"
        self._file = McapWriter(folder / self._name)
        self._channels: dict[BagTopic, int] = {}

    @property
    def size_bytes(self) -> int:
        """How large it is by now."""
        return self._file.size

    def write(self, topic: BagTopic, time_ns: int, data: bytes) -> None:
        """Adds a serialized message that came at a time, which must not decrease."""
        if (channel := self._channels.get(topic)) is None:
            said = {_QOS: topic.offered_qos, _HASH: topic.type_hash}
            channel = self._file.add_channel(topic.name, topic.type_name, topic.definition, said)
            self._channels[topic] = channel
        self._file.write(channel, time_ns, data)

    def flush(self) -> None:
        """Makes sure that what came so far outlives this process."""
        self._file.flush()

    def close(self) -> None:
        """Makes the bag whole."""
        self._file.close(lambda: {"serialized_metadata": _yaml(self._metadata())})
        text = _yaml({"rosbag2_bagfile_information": self._metadata()})
        (self.folder / METADATA).write_text(text, encoding="utf-8")

    def abandon(self) -> None:
        """Leaves it cut short."""
        self._file.abandon()

    def _metadata(self) -> dict[str, object]:
        return {
            "version": VERSION,
            "storage_identifier": "mcap",
            **self._extent(),
            "topics_with_message_count": [
                {
                    "topic_metadata": {
                        "name": topic.name,
                        "type": topic.type_name,
                        "serialization_format": "cdr",
                        _QOS: topic.offered_qos,
                    },
                    "message_count": self._file.counts[channel],
                }
                for topic, channel in self._channels.items()
            ],
            "compression_format": "",
            "compression_mode": "",
            "relative_file_paths": [self._name],
            "files": [{"path": self._name, **self._extent()}],
        }

    def _extent(self) -> dict[str, object]:
        file, total = self._file, sum(self._file.counts.values())
        return {
            "duration": {"nanoseconds": file.last_ns - file.first_ns if total else 0},
            "starting_time": {"nanoseconds_since_epoch": file.first_ns if total else 0},
            "message_count": total,
        }


def is_cut_short(folder: Path) -> bool:
    """Whether a folder holds a bag that its recorder could not end."""
    return (folder / f"{folder.name}_0.mcap").is_file() and not (folder / METADATA).is_file()


def make_whole(folder: Path) -> int:
    """Ends a bag that was cut short; returns how many messages it has. What was not written whole is not in it.

    Raises BagError where its file is none, OSError where the disk has no room for it twice.
    """
    name = f"{folder.name}_0.mcap"
    beside = folder / "made_whole" / folder.name  # left by a process that was killed over this, it is made anew
    for leftover in (beside / name, beside / METADATA):
        leftover.unlink(missing_ok=True)
    if beside.is_dir():
        beside.rmdir()
    bag, messages = Bag(beside), 0
    with closing(McapFile(folder / name)) as file:
        for message in file.messages(lambda _: True):
            bag.write(_described(message, file), message.log_ns, message.data)
            messages += 1
    bag.close()
    (beside / name).replace(folder / name)
    (beside / METADATA).replace(folder / METADATA)
    beside.rmdir()
    beside.parent.rmdir()
    return messages


def _described(message: Message, file: McapFile) -> BagTopic:
    """The topic of a message, as its file has it."""
    said, definition = file.metadata[message.topic], file.definitions.get(message.msgtype)
    text = "" if definition is None else definition.text
    return BagTopic(message.topic, message.msgtype, text, said.get(_HASH, ""), said.get(_QOS, ""))


def _yaml(content: Mapping[str, object]) -> str:
    return yaml.safe_dump(dict(content), sort_keys=False, width=100_000)
