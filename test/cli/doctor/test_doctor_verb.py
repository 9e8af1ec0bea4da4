"""The verb where there is no ROS, and its names against those of the nodes."""

import json
import subprocess
import sys

from made_up_system import SETTINGS

from jepa_planner.cli import main as cli
from jepa_planner.cli.doctor.names import uses

WITHOUT_ROS = """
import sys
sys.modules["rclpy"] = None
from jepa_planner.cli.main import main
sys.exit(main(["doctor", "--json"]))
"""


def test_without_ros_the_machine_and_the_model_are_looked_at():
    ended = subprocess.run([sys.executable, "-c", WITHOUT_ROS], capture_output=True, text=True, timeout=200)
    assert ended.returncode == 1, ended.stderr
    found = json.loads(ended.stdout)
    (ros,) = [finding for finding in found["findings"] if finding["group"] == "ros"]
    assert ros["level"] == "red" and "source a ROS 2 workspace" in ros["do"]
    assert {finding["about"] for finding in found["findings"]} >= {"python", "packages", "memory", "dry run"}


def test_what_run_refuses_doctor_refuses(capsys):
    for arguments, words in (
        (["--params-file", "/nope.yaml"], "/nope.yaml"),
        (["--remap", "joint_sates:=/a"], "did you mean joint_states?"),
        (["--namespace", "1left"], "namespace"),
        (["--seconds", "0"], "expected more than 0"),
    ):
        try:
            assert cli.main(["doctor", *arguments]) == 2
        except SystemExit as ended:
            assert ended.code == 2
        assert words in capsys.readouterr().err


def test_the_names_are_those_that_the_nodes_use(ros):
    from rclpy.node import Node

    from jepa_planner.nodes.arm_node import ArmNode

    node = ArmNode(namespace="/names")
    try:
        node.trigger_configure()
        nodes = Node.get_node_names_and_namespaces(node)
        assert ("arm_node", "/names") in nodes
        sent = dict(node.get_publisher_names_and_types_by_node("arm_node", "/names"))
        heard = dict(node.get_subscriber_names_and_types_by_node("arm_node", "/names"))
        mine = [use for use in uses(SETTINGS, ("front", "side"), "names") if use.node == "arm_node"]
        assert len(mine) == 4
        for use in mine:
            assert use.type in (sent if use.sends else heard)[use.topic], use
    finally:
        node.destroy_node()
