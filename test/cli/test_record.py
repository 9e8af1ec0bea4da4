"""The verb as a person at a terminal uses it, and as one who kills it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from terminal import TIMEOUT_S, Terminal
from typed import complaint


@pytest.fixture
def joints(ros):
    """Joint states at 50 Hz, numbered by their stamps."""
    from rclpy.node import Node
    from sensor_msgs.msg import JointState

    from jepa_planner.nodes import qos
    from jepa_planner.nodes.running import NodeThread

    node = Node("driver", namespace=f"/keys{os.getpid()}")
    publisher = node.create_publisher(JointState, "joint_states", qos.SENSOR)

    def publish() -> None:
        message = JointState(name=["a"], position=[1.0])
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)

    node.create_timer(0.02, publish)
    thread = NodeThread(node, lambda: None)
    yield publisher.topic_name
    thread.stop()


def bag(folder: Path) -> tuple[list[float], list[tuple[int, str, str, int]]]:
    """Stamps of joint states, and marks."""
    from rosbags.highlevel import AnyReader

    stamps, marks = [], []
    with AnyReader([folder]) as reader:
        for connection, _, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            if connection.msgtype.endswith("EpisodeMark"):
                marks.append((message.kind, message.name, message.task, message.success))
            else:
                stamps.append(message.header.stamp.sec + message.header.stamp.nanosec * 1e-9)
    return stamps, marks


def test_keys_begin_judge_name_and_end_episodes(joints, tmp_path):
    with Terminal("record", "--out", str(tmp_path), "--topics", joints, "--task", "pick it up") as terminal:
        terminal.until(r"joint_states +\d\d\.\d Hz")
        terminal.type("n")
        terminal.until("name of the next episodes")
        terminal.type("grasp\n")
        terminal.type("s")
        terminal.until("recording: grasp_0001")
        terminal.until(r"joint_states +\d\d\.\d Hz  dropped \d")
        terminal.type("e")
        terminal.until("keep or throw away")
        terminal.type("e")
        terminal.until("start first")
        terminal.type("f")
        terminal.until("kept grasp_0001, failed")
        terminal.type("sx")
        terminal.until("threw away grasp_0002")
        terminal.type("sk")
        terminal.until("kept grasp_0003, success")
        terminal.type("q")
        terminal.until("delete grasp_0002 for good")
        terminal.type("n\n")
        terminal.until("1 thrown away lie in")
        assert terminal.status() == 0
    stamps, marks = bag(tmp_path / "grasp_0001")
    assert len(stamps) > 5 and marks == [
        (kind, "grasp_0001", "pick it up", 0 if kind == 2 else -1) for kind in (0, 1, 2)
    ]
    assert bag(tmp_path / "grasp_0003")[1][-1] == (2, "grasp_0003", "pick it up", 1)
    assert bag(tmp_path / "thrown_away" / "grasp_0002")[1][-1][0] == 3


def test_a_recorder_that_is_killed_or_whose_terminal_is_closed_leaves_what_it_wrote(joints, tmp_path):
    arguments = ["record", "--out", str(tmp_path), "--topics", joints]
    with Terminal(*arguments) as terminal:
        terminal.until(r"joint_states +\d\d\.\d Hz")
        terminal.type("s")
        terminal.until("recording: episode_0001  1")
        terminal.kill()
        killed_s = time.time()
    assert not (tmp_path / "episode_0001" / "metadata.yaml").exists()
    with Terminal(*arguments) as terminal:
        terminal.until("episode_0001 was cut short; it is whole now")
        terminal.until("q quit")
        terminal.type("s")
        terminal.until("recording: episode_0002")
        terminal.hang_up()
        terminal.status()
    stamps, marks = bag(tmp_path / "episode_0001")
    assert killed_s - stamps[-1] < 1.0  # all but the last chunk
    assert len(stamps) >= 0.8 * 50 * (stamps[-1] - stamps[0])
    assert [mark[0] for mark in marks] == [0]
    assert [mark[0] for mark in bag(tmp_path / "episode_0002")[1]] == [0, 1, 2]


def test_without_a_terminal_signals_end_it_and_an_episode_is_kept(joints, tmp_path):
    from rclpy.node import Node
    from std_srvs.srv import Trigger

    from jepa_planner.nodes.planner_node import wait_until
    from jepa_planner.nodes.running import NodeThread

    node = Node("button", namespace=f"/button{os.getpid()}")
    thread = NodeThread(node, lambda: None)
    client = node.create_client(Trigger, "record_node/start")
    command = [sys.executable, "-m", "jepa_planner.cli.main", "record", "--out", str(tmp_path), "--topics", joints]
    process = subprocess.Popen(
        [*command, "--namespace", node.get_namespace()],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert client.wait_for_service(TIMEOUT_S)
        answer = client.call_async(Trigger.Request())
        assert wait_until(answer.done, TIMEOUT_S) and answer.result().success
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=TIMEOUT_S)
        thread.stop()
    assert process.returncode == 0
    assert "no terminal" in said and "kept episode_0001, success not told" in said
    assert [mark[0] for mark in bag(tmp_path / "episode_0001")[1]] == [0, 1, 2]


def test_a_wrong_command_line_is_refused(capsys):
    assert "expected more than 0" in complaint(capsys, "record", "--keep-free", "0")
    assert "raw" in complaint(capsys, "record", "--image-transport", "theora")
    assert "namespace" in complaint(capsys, "record", "--namespace", "1 2")
