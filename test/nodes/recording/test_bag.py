import pytest
import yaml
from rclpy.serialization import serialize_message
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Reader
from std_msgs.msg import String

from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.nodes.recording.bag import Bag, BagTopic, is_cut_short, make_whole
from jepa_planner.nodes.recording.installed_types import definition_of

LATCHED = """- history: 1
  depth: 1
  reliability: 1
  durability: 1
  deadline: {sec: 9223372036, nsec: 854775807}
  lifespan: {sec: 9223372036, nsec: 854775807}
  liveliness: 1
  liveliness_lease_duration: {sec: 9223372036, nsec: 854775807}
  avoid_ros_namespace_conventions: false
"""
TEXT = BagTopic("/text", "std_msgs/msg/String", definition_of("std_msgs/msg/String"), "RIHS01_abc", LATCHED)
OTHER = BagTopic("/other", "std_msgs/msg/String", definition_of("std_msgs/msg/String"))


def text(number: int) -> bytes:
    return serialize_message(String(data=f"message {number}"))


def filled(folder, count=10):
    bag = Bag(folder)
    for number in range(count):
        bag.write(TEXT if number % 3 else OTHER, 100 + number, text(number))
    return bag


def messages(folder):
    with Reader(folder) as reader:
        return [(connection.topic, time_ns, bytes(data)) for connection, time_ns, data in reader.messages()]


EXPECTED = [("/text" if number % 3 else "/other", 100 + number, text(number)) for number in range(10)]


def test_a_bag_has_the_layout_of_rosbag2(tmp_path):
    filled(tmp_path / "grasp_0001").close()
    assert {file.name for file in (tmp_path / "grasp_0001").iterdir()} == {"grasp_0001_0.mcap", "metadata.yaml"}
    said = yaml.safe_load((tmp_path / "grasp_0001" / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert (said["version"], said["storage_identifier"], said["message_count"]) == (5, "mcap", 10)
    assert said["relative_file_paths"] == ["grasp_0001_0.mcap"]
    assert said["duration"]["nanoseconds"] == 9 and said["starting_time"]["nanoseconds_since_epoch"] == 100
    counts = {topic["topic_metadata"]["name"]: topic["message_count"] for topic in said["topics_with_message_count"]}
    assert counts == {"/text": 6, "/other": 4}
    assert messages(tmp_path / "grasp_0001") == EXPECTED


def test_a_latched_topic_is_latched_in_the_bag(tmp_path):
    filled(tmp_path / "bag").close()
    with AnyReader([tmp_path / "bag"]) as reader:
        (text_topic,) = [connection for connection in reader.connections if connection.topic == "/text"]
        assert [qos.durability.value for qos in text_topic.ext.offered_qos_profiles] == [1]
        assert [reader.deserialize(data, c.msgtype).data for c, _, data in reader.messages()][3] == "message 3"


def test_a_bag_that_was_cut_short_is_made_whole(tmp_path):
    folder = tmp_path / "bag"
    bag = filled(folder)
    bag.flush()
    bag.write(TEXT, 200, text(99))  # never written
    bag.abandon()
    with (folder / "bag_0.mcap").open("ab") as file:
        file.write(b"\x06half a chunk")
    assert is_cut_short(folder)
    assert make_whole(folder) == 10
    assert not is_cut_short(folder)
    assert messages(folder) == EXPECTED
    assert {file.name for file in folder.iterdir()} == {"bag_0.mcap", "metadata.yaml"}
    with Reader(folder) as reader:
        durability = {c.topic: [qos.durability.value for qos in c.ext.offered_qos_profiles] for c in reader.connections}
    assert durability == {"/text": [1], "/other": []}


def test_what_a_killed_repair_left_does_not_stand_in_the_way(tmp_path):
    folder = tmp_path / "bag"
    bag = filled(folder)
    bag.flush()
    bag.abandon()
    filled(folder / "made_whole" / "bag", count=3).abandon()
    assert make_whole(folder) == 10
    assert messages(folder) == EXPECTED


def test_a_whole_bag_that_lost_its_metadata_gets_it_again(tmp_path):
    folder = tmp_path / "bag"
    filled(folder).close()
    (folder / "metadata.yaml").unlink()
    assert is_cut_short(folder) and make_whole(folder) == 10
    assert messages(folder) == EXPECTED


def test_what_is_no_bag_is_refused_and_stays_as_it_is(tmp_path):
    folder = tmp_path / "bag"
    folder.mkdir()
    (folder / "bag_0.mcap").write_bytes(b"something else")
    with pytest.raises(BagError, match=r"bag_0\.mcap"):
        make_whole(folder)
    assert (folder / "bag_0.mcap").read_bytes() == b"something else"


def test_a_folder_that_is_there_is_not_written_into(tmp_path):
    (tmp_path / "bag").mkdir()
    with pytest.raises(FileExistsError):
        Bag(tmp_path / "bag")


def test_a_bag_without_messages_is_whole(tmp_path):
    Bag(tmp_path / "bag").close()
    assert messages(tmp_path / "bag") == []
