"""The arm of arm_node: by its limits file, by parameters, and by the topic robot_description."""

import threading
import time

import numpy as np
import pytest
import yaml
from harness import HOME_RAD, KINEMATICS
from jepa_planner.msg import ArmState
from rclpy.qos import QoSProfile
from std_msgs.msg import String

from jepa_planner.control.limits import shipped_config
from jepa_planner.nodes import qos
from jepa_planner.nodes.arm_node import ArmNode
from jepa_planner.nodes.start import Start

PANDA = shipped_config("panda.urdf").read_text()
WAIT_S = {"robot_description_timeout_s": 10.0}


@pytest.fixture
def limits(tmp_path):
    """Writes a limits file: the shipped one with changes; None takes a field away."""

    def written(**changes: object) -> str:
        plain = yaml.safe_load(shipped_config("panda_limits.yaml").read_text())
        plain |= {"robot_description": str(shipped_config("panda.urdf")), **changes}
        plain = {name: value for name, value in plain.items() if value is not None}
        (tmp_path / "limits.yaml").write_text(yaml.safe_dump(plain))
        return str(tmp_path / "limits.yaml")

    return written


def described_by(rig, text: str, quality: QoSProfile = qos.LATCHED):
    publisher = rig.robot.create_publisher(String, "robot_description", quality)
    publisher.publish(String(data=text))
    return publisher


def refused(rig, limits_file: str, **parameters: object) -> str:
    node = ArmNode(**rig.options(limits_file=limits_file, **parameters))
    node.trigger_configure()
    failure = node.failure
    node.destroy_node()
    return failure


def test_a_description_that_was_published_before_is_heard(rig, limits):
    described_by(rig, PANDA)
    rig.arm(limits_file=limits(robot_description="topic"), **WAIT_S)
    rig.until(rig.holding)
    rig.send_plan(1)
    rig.until(lambda: rig.state().plan_id == 1 and not rig.state().moving)


def test_a_description_that_comes_while_it_is_waited_for_is_heard(rig, limits):
    late = threading.Timer(0.5, described_by, (rig, PANDA))
    late.start()
    rig.arm(limits_file=limits(robot_description="topic"), **WAIT_S)
    late.join()
    rig.until(rig.holding)


def test_a_description_that_never_comes_is_refused_and_who_publishes_it_named(rig, limits):
    began_s = time.monotonic()
    words = refused(rig, limits(robot_description="topic"), robot_description_timeout_s=0.3)
    assert f"nothing came on {rig.namespace}/robot_description within 0.3 s; nobody publishes it" in words
    assert "start robot_state_publisher" in words
    assert time.monotonic() - began_s < 5.0


def test_a_description_that_is_not_latched_is_told_apart_from_none(rig, limits):
    described_by(rig, PANDA, qos.STREAM)
    words = refused(rig, limits(robot_description="topic"), robot_description_timeout_s=1.0)
    assert "its publisher does not latch it (transient local)" in words


def test_a_description_that_describes_no_arm_is_refused_by_its_topic(rig, limits):
    described_by(rig, PANDA.replace("panda_joint3", "panda_joint2").replace('velocity="2.175"', 'velocity="0"'))
    words = refused(rig, limits(robot_description="topic"), **WAIT_S)
    assert f"{rig.namespace}/robot_description: joint panda_joint1 has the velocity limit 0 rad/s" in words


def test_an_arm_whose_description_changes_stops_and_says_so_but_what_is_no_part_of_it_may_change(rig, limits):
    publisher = described_by(rig, PANDA)
    rig.arm(limits_file=limits(robot_description="topic"), **WAIT_S)
    rig.until(rig.holding)
    publisher.publish(String(data=PANDA.replace("</robot>", '<link name="lamp"/></robot>')))
    time.sleep(0.3)
    assert rig.state().mode == ArmState.MODE_HOLDING
    publisher.publish(String(data=PANDA.replace('xyz="0 0 0.1034"', 'xyz="0 0 0.2034"')))
    rig.until(lambda: rig.state().mode == ArmState.MODE_STOPPED)
    assert "robot_description describes has changed: configure arm_node anew" in rig.state().reason


def test_a_driver_s_names_are_those_of_joint_states_and_of_commands(rig, limits):
    drivers = {f"fr3_{number}": f"panda_joint{number}" for number in range(1, 8)}
    rig.robot.joint_names = [*drivers, "left_panda_finger_joint1", "left_panda_finger_joint2"]
    rig.arm(limits_file=limits(joints=drivers, joint_prefix="left_"))
    rig.until(rig.holding)
    rig.send_plan(1)
    rig.until(lambda: rig.state().plan_id == 1 and not rig.state().moving)
    assert tuple(rig.robot.commands[-1].joint_names) == tuple(drivers)
    rig.send_plan(2, (0.0, 0.0, -0.02), gripper_closure=[1.0])
    rig.until(lambda: rig.robot.grippers)
    assert rig.robot.grippers[-1].joint_names == ["left_panda_finger_joint1"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"joints": {"a": "panda_joint1", "b": "panda_joint1"}},
            "joints: a, b all stand for panda_joint1; expected one name for each joint",
        ),
        (
            {"joints": {"a": "panda_joint9"}},
            "joints: a stands for panda_joint9, which the description has not",
        ),
        ({"joints": {"a": "panda_joint1"}}, "joints lacks panda_joint2, panda_joint3"),
        (
            {"joints": {"p_panda_joint2": "panda_joint1"}, "joint_prefix": "p_"},
            "joints: p_panda_joint2 would be the name of more than one joint",
        ),
        ({"joints": ["panda_joint1"]}, "joints is ['panda_joint1']: expected names, each with its own"),
        ({"joint_prefix": 7}, "joint_prefix is 7: expected a text"),
        ({"base_frame": "base_link"}, "has no frame 'base_link'; its frames are panda_link0"),
        ({"base_frame": "panda_joint1"}, "base_frame 'panda_joint1' is a joint; expected a link, as 'panda_link1'"),
        ({"gripper_open": None}, "gripper_joints without gripper_open and gripper_closed"),
        ({"gripper_joints": None}, "gripper_open, gripper_closed without gripper_joints"),
        ({"gripper_closed": 0.04}, "gripper_open and gripper_closed are both 0.04; expected two positions"),
        ({"gripper_joints": ["panda_joint7"]}, "gripper_joints panda_joint7 lie before tcp_frame 'tcp'"),
        ({"gripper_joints": ["f", "f"]}, "gripper_joints names f twice"),
        ({"gripper_joints": "f"}, "gripper_joints is 'f': expected a list of joint names"),
        ({"xacro_arguments": {"arm_id": "left"}}, "panda.urdf is no xacro file: it takes no arm_id"),
        ({"robot_description": "topic", "xacro_arguments": {"a": "b"}}, "xacro_arguments are for a file"),
    ],
)
def test_names_that_do_not_fit_the_arm_are_refused(rig, limits, changes, words):
    assert words in refused(rig, limits(**changes))


def test_parameters_of_the_gripper_win_where_they_are_typed(rig, limits):
    file = limits(gripper_joints=["knuckle"], gripper_open=0.0, gripper_closed=0.8)
    assert described(rig, file).gripper.joints == ("knuckle",)
    typed = described(rig, file, gripper_closed=0.02).gripper
    assert (typed.joints, typed.open, typed.closed) == (("panda_finger_joint1", "panda_finger_joint2"), 0.04, 0.02)
    silent = described(rig, limits(gripper_joints=None, gripper_open=None, gripper_closed=None)).gripper
    assert silent.joints == ("panda_finger_joint1", "panda_finger_joint2")


def described(rig, file: str, **parameters: object):
    from jepa_planner.nodes.description import described_arm

    node = ArmNode(**rig.options(limits_file=file, **parameters))
    try:
        return described_arm(node, node.parameters)
    finally:
        node.destroy_node()


def test_a_base_frame_is_the_limits_file_s_unless_one_is_typed_that_is_the_same_place(rig, limits):
    assert described(rig, limits()).base_frame == "panda_link0"
    assert described(rig, limits(), base_frame="cell_base").base_frame == "cell_base"
    assert "base_frame 'panda_link3' is not the frame" in refused(rig, limits(), base_frame="panda_link3")


def test_an_arm_without_a_gripper_needs_no_fingers_in_joint_states_and_commands_none(rig, limits):
    rig.robot.joint_names = [*KINEMATICS.joint_names, "lamp", "fan"]
    rig.arm(limits_file=limits(gripper_joints=[], gripper_open=None, gripper_closed=None))
    rig.until(rig.holding)
    rig.send_plan(1, gripper_closure=[1.0])
    rig.until(lambda: rig.state().plan_id == 1 and not rig.state().moving)
    rig.commands_settle()
    assert rig.robot.grippers == []
    assert rig.state().closure_measured == 0.0
    assert not np.allclose(rig.robot.q_rad, HOME_RAD)


XACRO = """<robot xmlns:xacro="http://www.ros.org/wiki/xacro" name="arm"><xacro:arg name="arm_id" default="panda"/>
<xacro:macro name="arm" params="id">{body}</xacro:macro><xacro:arm id="$(arg arm_id)"/></robot>"""


def test_a_xacro_file_is_expanded_with_its_arguments_and_checked_before_anything_starts(rig, limits, tmp_path):
    body = PANDA.split('<robot name="panda">')[1].replace("</robot>", "").replace("panda_", "${id}_")
    (tmp_path / "arm.urdf.xacro").write_text(XACRO.replace("{body}", body))
    names = {
        "robot_description": "arm.urdf.xacro", "xacro_arguments": {"arm_id": "left"}, "base_frame": "left_link0",
        "gripper_joints": ["left_finger_joint1"],
    }  # fmt: skip
    found = described(rig, limits(**names))
    assert found.joints == tuple(f"left_joint{number}" for number in range(1, 8))
    assert found.base_frame == "left_link0"
    typed = {"limits_file": limits(**names)}
    Start.of(False, typed=typed)
    (tmp_path / "arm.urdf.xacro").write_text("<robot><xacro:arm/></robot>")
    with pytest.raises(ValueError, match=r"arm\.urdf\.xacro cannot be expanded with arm_id:=left"):
        Start.of(False, typed=typed)
