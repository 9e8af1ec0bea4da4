"""The verb where there is no ROS, and its names against those of the nodes."""

import json
import subprocess
import sys

import pytest
from made_up_system import SETTINGS
from rclpy.parameter import Parameter

from jepa_planner.cli import main as cli
from jepa_planner.cli.doctor.names import ARM, GRIPPER, uses
from jepa_planner.nodes.arm_node import ArmNode
from jepa_planner.nodes.outputs import choice

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


@pytest.mark.parametrize(
    ("output", "gripper_output"),
    zip(choice.ARM_OUTPUTS, [*choice.GRIPPER_OUTPUTS[1:], "joint_trajectory"], strict=False),
)
def test_the_names_are_those_that_the_nodes_use(ros, output, gripper_output):
    pytest.importorskip("control_msgs")
    given = {"output": output, "gripper_output": gripper_output}
    node = ArmNode(namespace="/names", parameter_overrides=[Parameter(name, value=v) for name, v in given.items()])
    try:
        node.trigger_configure()
        heard = dict(node.get_subscriber_names_and_types_by_node("arm_node", "/names"))
        settings = {**SETTINGS, "arm_node": {**SETTINGS["arm_node"], **given}}
        mine = [use for use in uses(settings, ("front", "side"), "names") if use.node == "arm_node"]
        assert {use.topic: use.type for use in mine if not use.sends}.items() <= {
            n: t[0] for n, t in heard.items()
        }.items()
        sent = [(use.topic, use.type, use.is_action) for use in mine if use.commands]
        outputs = [node._arm, *([] if gripper_output == "none" else [node._gripper])]
        assert sent == [(each.name, each.type_name, each.is_action) for each in outputs]
    finally:
        node.destroy_node()


def test_every_output_has_its_name():
    assert tuple(ARM) == choice.ARM_OUTPUTS and {*GRIPPER, choice.NO_GRIPPER} == set(choice.GRIPPER_OUTPUTS)
