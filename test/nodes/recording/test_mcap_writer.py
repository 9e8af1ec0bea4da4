import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import Reader

from jepa_planner.learning.data.bags.mcap_file import McapFile
from jepa_planner.nodes.recording.mcap_writer import CHUNK_BYTES, McapWriter

DEFINITION = "string data\n"
Written = list[tuple[str, int, bytes]]


def drawn(count: int = 200, largest: int = 40_000, seed: int = 0) -> Written:
    generator = np.random.default_rng(seed)
    sizes, topics = generator.integers(0, largest, count), generator.choice(["/a", "/b", "/c"], count)
    return [
        (str(topic), 1000 + turn // 2, generator.bytes(int(size)))
        for turn, (topic, size) in enumerate(zip(topics, sizes, strict=True))
    ]


def write(path: Path, messages: Written) -> McapWriter:
    file, channels = McapWriter(path), {}
    for topic, time_ns, data in messages:
        if topic not in channels:
            channels[topic] = file.add_channel(topic, "std_msgs/msg/String", DEFINITION, {"of": topic})
        file.write(channels[topic], time_ns, data)
    return file


def read(path: Path) -> Written:
    with closing(McapFile(path)) as file:
        return [(message.topic, message.log_ns, message.data) for message in file.messages(lambda _: True)]


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """A disk that takes no larger ones."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_is_written_is_read_by_rosbags_message_by_message(tmp_path):
    messages = drawn()
    assert sum(len(data) for *_, data in messages) > 2 * CHUNK_BYTES
    write(tmp_path / "a.mcap", messages).close()
    with Reader(tmp_path / "a.mcap") as reader:
        found = [(connection.topic, time_ns, bytes(data)) for connection, time_ns, data in reader.messages()]
        assert {connection.msgtype for connection in reader.connections} == {"std_msgs/msg/String"}
        assert {connection.msgdef.data for connection in reader.connections} == {DEFINITION}
        assert reader.message_count == len(messages)
        assert (reader.start_time, reader.end_time) == (messages[0][1], messages[-1][1] + 1)
        one = [(c.topic, t, bytes(d)) for c, t, d in reader.messages(start=1010, stop=1020)]
    assert sorted(found) == sorted(messages)  # those of one time may stand in another order
    assert [time for _, time, _ in found] == [time for _, time, _ in messages]
    assert sorted(one) == sorted(message for message in messages if 1010 <= message[1] < 1020)


def test_a_file_without_messages_can_be_read(tmp_path):
    McapWriter(tmp_path / "a.mcap").close()
    with Reader(tmp_path / "a.mcap") as reader:
        assert reader.message_count == 0
    assert read(tmp_path / "a.mcap") == []


def test_a_topic_that_comes_later_and_one_without_messages_are_known(tmp_path):
    file = McapWriter(tmp_path / "a.mcap")
    first = file.add_channel("/first", "std_msgs/msg/String", DEFINITION, {})
    file.write(first, 1, b"x" * CHUNK_BYTES)
    late = file.add_channel("/late", "std_msgs/msg/Empty", "", {})
    file.write(late, 2, b"y")
    file.add_channel("/never", "std_msgs/msg/Empty", "", {})
    file.close()
    with Reader(tmp_path / "a.mcap") as reader:
        assert {c.topic: c.msgcount for c in reader.connections} == {"/first": 1, "/late": 1, "/never": 0}


def test_wherever_a_file_is_cut_what_stands_whole_before_is_read(tmp_path):
    messages = drawn(count=60, largest=3000)
    path, cut = tmp_path / "a.mcap", tmp_path / "cut.mcap"
    file = write(path, [])
    channels = {topic: file.add_channel(topic, "std_msgs/msg/String", DEFINITION, {}) for topic in ("/a", "/b", "/c")}
    flushed = []
    for number, (topic, time_ns, data) in enumerate(messages):
        file.write(channels[topic], time_ns, data)
        if number % 10 == 9:
            file.flush()
            flushed.append((path.stat().st_size, number + 1))
    file.close()
    whole = path.read_bytes()
    for length in [*range(8, 200, 7), *np.random.default_rng(1).integers(200, len(whole), 100)]:
        cut.write_bytes(whole[:length])
        found = read(cut)
        assert found == messages[: len(found)]
        assert len(found) >= max([count for size, count in flushed if size <= length], default=0)
    assert read(path) == messages


def test_what_was_flushed_outlives_a_process_that_never_closes(tmp_path):
    messages = drawn(count=20)
    file = write(tmp_path / "a.mcap", messages)
    file.flush()
    assert read(tmp_path / "a.mcap") == messages


def test_nothing_is_written_over(tmp_path):
    path = tmp_path / "a.mcap"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        McapWriter(path)
    assert path.read_text() == "mine"


def test_a_disk_that_takes_no_more_leaves_what_was_written_whole(tmp_path):
    messages = drawn(count=10)
    file = write(tmp_path / "a.mcap", messages)
    file.flush()
    channel = file.add_channel("/d", "std_msgs/msg/String", DEFINITION, {})
    with largest_file(file.size + 5000), pytest.raises(OSError, match="File too large"):
        file.write(channel, 5000, b"z" * CHUNK_BYTES)
    assert read(tmp_path / "a.mcap") == messages
    file.close()
    with Reader(tmp_path / "a.mcap") as reader:
        assert reader.message_count == len(messages)
