"""Arms and frames that are not the shipped ones: the flange of a Panda, arms of five and six joints."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jepa_planner.control.kinematics import (
    ArmKinematics,
    rotation_from_rpy,
    rotation_from_vector,
    rotation_vector,
    rpy_from_rotation,
)
from jepa_planner.control.limits import SafetyLimits, shipped_config
from jepa_planner.control.setpoint_stream import SetpointStream
from jepa_planner.control.trajectory_validation import UnreachableError

POSTURE_RAD = np.array(SafetyLimits.panda().posture_rad)
FINGER_TIPS_M = 0.1034
SIX_JOINTS = (  # offset (m), roll (rad): shoulder, upper arm, forearm and a wrist like those of small industrial arms
    ((0.0, 0.0, 0.16), 0.0), ((0.0, 0.0, 0.0), np.pi / 2), ((-0.425, 0.0, 0.0), 0.0), ((-0.39, 0.0, 0.13), 0.0),
    ((0.0, -0.10, 0.0), np.pi / 2), ((0.0, 0.10, 0.0), -np.pi / 2),
)  # fmt: skip
BENT_RAD = np.array([0.3, -1.4, 1.9, -2.0, -1.5, 0.2])
STEP_M = np.array([0.03, -0.02, 0.04])


def arm_of(tmp_path: Path, joints: int) -> Path:
    lines = ['<robot name="arm">', '<link name="link0"/>']
    for number, (xyz, roll) in enumerate(SIX_JOINTS[:joints], start=1):
        lines.append(
            f'<link name="link{number}"/><joint name="joint{number}" type="revolute">'
            f'<origin xyz="{xyz[0]} {xyz[1]} {xyz[2]}" rpy="{roll} 0 0"/><parent link="link{number - 1}"/>'
            f'<child link="link{number}"/><axis xyz="0 0 1"/>'
            '<limit lower="-6.28" upper="6.28" velocity="3.14" effort="50"/></joint>'
        )
    (tmp_path / "arm.urdf").write_text("\n".join([*lines, "</robot>"]))
    return tmp_path / "arm.urdf"


def test_the_flange_of_the_panda_lies_behind_its_finger_tips_and_looks_down():
    urdf = shipped_config("panda.urdf")
    tips, _ = ArmKinematics(urdf, "tcp").tcp_pose(POSTURE_RAD)
    flange, rotation = ArmKinematics(urdf, "panda_link8").tcp_pose(POSTURE_RAD)
    np.testing.assert_allclose(flange - tips, -FINGER_TIPS_M * rotation[:, 2], atol=1e-9)
    assert abs(abs(rpy_from_rotation(rotation)[0]) - np.pi) < 0.05


def test_the_flange_limits_keep_the_finger_tips_above_the_table():
    limits = SafetyLimits.load(shipped_config("panda_flange_limits.yaml"))
    assert limits.tcp_frame == "panda_link8"
    assert limits.workspace_min_m[2] - FINGER_TIPS_M >= SafetyLimits.panda().workspace_min_m[2]
    assert limits.linear_velocity_m_s <= 0.1


def test_inverse_kinematics_finds_the_way_back_for_an_arm_of_six_joints(tmp_path):
    arm = ArmKinematics(arm_of(tmp_path, 6), "link6")
    xyz, rotation = arm.tcp_pose(BENT_RAD)
    found = arm.inverse(xyz + STEP_M, rotation, BENT_RAD)
    reached, turned = arm.tcp_pose(found)
    np.testing.assert_allclose(reached, xyz + STEP_M, atol=1e-4)
    np.testing.assert_allclose(turned, rotation, atol=1e-4)


def test_setpoints_stream_to_an_arm_of_six_joints(tmp_path):
    arm = ArmKinematics(arm_of(tmp_path, 6), "link6")
    start, rotation = arm.tcp_pose(BENT_RAD)
    box = {"workspace_min_m": tuple(start - 0.3), "workspace_max_m": tuple(start + 0.3)}
    stream = SetpointStream(arm, replace(SafetyLimits.panda(), **box))
    stream.reset(BENT_RAD, 0.0)
    stream.follow(start + STEP_M, rotation, 0.0)
    setpoints = [stream.tick() for _ in range(100)]
    assert len(setpoints[-1].q_rad) == 6 and not setpoints[-1].moving
    np.testing.assert_allclose(arm.tcp_pose(setpoints[-1].q_rad)[0], start + STEP_M, atol=1e-4)


def seven_joints(tmp_path: Path, posture_rad=None) -> ArmKinematics:
    """The Panda's shape under another name."""
    text = shipped_config("panda.urdf").read_text().replace("panda_", "other_")
    (tmp_path / "other.urdf").write_text(text)
    return ArmKinematics(tmp_path / "other.urdf", "tcp", 0.05, posture_rad)


def test_another_arm_of_seven_joints_is_pulled_to_its_own_posture_or_nowhere(tmp_path):
    swivelled = POSTURE_RAD + 0.3 * np.array([1, 0, -1, 0, 0, 0, 0])
    plain, posed = seven_joints(tmp_path), seven_joints(tmp_path, swivelled)
    pose = plain.tcp_pose(swivelled)
    for arm in (plain, posed):
        q = swivelled
        for _ in range(100):
            q, _ = arm.inverse_step(*pose, q)
        np.testing.assert_allclose(q, swivelled, atol=1e-9)
    q = plain.inverse(*pose, POSTURE_RAD)
    for _ in range(400):
        q, _ = posed.inverse_step(*pose, q)
    np.testing.assert_allclose(q, swivelled, atol=0.02)


@pytest.mark.parametrize(
    ("posture", "words"),
    [
        (POSTURE_RAD[:6], "posture_rad has 6 positions, expected one for each of other_joint1, "),
        (POSTURE_RAD + 3.0 * np.eye(7)[3], "in posture_rad, other_joint4 is .* beyond its margin .*limit -0.0698"),
        (POSTURE_RAD * np.nan, "in posture_rad, "),
    ],
)
def test_a_posture_that_is_none_of_this_arm_is_refused(tmp_path, posture, words):
    with pytest.raises(ValueError, match=words):
        seven_joints(tmp_path, posture)


def test_an_arm_of_too_few_joints_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has 4 movable joints; expected an arm of 5 to 7"):
        ArmKinematics(arm_of(tmp_path, 4), "link4")


DOWN_RAD = np.array([0.2, 0.5, 1.4, np.pi - 1.9, -2.5])
"""Of the arm of five joints: its tool points down."""


def five_joints(tmp_path: Path) -> ArmKinematics:
    """A turning base, three joints in one vertical plane, and a wrist that turns the tool about its own axis."""
    joints = (("0 0 0.1", "0 0 1"), ("0 0 0.05", "0 1 0"), ("0 0 0.25", "0 1 0"), ("0 0 0.25", "0 1 0"),
              ("0 0 0.06", "0 0 1"))  # fmt: skip
    lines = ['<robot name="five"><link name="link0"/>']
    for number, (xyz, axis) in enumerate(joints, start=1):
        lines.append(
            f'<link name="link{number}"/><joint name="joint{number}" type="revolute"><origin xyz="{xyz}"/>'
            f'<parent link="link{number - 1}"/><child link="link{number}"/><axis xyz="{axis}"/>'
            '<limit lower="-3.1" upper="3.1" velocity="3.14" effort="50"/></joint>'
        )
    lines.append(
        '<link name="tool0"/><joint name="tool" type="fixed"><origin xyz="0 0 0.08"/><parent link="link5"/>'
        '<child link="tool0"/></joint></robot>'
    )
    (tmp_path / "five.urdf").write_text("\n".join(lines))
    return ArmKinematics(tmp_path / "five.urdf", "tool0")


def streamed(arm: ArmKinematics, q_rad: np.ndarray, **changes) -> SetpointStream:
    start, _ = arm.tcp_pose(q_rad)
    box = {"workspace_min_m": tuple(start - 0.3), "workspace_max_m": tuple(start + 0.3)}
    limits = replace(SafetyLimits.panda(), **{**box, "workspace_yaw_rad": (-np.pi, np.pi), **changes})
    stream = SetpointStream(arm, limits)
    stream.reset(q_rad, 0.0)
    return stream


def at_rest(stream: SetpointStream) -> np.ndarray:
    """Where the joints come to rest, their speeds within limits on the way."""
    setpoints = stream.way()
    limit = stream._kinematics.velocity_rad_s * stream.limits.joint_velocity_scale
    assert all(np.all(np.abs(setpoint.dq_rad_s) <= limit + 1e-9) for setpoint in setpoints)
    assert not setpoints[-1].moving
    return setpoints[-1].q_rad


def test_an_arm_of_five_joints_whose_tool_points_down_goes_anywhere_and_turns_about_the_vertical(tmp_path):
    arm = five_joints(tmp_path)
    start, rotation = arm.tcp_pose(DOWN_RAD)
    assert rotation[2, 2] < -0.9999
    turned = rotation_from_rpy(np.array([0.0, 0.0, 0.3])) @ rotation
    stream = streamed(arm, DOWN_RAD)
    stream.follow(start + STEP_M, turned, 0.0)
    reached_m, reached = arm.tcp_pose(at_rest(stream))
    np.testing.assert_allclose(reached_m, start + STEP_M, atol=1e-4)
    np.testing.assert_allclose(reached, turned, atol=1e-3)


def test_a_tilt_that_five_joints_cannot_give_is_not_commanded(tmp_path):
    arm = five_joints(tmp_path)
    start, rotation = arm.tcp_pose(DOWN_RAD)
    outward = np.array([np.cos(DOWN_RAD[0]), np.sin(DOWN_RAD[0]), 0.0])
    stream = streamed(arm, DOWN_RAD)
    stream.follow(start + STEP_M * [0, 0, 1], rotation_from_vector(0.2 * outward) @ rotation, 0.0)
    reached_m, reached = arm.tcp_pose(at_rest(stream))
    np.testing.assert_allclose(reached_m, start + STEP_M * [0, 0, 1], atol=1e-4)
    np.testing.assert_allclose(reached, rotation, atol=5e-3)


@pytest.mark.parametrize("way_m", [(0.0, 0.06, 0.0), (0.04, -0.05, 0.03)])
def test_a_tilted_tool_on_five_joints_turns_with_the_arm_and_arrives_where_it_was_told_to(tmp_path, way_m):
    arm, tilted = five_joints(tmp_path), DOWN_RAD - [0, 0, 0, 0.35, 0]
    start, rotation = arm.tcp_pose(tilted)
    stream = streamed(arm, tilted)
    target = stream.clip(start + way_m, rotation, 0.0)
    again = stream.clip(target.xyz_m, target.rotation, 0.0)
    np.testing.assert_allclose(again.rotation, target.rotation, atol=1e-5)
    stream.follow(start + way_m, rotation, 0.0)
    reached_m, reached = arm.tcp_pose(at_rest(stream))
    np.testing.assert_allclose(reached_m, start + way_m, atol=1e-4)
    np.testing.assert_allclose(reached, target.rotation, atol=2e-3)
    assert 0.01 < np.linalg.norm(rotation_vector(target.rotation @ rotation.T)) < 0.1


def test_arms_of_more_joints_are_asked_for_what_was_asked(tmp_path):
    arm = ArmKinematics(arm_of(tmp_path, 6), "link6")
    start, rotation = arm.tcp_pose(BENT_RAD)
    assert arm.nearest_rotation(start, rotation, BENT_RAD) is rotation


def test_five_joints_that_would_turn_the_tool_out_of_its_bounds_do_not_go_there(tmp_path):
    arm, tilted = five_joints(tmp_path), DOWN_RAD - [0, 0, 0, 0.7, 0]
    start, rotation = arm.tcp_pose(tilted)
    yaw_rad = rpy_from_rotation(rotation)[2]
    stream = streamed(arm, tilted, workspace_yaw_rad=(yaw_rad - 0.002, yaw_rad + 0.002))
    with pytest.raises(UnreachableError, match=r"rad beyond workspace_yaw_rad: widen it"):
        stream.follow(start + np.array([0.0, 0.06, 0.0]), rotation, 0.0)
