"""A node that records, over real DDS, into real files."""

import itertools
import os
import shutil
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
from jepa_planner.msg import EpisodeMark
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import Float64, String
from std_srvs.srv import Trigger

from jepa_planner.model.bundle import model_folder
from jepa_planner.nodes import qos
from jepa_planner.nodes.conversions import array_to_image, time_message
from jepa_planner.nodes.planner_node import start, wait_until
from jepa_planner.nodes.record_node import RecordNode
from jepa_planner.nodes.recording.episodes import Phase, RefusedError
from jepa_planner.nodes.running import NodeThread

TIMEOUT_S = 20.0
_numbers = itertools.count()


@dataclass
class Cell:
    """Publishers that keep what they sent, and a recorder beside them."""

    folder: str
    node: Node
    threads: list[NodeThread]
    sent: dict[str, list[bytes]] = field(default_factory=dict)
    recorder: RecordNode | None = None

    def publisher(self, kind, topic: str, profile: QoSProfile = qos.STATE):
        publisher = self.node.create_publisher(kind, topic, profile)
        self.sent[publisher.topic_name] = []
        return publisher

    def publish(self, publisher, message) -> None:
        self.sent[publisher.topic_name].append(serialize_message(message))
        publisher.publish(self.sent[publisher.topic_name][-1])

    def record(self, **parameters: object) -> RecordNode:
        overrides = [Parameter(name, value=value) for name, value in {"out": self.folder, **parameters}.items()]
        self.recorder = RecordNode(namespace=self.node.get_namespace(), parameter_overrides=overrides)
        start([self.recorder])
        self.threads.append(NodeThread(self.recorder, lambda: None))
        return self.recorder

    def until_heard(self, *topics: str) -> None:
        names = [self.node.resolve_topic_name(topic) for topic in topics]
        assert wait_until(lambda: all(self._is_heard(name) for name in names), TIMEOUT_S), self.recorder.now()

    def _is_heard(self, name: str) -> bool:
        return name in self.recorder.now().counts and self.node.count_subscribers(name) > 0

    def until_came(self, topic: str, messages: int) -> None:
        name = self.node.resolve_topic_name(topic)
        assert wait_until(lambda: self.recorder.now().counts[name].messages >= messages, TIMEOUT_S)

    def ended(self) -> None:
        """Waits until all is written."""
        thread = self.threads.pop()
        assert thread.node is self.recorder
        thread.call(self.recorder.trigger_shutdown)
        thread.stop()

    def call(self, service: str) -> Trigger.Response:
        client = self.node.create_client(Trigger, f"record_node/{service}")
        assert client.wait_for_service(TIMEOUT_S)
        answer = client.call_async(Trigger.Request())
        assert wait_until(answer.done, TIMEOUT_S)
        self.node.destroy_client(client)
        return answer.result()


@pytest.fixture
def cell(ros, tmp_path):
    node = Node("cell", namespace=f"/rec{os.getpid()}_{next(_numbers)}")
    cell = Cell(str(tmp_path / "recordings"), node, [NodeThread(node, lambda: None)])
    yield cell
    for thread in reversed(cell.threads):
        if thread.node is cell.recorder:
            thread.call(thread.node.trigger_shutdown)
        thread.stop()


def bag_of(cell: Cell, name: str):
    """The serialized messages of a bag by topic, the marks decoded."""
    found: dict[str, list[bytes]] = {}
    marks = []
    with AnyReader([(type(cell.recorder.episodes.folder)(cell.folder)) / name]) as reader:
        for connection, _, data in reader.messages():
            found.setdefault(connection.topic, []).append(bytes(data))
            if connection.msgtype == "jepa_planner/msg/EpisodeMark":
                mark = reader.deserialize(data, connection.msgtype)
                marks.append((mark.kind, mark.name, mark.task, mark.success))
    found.pop(cell.node.resolve_topic_name("episode_marks"), None)
    return found, marks


def joints(cell: Cell) -> JointState:
    message = JointState(name=["a", "b"], position=[1.0, 2.0])
    message.header.stamp = cell.node.get_clock().now().to_msg()
    return message


def picture(cell: Cell, seed: int = 0) -> Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    return array_to_image(pixels, cell.node.get_clock().now().to_msg())


def test_every_message_of_an_episode_stands_in_its_bag_as_it_was_sent(cell):
    front = cell.publisher(Image, "front/image_raw")
    side = cell.publisher(CompressedImage, "side/image_raw/compressed")
    arm = cell.publisher(JointState, "joint_states", qos.SENSOR)
    gripper = cell.publisher(Float64, "gripper")
    description = cell.publisher(String, "robot_description", qos.LATCHED)
    cell.publish(description, String(data="<robot/>"))
    cell.record(topics=["front/image_raw", "side/image_raw", "joint_states", "gripper", "robot_description"])
    cell.until_heard("front/image_raw", "side/image_raw/compressed", "joint_states", "gripper", "robot_description")
    cell.until_came("robot_description", 1)
    arm.publish(joints(cell))  # before the episode: in no bag
    cell.until_came("joint_states", 1)
    cell.recorder.name_next(name="grasp", task="pick up the cube")
    assert "recording" in cell.recorder.carry_out("start")
    for seed in range(15):
        cell.publish(front, picture(cell, seed))
        cell.publish(side, CompressedImage(format="jpeg", data=bytes([seed] * 5000)))
        cell.publish(gripper, Float64(data=float(seed)))
        for _ in range(3):
            cell.publish(arm, joints(cell))
            time.sleep(0.003)
    for topic, count in (("front/image_raw", 15), ("side/image_raw/compressed", 15), ("gripper", 15)):
        cell.until_came(topic, count)
    cell.until_came("joint_states", 45)
    cell.recorder.carry_out("keep")
    arm.publish(joints(cell))
    cell.ended()
    found, marks = bag_of(cell, "grasp_0001")
    assert found == cell.sent
    assert marks == [(kind, "grasp_0001", "pick up the cube", -1 if kind < 2 else 1) for kind in (0, 1, 2)]


def test_services_do_what_keys_do_and_refuse_in_words(cell):
    cell.record(topics=["joint_states"])
    assert not (refused := cell.call("stop")).success and "start first" in refused.message
    assert (answer := cell.call("start")).success
    assert "joint_states" in answer.message  # nobody publishes it
    assert cell.call("stop").success and cell.call("keep_failed").success
    assert cell.call("start").success and cell.call("throw_away").success
    assert cell.call("delete_thrown_away").success
    cell.ended()
    assert bag_of(cell, "episode_0001")[1][-1] == (EpisodeMark.KEEP, "episode_0001", "", EpisodeMark.SUCCESS_NO)
    assert not os.listdir(f"{cell.folder}/thrown_away")


def test_marks_are_told_to_other_recorders_too(cell):
    heard = []
    cell.node.create_subscription(EpisodeMark, "episode_marks", heard.append, 10)
    cell.record(topics=["joint_states"])
    assert wait_until(lambda: cell.node.count_publishers("episode_marks") > 0, TIMEOUT_S)
    time.sleep(0.2)
    for command in ("start", "stop", "throw_away"):
        cell.recorder.carry_out(command)
    assert wait_until(lambda: len(heard) == 3, TIMEOUT_S)
    assert [mark.kind for mark in heard] == [EpisodeMark.START, EpisodeMark.STOP, EpisodeMark.THROW_AWAY]


def test_topics_are_heard_when_they_come_and_however_they_are_published(cell):
    cell.record(topics=["joint_states", "front/image_raw"])
    assert set(cell.recorder.now().unheard.values()) == {"nobody publishes it"}
    reliable = cell.publisher(JointState, "joint_states", qos.STATE)
    cell.until_heard("joint_states")
    cell.publish(reliable, joints(cell))
    cell.until_came("joint_states", 1)
    best_effort = cell.publisher(JointState, "joint_states", qos.SENSOR)  # a reliable subscriber does not hear it
    name = best_effort.topic_name
    assert wait_until(lambda: cell.recorder._topics.heard[name].qos.reliability.name == "BEST_EFFORT", TIMEOUT_S)

    def hears() -> bool:
        best_effort.publish(joints(cell))
        return cell.recorder.now().counts[name].messages >= 3

    assert wait_until(hears, TIMEOUT_S, 0.05)
    assert list(cell.recorder.now().unheard) == [cell.node.resolve_topic_name("front/image_raw")]


def test_of_a_camera_that_publishes_both_one_kind_of_picture_is_recorded(cell):
    cell.publisher(Image, "front/image_raw")
    cell.publisher(CompressedImage, "front/image_raw/compressed")
    cell.record(topics=["front/image_raw"])
    cell.until_heard("front/image_raw/compressed")
    assert list(cell.recorder.now().counts) == [cell.node.resolve_topic_name("front/image_raw/compressed")]


def test_raw_pictures_are_recorded_where_they_are_asked_for(cell):
    cell.publisher(Image, "front/image_raw")
    cell.publisher(CompressedImage, "front/image_raw/compressed")
    cell.record(topics=["front/image_raw"], image_transport="raw")
    cell.until_heard("front/image_raw")
    assert list(cell.recorder.now().counts) == [cell.node.resolve_topic_name("front/image_raw")]


def test_late_and_unordered_messages_are_recorded_and_counted(cell):
    arm = cell.publisher(JointState, "joint_states")
    cell.record(topics=["joint_states"], late_s=0.05)
    cell.until_heard("joint_states")
    cell.recorder.carry_out("start")
    now_s = cell.node.get_clock().now().nanoseconds * 1e-9
    for late_s in [0.5 - 0.01 * turn for turn in range(30)] + [0.4, 0.15]:
        message = joints(cell)
        message.header.stamp = time_message(now_s - late_s)
        cell.publish(arm, message)
    cell.until_came("joint_states", 32)
    counts = cell.recorder.now().counts[arm.topic_name]
    assert counts.late == 32 and counts.unordered == 1
    cell.recorder.carry_out("keep")
    cell.ended()
    assert bag_of(cell, "episode_0001")[0] == cell.sent


def test_a_disk_that_is_almost_full_refuses_a_start(cell, tmp_path):
    cell.record(topics=["joint_states"], keep_free_gb=shutil.disk_usage(tmp_path).free / 1e9 + 1.0)
    with pytest.raises(RefusedError, match=r"GB are left.*expected .* GB or more"):
        cell.recorder.carry_out("start")
    assert [file for file in os.listdir(cell.folder) if not file.startswith(".")] == []


def test_a_disk_that_becomes_almost_full_ends_an_episode_which_stays_whole(cell, monkeypatch):
    arm = cell.publisher(JointState, "joint_states")
    cell.record(topics=["joint_states"], keep_free_gb=1.0)
    cell.until_heard("joint_states")
    cell.recorder.carry_out("start")
    cell.publish(arm, joints(cell))
    cell.until_came("joint_states", 1)
    usage = shutil.disk_usage(cell.folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=900_000_000))
    assert wait_until(lambda: cell.recorder.episodes.phase is Phase.UNDECIDED, TIMEOUT_S)
    assert "0.90 GB are left" in cell.recorder.said[-1]
    assert not cell.recorder.health()[0].ok
    arm.publish(joints(cell))
    cell.recorder.carry_out("keep")
    cell.ended()
    found, marks = bag_of(cell, "episode_0001")
    assert found == cell.sent and [mark[0] for mark in marks] == [0, 1, 2]


def test_a_disk_that_is_too_slow_costs_messages_that_are_counted_and_no_time(cell, monkeypatch):
    from jepa_planner.nodes.recording.bag import Bag

    arm = cell.publisher(JointState, "joint_states")
    camera = cell.publisher(Image, "front/image_raw")
    cell.record(topics=["joint_states", "front/image_raw"], queue_mb=1.0)
    cell.until_heard("joint_states", "front/image_raw")
    write = Bag.write
    monkeypatch.setattr(Bag, "write", lambda *args: (time.sleep(0.1), write(*args)))
    cell.recorder.carry_out("start")
    for seed in range(30):
        cell.publish(camera, picture(cell, seed))
        cell.publish(arm, joints(cell))
        time.sleep(0.01)
    cell.until_came("front/image_raw", 30)
    now = cell.recorder.now()
    assert now.queued_bytes <= 1_000_000
    monkeypatch.undo()
    lost = now.overflowed[camera.topic_name]
    assert lost > 5
    cell.recorder.carry_out("keep")
    cell.ended()
    found, marks = bag_of(cell, "episode_0001")
    kept = Counter(found[camera.topic_name])
    assert sum(kept.values()) + lost == 30 and kept <= Counter(cell.sent[camera.topic_name])
    assert len(marks) == 3


def test_a_type_that_is_not_installed_is_named(cell, monkeypatch):
    from jepa_planner.nodes.recording import topics

    def message_class(name):
        raise topics.UnknownTypeError(f"{name} is not installed here")

    monkeypatch.setattr(topics, "message_class", message_class)
    cell.publisher(CameraInfo, "front/camera_info")
    cell.record(topics=["front/camera_info"])
    name = cell.node.resolve_topic_name("front/camera_info")
    assert wait_until(lambda: "CameraInfo is not installed" in cell.recorder.now().unheard.get(name, ""), TIMEOUT_S)


def test_two_do_not_record_into_one_folder(cell):
    cell.record(topics=["joint_states"])
    second = RecordNode(
        namespace=f"{cell.node.get_namespace()}/second", parameter_overrides=[Parameter("out", value=cell.folder)]
    )
    with pytest.raises(RuntimeError, match="somebody records into it already"):
        start([second])
    second.destroy_node()


@contextmanager
def not_started(**parameters):
    node = RecordNode(parameter_overrides=[Parameter(name, value=value) for name, value in parameters.items()])
    yield node
    node.destroy_node()


def test_a_folder_that_is_a_file_a_bad_name_and_a_wrong_recording_file_are_refused(ros, tmp_path):
    (tmp_path / "file").write_text("")
    with not_started(out=str(tmp_path / "file")) as node, pytest.raises(RuntimeError, match="file"):
        start([node])
    bad_name = {"out": str(tmp_path / "new"), "name": "a/b", "topics": ["/a"]}
    with not_started(**bad_name) as node, pytest.raises(RuntimeError, match="name is 'a/b'"):
        start([node])
    (tmp_path / "recording.yaml").write_text("views: {}")
    wrong_file = {"out": str(tmp_path / "new"), "recording": str(tmp_path / "recording.yaml")}
    with not_started(**wrong_file) as node, pytest.raises(RuntimeError, match=r"recording\.yaml: .*arm"):
        start([node])
    assert not (tmp_path / "new").exists()


def test_a_recording_file_says_which_topics(cell, tmp_path):
    file = tmp_path / "recording.yaml"
    file.write_text(
        "views: {front: {topic: /cam/color}}\narm: {kind: pose, topic: /tcp_pose, tcp_frame: tool0}\ntopics: [/force]\n"
    )
    cell.record(recording=str(file))
    assert {"/cam/color", "/cam/camera_info", "/tcp_pose", "/force", "/tf_static"} <= set(cell.recorder.now().unheard)
    assert "/episode_marks" not in cell.recorder.now().unheard


def test_by_default_the_planners_topics_are_recorded(cell):
    cell.record()
    wanted = {name.removeprefix(f"{cell.node.get_namespace()}") for name in cell.recorder.now().unheard}
    assert {"/front/image_raw", "/side/camera_info", "/joint_states", "/arm_state", "/plan", "/tf"} <= wanted
    assert {"/mpc_node/stats", "/mpc_node/goal_events"} <= wanted


def test_by_default_the_pictures_of_the_models_views_are_recorded(cell):
    cell.record(model=str(model_folder().parent / "panda-varied"), views=["side"])
    wanted = {name.rpartition("/")[0].rpartition("/")[2] for name in cell.recorder.now().unheard if "image_raw" in name}
    assert wanted == {"side"}


def test_an_episode_under_way_is_kept_when_the_node_ends(cell):
    cell.record(topics=["joint_states"])
    cell.recorder.carry_out("start")
    cell.ended()
    assert bag_of(cell, "episode_0001")[1][-1][3] == EpisodeMark.SUCCESS_NOT_TOLD
