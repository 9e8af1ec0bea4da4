"""Arms and frames that are not the shipped ones: the flange of a Panda, and an arm of six joints."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jepa_planner.control.kinematics import ArmKinematics, rpy_from_rotation
from jepa_planner.control.limits import SafetyLimits, shipped_config
from jepa_planner.control.setpoint_stream import SetpointStream

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


def test_an_arm_of_other_than_six_or_seven_joints_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has 4 movable joints; expected an arm of 6 or 7"):
        ArmKinematics(arm_of(tmp_path, 4), "link4")
