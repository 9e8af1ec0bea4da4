from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from made_up_system import SETTINGS, levels, told
from small_models import small_contract

from jepa_planner.cli.doctor import arm, model, plan
from jepa_planner.cli.doctor.findings import Level
from jepa_planner.control.gripper import Gripper
from jepa_planner.control.limits import shipped_config
from jepa_planner.planning.offline_plan import OfflinePlan

GREEN, YELLOW, RED = Level
_, PANDA = arm.load(SETTINGS["arm_node"])
HOME = dict(zip(arm.names(PANDA), [*PANDA.limits.posture_rad, 0.04, 0.04], strict=True))
NAMES = list(HOME)


def message(**positions: float) -> SimpleNamespace:
    return SimpleNamespace(name=list(positions), position=list(positions.values()))


def renamed(start: str) -> SimpleNamespace:
    return message(**{name.replace("panda_joint", start): value for name, value in HOME.items()})


ARM_ALONE = message(**{name: HOME[name] for name in NAMES[:7]})
HAND_ALONE = message(**{name: HOME[name] for name in NAMES[7:]})


def test_a_whole_joint_state_is_green_and_gives_positions():
    findings, positions = arm.joint_states(PANDA, [message(**HOME)])
    assert levels(findings) == {GREEN} and positions == HOME
    assert arm.joint_states(PANDA, []) == ([], None)


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        (
            [renamed("fr3_joint")],
            "they all begin with fr3_joint where the description says panda_joint -> say so in the limits file, ",
        ),
        ([renamed("left_panda_joint")], "say so in the limits file, joint_prefix: left_"),
        ([ARM_ALONE], "joint states lack panda_finger_joint1, panda_finger_joint2"),
        ([ARM_ALONE, HAND_ALONE], "arm and finger joints come in different messages"),
        ([message(a=1.0)], "take the robot description of this arm"),
        ([SimpleNamespace(name=[*NAMES, NAMES[0]], position=[0.0] * 10)], "hold panda_joint1 more than once"),
        ([SimpleNamespace(name=NAMES, position=[])], "9 names and 0 positions"),
        ([message(**HOME | {"panda_joint2": float("nan")})], "panda_joint2 is not finite"),
        ([message(**HOME | {"panda_joint4": -150.0})], "panda_joint4 is at -150.0: in degrees?"),
    ],
)
def test_what_is_wrong_with_joint_states_is_named(messages, words):
    findings, positions = arm.joint_states(PANDA, messages)
    assert words in told(findings, RED) and positions is None


def test_a_second_kind_of_joint_states_is_told_while_one_is_whole():
    findings, positions = arm.joint_states(PANDA, [message(**HOME), HAND_ALONE])
    assert "joint states of 2 kinds come; not all are whole" in told(findings, YELLOW) and positions == HOME


@pytest.mark.parametrize(("finger", "level"), [(0.02, GREEN), (0.045, YELLOW), (40.0, RED), (-0.1, RED)])
def test_a_gripper_is_between_its_ends(finger, level):
    assert arm.gripper(PANDA, HOME | dict.fromkeys(PANDA.gripper.joints, finger)).level is level


@pytest.mark.parametrize(
    ("joint", "at_rad", "level", "words"),
    [
        ("panda_joint4", -0.1, YELLOW, "joint margins: panda_joint4 is"),
        ("panda_joint4", 1.0, RED, "joint margins: panda_joint4 is"),
        ("panda_joint2", 1.6, RED, "workspace: the tcp is"),
    ],
)
def test_an_arm_outside_its_margins_or_its_box_is_told(joint, at_rad, level, words):
    assert words in told(arm.posture(PANDA, HOME | {joint: at_rad}), level)


def test_a_state_has_the_channels_of_the_model():
    channels = small_contract().state.channels
    state = arm.state(PANDA, HOME, channels)
    assert state.shape == (len(channels),) and state[-1] == 0.0
    assert np.allclose(state[:3], PANDA.kinematics.tcp_pose(np.array(PANDA.limits.posture_rad))[0], atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"limits_file": "/nowhere.yaml"}, "cannot read limits from /nowhere.yaml"),
        ({"base_frame": "panda_hand"}, "base_frame 'panda_hand' is not the frame"),
        ({"gripper_open": 0.0}, "gripper_open and gripper_closed are both 0"),
        ({"gripper_joints": ["panda_joint7"]}, "gripper_joints panda_joint7 lie before tcp_frame"),
    ],
)
def test_a_limits_file_that_arm_node_refuses_is_red(changes, words):
    findings, found = arm.load({**SETTINGS["arm_node"], **changes})
    assert words in told(findings, RED) and found is None


def test_a_description_whose_joints_cannot_be_driven_is_red(tmp_path):
    urdf = shipped_config("panda.urdf").read_text()
    assert 'velocity="2.175"' in urdf
    (tmp_path / "panda.urdf").write_text(urdf.replace('velocity="2.175"', 'velocity="0"'))
    (tmp_path / "limits.yaml").write_text(shipped_config("panda_limits.yaml").read_text())
    findings, _ = arm.load({**SETTINGS["arm_node"], "limits_file": str(tmp_path / "limits.yaml")})
    assert "velocity" in told(findings, RED)


def test_an_arm_that_is_described_by_a_topic_waits_for_it(tmp_path):
    lines = shipped_config("panda_limits.yaml").read_text().splitlines()
    lines = ["robot_description: topic" if line.startswith("robot_description:") else line for line in lines]
    (tmp_path / "limits.yaml").write_text("\n".join(lines))
    parameters = {**SETTINGS["arm_node"], "limits_file": str(tmp_path / "limits.yaml")}
    assert arm.limits(parameters).robot_description is None
    findings, found = arm.load(parameters)
    assert "start robot_state_publisher" in told(findings, RED) and found is None
    findings, found = arm.load(parameters, shipped_config("panda.urdf").read_text())
    assert levels(findings) == {GREEN} and found.joints == PANDA.joints


def test_an_arm_without_a_gripper_has_none_to_judge():
    bare = replace(PANDA, gripper=Gripper())
    assert arm.gripper(bare, HOME).found == "none"
    assert arm.state(bare, HOME, small_contract().state.channels)[-1] == 0.0


def test_a_bundle_that_is_not_there_and_nodes_with_different_ones_are_red():
    findings, contract = model.contract({"model": "/nowhere", "views": [""]})
    assert "/nowhere" in told(findings, RED) and contract is None
    assert model.same_everywhere(SETTINGS) == []
    mixed = {**SETTINGS, "mpc_node": SETTINGS["mpc_node"] | {"model": "other"}}
    assert "'other' for mpc_node" in told(model.same_everywhere(mixed), RED)


def test_frames_of_another_robot_are_red():
    contract = small_contract()
    assert levels(model.frames(contract, SETTINGS, "panda_link0", "tcp")) == {GREEN}
    assert "state.tcp_frame: 'tool0' given" in told(model.frames(contract, SETTINGS, "panda_link0", "tool0"), RED)
    assert "state.frame: 'base_link' given" in told(model.frames(contract, SETTINGS, "base_link", None), RED)


@pytest.mark.parametrize(
    ("size", "level", "words"),
    [
        ((64, 64), GREEN, "100%"),
        ((48, 64), YELLOW, "the middle 75% of 64 x 48 pixels; the rest is cut off left and right"),
        ((64, 48), YELLOW, "cut off above and below"),
        ((8, 8), RED, "set a larger camera resolution"),
    ],
)
def test_pictures_too_small_or_of_another_aspect_are_told(size, level, words):
    pixels = np.zeros((2, *size, 3), np.uint8)
    assert words in told(model.pictures(small_contract(), pixels), level)


@pytest.mark.parametrize(("seconds", "level"), [(0.2, GREEN), (2.0, YELLOW), (6.0, RED)])
def test_a_plan_is_judged_by_its_seconds(seconds, level):
    made = OfflinePlan(torch.zeros(2, 7), 1.0, 1.0, (0.5, 0.4), seconds)
    assert plan.verdict(made, 5.0, "to the goal").level is level
