"""`jepa-planner robot`: what is found in descriptions of many forms, and what is said about it."""

import pytest
import yaml
from robot_arms import urdf

from jepa_planner.cli.main import main
from jepa_planner.control.limits import SafetyLimits, shipped_config

PANDA = shipped_config("panda.urdf").read_text()
TORSO = """<link name="cart"/><link name="torso"/>
<joint name="wheel" type="continuous"><parent link="cart"/><child link="tyre"/></joint><link name="tyre"/>
<joint name="lift" type="prismatic"><parent link="cart"/><child link="torso"/><axis xyz="0 0 1"/>
  <limit lower="0" upper="0.4" velocity="0.1"/></joint>
<joint name="mount" type="fixed"><parent link="torso"/><child link="panda_link0"/><origin xyz="0.2 0 0.1"/></joint>
</robot>"""
TWO_JAWS = """<link name="jaw1"/><link name="jaw2"/>
<joint name="jaw_a" type="prismatic"><parent link="panda_hand"/><child link="jaw1"/><axis xyz="0 1 0"/>
  <limit lower="-0.05" upper="0" velocity="0.1"/></joint>
<joint name="jaw_b" type="prismatic"><parent link="panda_hand"/><child link="jaw2"/><axis xyz="0 -1 0"/>
  <limit lower="-0.05" upper="0" velocity="0.1"/></joint></robot>"""


@pytest.fixture
def robot(tmp_path, capsys):
    """Writes limits for a description; returns exit status, what was said, and the file's fields."""

    def ran(text: str, *arguments: str, name: str = "arm.urdf") -> tuple[int, str, dict]:
        (tmp_path / name).write_text(text)
        status = main(["robot", str(tmp_path / name), "--out", str(tmp_path / "my_arm" / "limits.yaml"), *arguments])
        said = capsys.readouterr()
        written = tmp_path / "my_arm" / "limits.yaml"
        return status, said.out + said.err, yaml.safe_load(written.read_text()) if written.is_file() else {}

    return ran


def test_a_file_that_is_there_is_let_alone(robot):
    assert robot(PANDA)[0] == 0
    status, said, _ = robot(PANDA.replace("panda", "other"))
    assert status == 2 and "limits.yaml is there already" in said and "--force" in said
    status, _, fields = robot(PANDA.replace("panda", "other"), "--force")
    assert status == 0 and fields["base_frame"] == "other_link0"


def test_the_panda_s_box_is_about_the_one_that_ships_and_what_is_not_known_is_said(robot):
    _, said, fields = robot(PANDA)
    shipped = SafetyLimits.panda()
    assert (fields["tcp_frame"], fields["base_frame"]) == ("tcp", "panda_link0")
    for name in ("workspace_min_m", "workspace_max_m"):
        assert max(abs(a - b) for a, b in zip(fields[name], getattr(shipped, name), strict=True)) < 0.05
    for words in ("the tcp is tcp, by its name", "Not known, so measure it", "the table", "no finger joint lies"):
        assert words in said
    assert fields["gripper_joints"] == []


def test_the_file_names_the_description_from_where_it_lies(robot):
    assert robot(PANDA)[2]["robot_description"] == "../arm.urdf"


def test_what_carries_the_arm_is_no_part_of_it(robot):
    status, said, fields = robot(PANDA.replace("</robot>", TORSO))
    assert status == 0, said
    assert fields["base_frame"] == "panda_link0"
    status, said, _ = robot(PANDA.replace("</robot>", TORSO), "--base", "cart", "--force")
    assert status == 2 and "joint lift before tcp_frame 'tcp' is prismatic" in said


def test_an_arm_off_the_root_may_be_described_in_the_frame_of_another_link(robot):
    _, _, fields = robot(PANDA.replace("</robot>", TORSO), "--base", "torso")
    assert fields["base_frame"] == "torso"
    low, high = fields["workspace_min_m"], fields["workspace_max_m"]
    assert low[0] > 0.5 and high[0] < 1.0 and low[2] == 0.02


@pytest.mark.soak
def test_an_arm_that_stands_high_has_its_box_high(robot):
    _, said, fields = robot(PANDA.replace("</robot>", TORSO.replace("0.2 0 0.1", "0 0 0.7")), "--base", "torso")
    assert fields["workspace_min_m"][2] > 0.1, said


@pytest.mark.parametrize(
    ("hand", "joints", "ends"),
    [
        (TWO_JAWS, ["jaw_a", "jaw_b"], (-0.05, 0.0)),
        (TWO_JAWS.replace('"jaw_b" type="prismatic"', '"jaw_b" type="continuous"'), ["jaw_a"], (-0.05, 0.0)),
    ],
)
def test_the_open_end_of_jaws_is_guessed_and_said_to_be(robot, hand, joints, ends):
    _, said, fields = robot(PANDA.replace("</robot>", hand))
    assert fields["gripper_joints"] == joints
    assert (fields["gripper_open"], fields["gripper_closed"]) == ends
    assert f"which end of {', '.join(joints)} is the open one" in said


def test_a_revolute_gripper_is_open_where_it_is_turned_least_and_what_follows_it_is_named(robot):
    _, _, fields = robot(urdf("xarm7"))
    assert (fields["gripper_open"], fields["gripper_closed"]) == (0, 0.85)
    assert fields["gripper_mimic"] == ["right_outer_knuckle_joint"]


def test_names_that_yaml_takes_for_something_else_are_written_as_names(robot):
    text = PANDA.replace('"tcp"', '"on"').replace("panda_link0", "0123")
    status, said, fields = robot(text, "--tcp", "on", "--base", "0123")
    assert status == 0, said
    assert (fields["tcp_frame"], fields["base_frame"]) == ("on", "0123")


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        (PANDA, ["--tcp", "nothing"], "has no frame 'nothing'; its frames are panda_link0"),
        (PANDA, ["--base", "nothing"], "has no frame 'nothing'; its frames are panda_link0"),
        (PANDA, ["--base", "panda_link7"], "found no chain of 5 to 7 joints that turn"),
        (PANDA, ["--tcp", "panda_link3"], "has 3 movable joints; expected an arm of 5 to 7"),
        (PANDA, ["--xacro-argument", "a:=b"], "arm.urdf is no xacro file: it takes no a"),
        (PANDA, ["--xacro-argument", "a=b"], "a=b: expected NAME:=VALUE"),
        (PANDA.replace('velocity="2.61"', 'velocity="0"'), [], "panda_joint5 has the velocity limit 0 rad/s"),
        (PANDA.replace('rpy="3.14159265358979 0 0"', 'rpy="0 1.5708 0"'), [], "tcp has a pitch of"),
        ("<robot/>", [], "found no chain of 5 to 7 joints that turn; name its end with --tcp"),
        ("<robot", [], "cannot read the robot description"),
    ],
)
def test_what_is_no_arm_is_refused_and_nothing_written(robot, text, arguments, words):
    status, said, fields = robot(text, *arguments)
    assert status == 2 and words in said, said
    assert fields == {}


def test_a_file_that_is_not_there_is_named(tmp_path, capsys):
    assert main(["robot", str(tmp_path / "nowhere.urdf")]) == 2
    assert "nowhere.urdf" in capsys.readouterr().err


def test_prefixes_that_a_description_declares_nowhere_are_no_matter(robot):
    text = PANDA.replace('<limit lower="-2.8973"', '<limit drake:acceleration="5" lower="-2.8973"')
    assert robot(text)[0] == 0


def test_soft_limits_that_are_narrower_are_the_limits(tmp_path):
    from jepa_planner.control.kinematics import ArmKinematics

    (tmp_path / "arm.urdf").write_text(urdf("panda"))
    arm = ArmKinematics(tmp_path / "arm.urdf", "panda_grasptarget")
    assert (arm.lower_rad[0], arm.upper_rad[0]) == (-2.8973, 2.8973)


def test_a_xacro_file_is_expanded_with_its_arguments_or_the_refusal_says_how(robot, monkeypatch):
    body = PANDA.split('<robot name="panda">')[1].replace("panda_", "$(arg arm_id)_")
    text = f'<robot xmlns:xacro="http://www.ros.org/wiki/xacro"><xacro:arg name="arm_id" default="a"/>{body}'
    status, said, fields = robot(text, "--xacro-argument", "arm_id:=left", name="arm.urdf.xacro")
    assert status == 0, said
    assert fields["xacro_arguments"] == {"arm_id": "left"} and fields["base_frame"] == "left_link0"
    status, said, _ = robot(text.replace("$(arg arm_id)", "$(find nothing)"), "--force", name="arm.urdf.xacro")
    assert status == 2 and "arm.urdf.xacro cannot be expanded with no arguments: " in said
    monkeypatch.setitem(__import__("sys").modules, "xacro", None)
    status, said, _ = robot(text, "--force", name="arm.urdf.xacro")
    assert status == 2
    for words in ("the Python package that expands it is missing", "pip install xacro", "xacro arm.urdf.xacro >"):
        assert words in said
