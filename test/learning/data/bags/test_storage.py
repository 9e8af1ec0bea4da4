"""Every layout of a bag tells the same messages, and finds each of them again."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from backports import zstd
from bag_scenes import STORE, McapByHand, Said, mcap_record, recorded, write_bag
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.bags.opened_bag import find_bags, opened
from jepa_planner.nodes.recording.bag import Bag, BagTopic

SAID = recorded(seconds=1.0)
TOPICS = (
    "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, "
    "serialization_format TEXT NOT NULL"
)
MESSAGES = (
    "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL, "
    "data BLOB NOT NULL); CREATE INDEX timestamp_idx ON messages (timestamp ASC);"
)
NAMED = (
    "CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);"
    "CREATE TABLE metadata(id INTEGER PRIMARY KEY, metadata_version INTEGER NOT NULL, metadata TEXT NOT NULL);"
)
DEFINED = (
    "CREATE TABLE message_definitions(id INTEGER PRIMARY KEY, topic_type TEXT NOT NULL, encoding TEXT NOT NULL, "
    "encoded_message_definition TEXT NOT NULL, type_description_hash TEXT NOT NULL);"
)
SCHEMAS = {
    1: f"{TOPICS});{MESSAGES}",
    2: f"{TOPICS}, offered_qos_profiles TEXT NOT NULL);{MESSAGES}",
    3: f"{NAMED}{TOPICS}, offered_qos_profiles TEXT NOT NULL);{MESSAGES}",
    4: f"{NAMED}{DEFINED}{TOPICS}, offered_qos_profiles TEXT NOT NULL, type_description_hash TEXT NOT NULL);{MESSAGES}",
}
"""Of rosbag2_storage_sqlite3, from ROS 2 Dashing to Jazzy."""


def told(path: Path) -> list[tuple[str, str, int, bytes]]:
    """All that a bag tells, in time; what is read again by its place must be the same."""
    found = []
    with opened(path) as bag:
        for file in bag.files:
            messages = list(file.messages(lambda _: True))
            assert list(file.read([message.place for message in messages])) == [message.data for message in messages]
            found += [(message.topic, message.msgtype, message.log_ns, message.data) for message in messages]
    return sorted(found)


def meant(said: list[Said]) -> list[tuple[str, str, int, bytes]]:
    return sorted((one.topic, one.msgtype, one.log_ns, one.data) for one in said)


def sqlite_file(path: Path, said: list[Said], schema: int) -> Path:
    file = sqlite3.connect(path)
    file.executescript(SCHEMAS[schema])
    topics = sorted({(one.topic, one.msgtype) for one in said})
    for number, (topic, kind) in enumerate(topics, 1):
        more = {1: (), 2: ("",), 3: ("",), 4: ("", "RIHS01_0")}[schema]
        values = (number, topic, kind, "cdr", *more)
        file.execute(f"INSERT INTO topics VALUES ({', '.join('?' * len(values))})", values)
        if schema == 4:
            definition, _ = STORE.generate_msgdef(kind, ros_version=2)
            file.execute("INSERT INTO message_definitions VALUES (?, ?, 'ros2msg', ?, '')", (number, kind, definition))
    numbers = {topic: number for number, (topic, _) in enumerate(topics, 1)}
    rows = [(numbers[one.topic], one.log_ns, one.data) for one in said]
    file.executemany("INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)", rows)
    file.commit()
    file.close()
    return path


def split_with_metadata(folder: Path) -> Path:
    """As rosbag2 of metadata version 3 names files, below the folder's own name."""
    folder.mkdir()
    half = len(SAID) // 2
    for number, part in enumerate((SAID[:half], SAID[half:])):
        (folder / f"run_{number}.mcap").write_bytes(McapByHand(chunked=7).file(part))
    files = "".join(f"\n    - {folder.name}/run_{number}.mcap" for number in (0, 1))
    (folder / "metadata.yaml").write_text(
        "rosbag2_bagfile_information:\n  version: 3\n  storage_identifier: mcap\n"
        f"  relative_file_paths:{files}\n  duration:\n    nanoseconds: 1\n  starting_time:\n"
        f"    nanoseconds_since_epoch: {SAID[0].log_ns}\n  message_count: {len(SAID)}\n"
        '  topics_with_message_count: []\n  compression_format: ""\n  compression_mode: ""\n'
    )
    return folder


def by_hand(name: str, **how) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        folder.mkdir()
        (folder / name).write_bytes(McapByHand(**how).file(SAID))
        return folder

    return write


def packed_by_hand(ending: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        folder.mkdir()
        plain = sqlite_file(folder / "run_0.db3", SAID, 3)
        (folder / f"run_0.db3{ending}").write_bytes(zstd.compress(plain.read_bytes()))
        plain.unlink()
        return folder

    return write


def as_sqlite(schema: int) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        folder.mkdir()
        sqlite_file(folder / "run_0.db3", SAID, schema)
        return folder

    return write


def as_rosbags(storage: StoragePlugin, compression: CompressionMode, version: int = 9, metadata: bool = True):
    def write(folder: Path) -> Path:
        write_bag(folder, SAID, storage, compression, version)
        if not metadata:
            (folder / "metadata.yaml").unlink()
        return folder

    return write


def as_our_recorder(ended: bool) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        bag = Bag(folder)
        for one in SAID:
            definition, _ = STORE.generate_msgdef(one.msgtype, ros_version=2)
            bag.write(BagTopic(one.topic, one.msgtype, definition), one.log_ns, one.data)
        if ended:
            bag.close()
        else:
            bag.flush()
            bag.abandon()
        return folder

    return write


LAYOUTS = {
    "as jepa-planner record writes": as_our_recorder(True),
    "as jepa-planner record leaves when it dies": as_our_recorder(False),
    "mcap": as_rosbags(StoragePlugin.MCAP, CompressionMode.NONE),
    "mcap, version 8": as_rosbags(StoragePlugin.MCAP, CompressionMode.NONE, 8),
    "mcap, chunks packed": as_rosbags(StoragePlugin.MCAP, CompressionMode.STORAGE),
    "mcap, messages packed": as_rosbags(StoragePlugin.MCAP, CompressionMode.MESSAGE),
    "mcap, messages packed, no metadata": as_rosbags(StoragePlugin.MCAP, CompressionMode.MESSAGE, metadata=False),
    "mcap, files packed": as_rosbags(StoragePlugin.MCAP, CompressionMode.FILE),
    "mcap, files packed, no metadata": as_rosbags(StoragePlugin.MCAP, CompressionMode.FILE, metadata=False),
    "sqlite3": as_rosbags(StoragePlugin.SQLITE3, CompressionMode.NONE),
    "sqlite3, messages packed": as_rosbags(StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
    "sqlite3, files packed, no metadata": as_rosbags(StoragePlugin.SQLITE3, CompressionMode.FILE, metadata=False),
    **{f"sqlite3, schema {schema}": as_sqlite(schema) for schema in SCHEMAS},
    "sqlite3, packed by hand": packed_by_hand(".zstd"),
    "sqlite3, packed by the tool": packed_by_hand(".zst"),
    "split": split_with_metadata,
    "mcap without chunks or index": by_hand("run.mcap"),
    "mcap without index": by_hand("run.mcap", chunked=5),
    "mcap without index, zstd": by_hand("run.mcap", chunked=5, compression="zstd"),
    "mcap without index, lz4": by_hand("run.mcap", chunked=50, compression="lz4"),
    "mcap of another profile": by_hand("run.mcap", profile=""),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_tells_the_same_messages(tmp_path, layout):
    assert told(LAYOUTS[layout](tmp_path / "run")) == meant(SAID)


def test_a_file_of_a_bag_is_a_bag(tmp_path):
    folder = LAYOUTS["split"](tmp_path / "run")
    assert told(folder / "run_0.mcap") == meant(SAID[: len(SAID) // 2])


def test_messages_may_stand_in_any_order(tmp_path):
    (tmp_path / "run.mcap").write_bytes(McapByHand(chunked=4).file(SAID[::-1]))
    assert told(tmp_path / "run.mcap") == meant(SAID)


def test_files_of_a_split_bag_come_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 2, 1):
        (tmp_path / f"run_{number}.mcap").write_bytes(McapByHand().file(SAID[:3]))
    with opened(tmp_path) as bag:
        assert [file.path.name for file in bag.files] == ["run_1.mcap", "run_2.mcap", "run_10.mcap"]


def test_a_file_that_metadata_names_and_that_is_missing_is_told(tmp_path):
    folder = LAYOUTS["split"](tmp_path / "run")
    (folder / "run_1.mcap").unlink()
    with opened(folder) as bag:
        assert bag.notes == ("run_1.mcap is missing, which metadata.yaml names",)


@pytest.mark.parametrize(
    ("how", "least"), [({}, 0.85), ({"chunked": 5, "compression": "zstd"}, 0.8), ({"chunked": 5}, 0.85)]
)
def test_of_a_file_whose_writer_died_all_is_read_that_is_there(tmp_path, how, least):
    whole = McapByHand(**how).file(SAID, ended=False)
    path = tmp_path / "run.mcap"
    path.write_bytes(whole[: len(whole) * 9 // 10])
    with opened(path) as bag:
        messages = list(bag.files[0].messages(lambda _: True))
        assert "its writer did not close it" in bag.files[0].damage or "chunk" in bag.files[0].damage
        assert list(bag.files[0].read([message.place for message in messages])) == [m.data for m in messages]
    assert least * len(SAID) <= len(messages) < len(SAID)
    assert [message.data for message in messages] == [one.data for one in SAID[: len(messages)]]


def test_a_tail_of_zeros_ends_what_can_be_read(tmp_path):
    (tmp_path / "run.mcap").write_bytes(McapByHand().file(SAID, ended=False) + bytes(4096))
    with opened(tmp_path) as bag:
        assert len(list(bag.files[0].messages(lambda _: True))) == len(SAID)
        assert "no record begins at byte" in bag.files[0].damage


def test_a_damaged_chunk_is_passed_over_and_told(tmp_path):
    whole = bytearray(McapByHand(chunked=20, compression="zstd").file(SAID))
    at = whole.index(b"\x28\xb5\x2f\xfd", len(whole) // 2)
    whole[at + 10 : at + 30] = bytes(20)
    (tmp_path / "run.mcap").write_bytes(bytes(whole))
    with opened(tmp_path) as bag:
        messages = list(bag.files[0].messages(lambda _: True))
        assert len(SAID) - 20 <= len(messages) < len(SAID)
        assert "the chunk at byte" in bag.files[0].damage


def test_what_a_writer_of_sqlite_left_beside_its_file_is_read(tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    path = sqlite_file(work / "run_0.db3", SAID[:-10], 4)
    file = sqlite3.connect(path)
    file.execute("PRAGMA journal_mode = WAL")
    (number,) = file.execute("SELECT id FROM topics WHERE name = ?", (SAID[-1].topic,)).fetchone()
    file.execute("INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)", (number, 1, SAID[-1].data))
    file.commit()
    shutil.copytree(work, tmp_path / "run")  # as it lies there when the writer dies
    file.close()
    (tmp_path / "run" / "run_0.db3-shm").unlink()
    before = sorted(entry.name for entry in (tmp_path / "run").iterdir())
    assert len(told(tmp_path / "run")) == len(SAID) - 9
    assert sorted(entry.name for entry in (tmp_path / "run").iterdir()) == before


def test_a_packed_file_that_was_cut_off_is_read_to_there(tmp_path):
    noise = np.random.default_rng(0).bytes(2**20)  # so that packing has several blocks
    text = McapByHand().file(SAID, ended=False) + mcap_record(0x90, noise)
    (tmp_path / "run.mcap.zstd").write_bytes(zstd.compress(text)[: len(text) // 2])
    with opened(tmp_path) as bag:
        assert "cannot be unpacked to its end" in bag.notes[0]
        assert len(list(bag.files[0].messages(lambda _: True))) == len(SAID)


def test_messages_of_another_serialization_are_none_of_ros(tmp_path):
    text = McapByHand().file(SAID)
    (tmp_path / "run.mcap").write_bytes(text.replace(b"\x03\x00\x00\x00cdr", b"\x03\x00\x00\x00abc"))
    assert told(tmp_path) == []


def test_a_folder_of_bags_holds_them_in_the_order_of_names(tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.mcap").write_bytes(McapByHand().file(SAID[:3]))
    (tmp_path / "notes").mkdir()
    assert find_bags([tmp_path]) == [tmp_path / "a", tmp_path / "b"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("run.mcap", b"", "is empty"),
        ("run.mcap", b"nothing of the kind", "is no MCAP file"),
        ("run.db3", b"nothing of the kind", "cannot be read as a bag"),
        ("run.bag", b"#ROSBAG V2.0", "is of ROS 1: convert it first"),
        ("run.txt", b"text", "is no file of a bag"),
        ("run.mcap.zstd", b"not packed", "is empty"),
    ],
)
def test_what_is_no_bag_is_refused_by_name(tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BagError, match=says) as refusal, opened(find_bags([path])[0]) as bag:
        list(bag.files[0].messages(lambda _: True))
    assert name.removesuffix(".zstd") in str(refusal.value)


def test_a_database_of_something_else_is_refused(tmp_path):
    file = sqlite3.connect(tmp_path / "run.db3")
    file.execute("CREATE TABLE other(id INTEGER)")
    file.close()
    with pytest.raises(BagError, match="has no table messages and topics"), opened(tmp_path):
        pass


def test_folders_without_bags_and_bags_given_twice_are_refused(tmp_path):
    with pytest.raises(BagError, match="holds no bag"):
        find_bags([tmp_path])
    with pytest.raises(BagError, match="no such bag"):
        find_bags([tmp_path / "nowhere"])
    (tmp_path / "run.mcap").write_bytes(McapByHand().file(SAID[:3]))
    with pytest.raises(BagError, match="is given twice"):
        find_bags([tmp_path, tmp_path])


def test_a_spoilt_file_of_a_split_bag_leaves_the_others(tmp_path):
    (tmp_path / "run_0.mcap").write_bytes(b"")
    (tmp_path / "run_1.mcap").write_bytes(McapByHand().file(SAID))
    with opened(tmp_path) as bag:
        assert len(bag.files) == 1
        assert "run_0.mcap is empty" in bag.notes[0]


def test_records_of_other_peoples_own_are_passed_over(tmp_path):
    text = McapByHand().file(SAID)
    head = text.index(b"\x03", 30)
    (tmp_path / "run.mcap").write_bytes(text[:head] + mcap_record(0x90, b"mine") + text[head:])
    assert told(tmp_path) == meant(SAID)


def test_a_packed_message_that_is_damaged_is_passed_over_and_told(tmp_path):
    folder = LAYOUTS["mcap, messages packed, no metadata"](tmp_path / "run")
    path = folder / "run.mcap"
    whole = bytearray(path.read_bytes())
    at = whole.index(b"\x28\xb5\x2f\xfd", len(whole) // 3)
    whole[at + 4 : at + 12] = b"\xff" * 8
    path.write_bytes(bytes(whole))
    with opened(folder) as bag:
        messages = list(bag.files[0].messages(lambda _: True))
        assert len(SAID) - 1 <= len(messages) <= len(SAID)
        assert bag.files[0].damage


@pytest.mark.parametrize("name", ["mcap", "mcap without index, zstd", "sqlite3"])
def test_files_that_are_damaged_anywhere_are_read_or_refused(tmp_path, name):
    draws = np.random.default_rng(0)
    folder = LAYOUTS[name](tmp_path / "run")
    (path,) = (file for file in folder.iterdir() if file.suffix in (".mcap", ".db3"))
    whole = path.read_bytes()
    for _ in range(12):
        spoilt = bytearray(whole)
        begin = int(draws.integers(len(spoilt)))
        spoilt[begin : begin + 200] = draws.bytes(len(spoilt[begin : begin + 200]))
        path.write_bytes(bytes(spoilt))
        try:
            with opened(path) as bag:
                messages = list(bag.files[0].messages(lambda _: True))
                assert len(list(bag.files[0].read([message.place for message in messages]))) == len(messages)
        except BagError as refusal:
            assert path.name in str(refusal)
