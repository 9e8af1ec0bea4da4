"""Robot descriptions of the field: taken where they can be driven, else refused with the joint and the number."""

from pathlib import Path

import numpy as np
import pytest

from jepa_planner.control.kinematics import ArmKinematics, rotation_from_rpy
from jepa_planner.control.limits import SafetyLimits, shipped_config
from jepa_planner.control.robot_description import RobotDescriptionError
from jepa_planner.control.setpoint_stream import SetpointStream

LIMITS = SafetyLimits.panda()
PLAIN = LIMITS.kinematics()
HOME_RAD = PLAIN.inverse(np.array([0.5, 0.0, 0.15]), np.eye(3), LIMITS.posture_rad)
PANDA = shipped_config("panda.urdf").read_text()
THIRD = '<limit lower="-2.8973" upper="2.8973" velocity="2.175" effort="87"/>'
FINGERS = """
  <link name="left_finger"/><link name="right_finger"/>
  <joint name="left" type="prismatic"><parent link="panda_hand"/><child link="left_finger"/>
    <axis xyz="0 1 0"/><limit lower="0" upper="0.04" velocity="0.2" effort="20"/></joint>
  <joint name="right" type="prismatic"><parent link="panda_hand"/><child link="right_finger"/>
    <axis xyz="0 -1 0"/><limit lower="0" upper="0.04" velocity="0.2" effort="20"/><mimic joint="left"/></joint>
</robot>"""
KNUCKLE = """
  <link name="finger"/>
  <joint name="knuckle" type="revolute"><parent link="panda_hand"/><child link="finger"/>
    <axis xyz="1 0 0"/><limit lower="0" upper="0.8" velocity="2" effort="20"/></joint>
</robot>"""


def described(folder: Path, text: str, tcp_frame: str = "tcp", margin_rad: float = 0.05) -> ArmKinematics:
    (folder / "arm.urdf").write_text(text)
    return ArmKinematics(folder / "arm.urdf", tcp_frame, margin_rad, LIMITS.posture_rad)


def joint(number: int, old: str, new: str) -> str:
    """The Panda's description with one of its joints changed."""
    head, name, tail = PANDA.partition(f'<joint name="panda_joint{number}"')
    body, end, rest = tail.partition("</joint>")
    assert old in body
    return head + name + body.replace(old, new, 1) + end + rest


@pytest.mark.parametrize(
    ("number", "old", "new", "words"),
    [
        (3, 'velocity="2.175"', 'velocity="0"', "joint3 has the velocity limit 0 rad/s, expected a number above 0"),
        (3, 'velocity="2.175"', 'velocity="-2"', "panda_joint3 has the velocity limit -2 rad/s, expected"),
        (3, 'velocity="2.175"', 'velocity="nan"', "panda_joint3 has the velocity limit nan"),
        (3, 'velocity="2.175"', 'velocity="inf"', "panda_joint3 has the velocity limit inf"),
        (3, 'velocity="2.175"', 'velocity="${v}"', "panda_joint3 has velocity='${v}' in its <limit>, expected"),
        (3, 'velocity="2.175"', "", "panda_joint3 has no velocity in its <limit>"),
        (3, THIRD, "", "panda_joint3 has no <limit>"),
        (2, 'lower="-1.7628" upper="1.7628"', "", "panda_joint2 has the limits 0 to 0 rad, expected lower < upper"),
        (2, '"-1.7628" upper="1.7628"', '"1.7628" upper="-1.7628"', "joint2 has the limits 1.7628 to -1.7628 rad"),
        (2, 'lower="-1.7628"', 'lower="nan"', "panda_joint2 has the limits nan to 1.7628 rad"),
        (2, 'upper="1.7628"', 'upper="inf"', "panda_joint2 has the limits -1.7628 to inf rad"),
        (2, 'upper="1.7628"', 'upper="-1.68"', "-1.68 rad: no room between margins of 0.05 rad"),
        (5, 'type="revolute"', 'type="prismatic"', "panda_joint5 before tcp_frame 'tcp' is prismatic"),
        (5, 'type="revolute"', 'type="floating"', "panda_joint5 before tcp_frame 'tcp' is floating"),
        (5, 'type="revolute"', "", "panda_joint5 before tcp_frame 'tcp' is None"),
        (5, '<axis xyz="0 0 1"/>', '<axis xyz="0 0 0"/>', "panda_joint5 has xyz='0 0 0' in its <axis>"),
        (5, 'xyz="-0.0825 0.384 0"', 'xyz="-0.0825 nan 0"', "panda_joint5 has xyz='-0.0825 nan 0' in its <origin>"),
        (5, 'xyz="-0.0825 0.384 0"', 'xyz="-0.0825 0.384"', "panda_joint5 has xyz='-0.0825 0.384' in its <origin>"),
        (5, "<axis", '<mimic joint="panda_joint4"/><axis', "panda_joint4 before tcp_frame 'tcp' is coupled to another"),
        (1, 'parent link="panda_link0"', 'parent link="tcp"', "hangs on itself"),
    ],
)  # fmt: skip
def test_a_joint_that_cannot_be_driven_is_refused_by_name_with_what_was_found(tmp_path, number, old, new, words):
    with pytest.raises(RobotDescriptionError) as refusal:
        described(tmp_path, joint(number, old, new))
    assert words in str(refusal.value) and "arm.urdf" in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot read the robot description"),
        ("<robot", "cannot read the robot description"),
        ("<sdf/>", "holds <sdf>, expected a robot description"),
        (
            '<robot xmlns:xacro="http://www.ros.org/wiki/xacro"><xacro:arm/></robot>',
            "XacroException: unknown macro name: xacro:arm",
        ),
        ('<robot name="none"/>', "has no frame 'tcp'"),
        ('<robot name="none"><link name="tcp"/></robot>', "has 0 movable joints; expected an arm of 5 to 7"),
    ],
)
def test_a_file_that_describes_no_arm_is_refused(tmp_path, text, words):
    with pytest.raises(RobotDescriptionError) as refusal:
        described(tmp_path, text)
    assert words in str(refusal.value) and "arm.urdf" in str(refusal.value)


def test_limits_that_are_no_matter_may_be_missing(tmp_path):
    described(tmp_path, PANDA.replace(' effort="87"', ""))


@pytest.mark.parametrize("turns", [-2, 0, 3])
def test_a_continuous_joint_is_driven_like_any_other_from_any_number_of_turns(tmp_path, turns):
    text = joint(1, 'type="revolute"', 'type="continuous"').replace('lower="-2.8973" upper="2.8973" ', "", 1)
    arm = described(tmp_path, text)
    turned_rad = 2 * np.pi * turns * np.eye(7)[0]
    assert arm.upper_rad[0] == np.inf and arm.lower_rad[0] == -np.inf
    sent = []
    for kinematics, start_rad in ((PLAIN, HOME_RAD), (arm, HOME_RAD + turned_rad)):
        stream = SetpointStream(kinematics, LIMITS)
        stream.reset(start_rad, 0.0)
        stream.move_by([0.03, -0.05, 0.02, 0.0, 0.0, 0.1, 0.0], 0.22)
        sent.append(np.array([stream.tick().q_rad for _ in range(30)]) - start_rad)
    np.testing.assert_allclose(sent[1], sent[0], atol=1e-9)


def test_a_continuous_joint_has_no_limit_to_slow_down_at(tmp_path):
    arm = described(tmp_path, joint(7, 'type="revolute"', 'type="continuous"'))
    stream = SetpointStream(arm, LIMITS)
    stream.reset(HOME_RAD + (4.0 - HOME_RAD[6]) * np.eye(7)[6], 0.0)
    xyz, rotation = stream.pose()
    stream.follow(xyz, rotation_from_rpy([0.0, 0.0, 0.1]) @ rotation, 0.0)
    last = [stream.tick() for _ in range(60)][-1]
    assert not last.moving
    np.testing.assert_allclose(arm.tcp_pose(last.q_rad)[1], last.rotation, atol=1e-3)


@pytest.mark.parametrize("hand", [FINGERS, KNUCKLE])
def test_fingers_beside_the_tcp_are_no_joints_of_the_arm(tmp_path, hand):
    arm = described(tmp_path, PANDA.replace("</robot>", hand))
    assert arm.joint_names == PLAIN.joint_names
    np.testing.assert_array_equal(arm.tcp_pose(HOME_RAD)[0], PLAIN.tcp_pose(HOME_RAD)[0])
    assert arm.loose_joints == (("knuckle",) if hand is KNUCKLE else ())


@pytest.mark.parametrize(
    ("hand", "tcp_frame", "words"),
    [
        (FINGERS, "left_finger", "joint left before tcp_frame 'left_finger' is prismatic"),
        (KNUCKLE, "finger", "has 8 movable joints; expected an arm of 5 to 7 between its root 'panda_link0' and"),
        ("</robot>", "panda_joint7", "tcp_frame 'panda_joint7' is a joint; expected a link, as 'panda_link7'"),
        ("</robot>", "panda_link4", "has 4 movable joints; expected an arm of 5 to 7"),
    ],
)
def test_a_tcp_that_no_arm_carries_is_refused(tmp_path, hand, tcp_frame, words):
    with pytest.raises(RobotDescriptionError) as refusal:
        described(tmp_path, PANDA.replace("</robot>", hand), tcp_frame)
    assert words in str(refusal.value)


def test_a_joint_that_turns_behind_the_tcp_is_named(tmp_path):
    assert ArmKinematics(LIMITS.robot_description, "panda_link6").loose_joints == ("panda_joint7",)


def test_a_base_frame_that_is_not_where_poses_are_is_refused(tmp_path):
    text = PANDA.replace(
        "</robot>",
        '<link name="world"/><joint name="stand" type="fixed"><origin xyz="0 0 0.8" rpy="0 0 0"/><parent link="world"/>'
        '<child link="panda_link0"/></joint><link name="floor"/><joint name="on_floor" type="fixed">'
        '<parent link="world"/><child link="floor"/></joint></robot>',
    )
    arm = described(tmp_path, text)
    for name in ("world", "floor", "a_frame_of_tf_alone"):
        arm.check_base_frame(name)
    with pytest.raises(ValueError, match=r"base_frame 'panda_link0' is not the frame .* expected world or floor"):
        arm.check_base_frame("panda_link0")
