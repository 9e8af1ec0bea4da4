from dataclasses import MISSING, fields
from pathlib import Path

import numpy as np
import pytest
import yaml

from jepa_planner.control.description_text import DescriptionText
from jepa_planner.control.kinematics import rotation_from_rpy
from jepa_planner.control.limits import LimitsError, SafetyLimits, shipped_config

PANDA_URDF = shipped_config("panda.urdf")


def shipped_fields() -> dict:
    return yaml.safe_load(shipped_config("panda_limits.yaml").read_text())


def limits_file(folder: Path, *without: str, **changes: object) -> Path:
    fields = {name: value for name, value in (shipped_fields() | changes).items() if name not in without}
    path = folder / "limits.yaml"
    path.write_text(yaml.safe_dump(fields))
    return path


def text_file(folder: Path, text: str) -> Path:
    path = folder / "limits.yaml"
    path.write_text(text)
    return path


def test_the_shipped_limits_load_and_point_to_the_robot_description():
    limits = SafetyLimits.panda()
    assert limits.robot_description.is_file()
    assert limits.tcp_frame == "tcp"
    assert limits.workspace_min_m[2] > 0.0


def test_the_robot_description_is_relative_to_the_limits_file(tmp_path):
    limits = SafetyLimits.load(limits_file(tmp_path, robot_description="arms/other.urdf"))
    assert limits.robot_description == (tmp_path / "arms" / "other.urdf").resolve()


def test_files_may_lie_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    file = limits_file(tmp_path, robot_description="~/other.urdf")
    limits = SafetyLimits.load(f"~/{file.name}")
    assert limits.robot_description == (tmp_path / "other.urdf").resolve()


def test_whole_numbers_are_taken_as_numbers(tmp_path):
    assert SafetyLimits.load(limits_file(tmp_path, linear_velocity_m_s=1)).linear_velocity_m_s == 1.0


REQUIRED = sorted(field.name for field in fields(SafetyLimits) if field.default is field.default_factory is MISSING)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_limit_is_named(tmp_path, name):
    with pytest.raises(LimitsError, match=f"limits.yaml lacks {name}$"):
        SafetyLimits.load(limits_file(tmp_path, name))


def test_an_unknown_limit_is_named_with_the_known_ones(tmp_path):
    with pytest.raises(LimitsError, match=r"unknown linear_speed_m_s; known are .*linear_velocity_m_s"):
        SafetyLimits.load(limits_file(tmp_path, linear_speed_m_s=0.1))


@pytest.mark.parametrize("name", sorted(name for name in REQUIRED if isinstance(shipped_fields()[name], float)))
@pytest.mark.parametrize("value", [0.0, -0.1, float("nan"), float("inf")])
def test_a_limit_that_limits_nothing_is_refused_by_name(tmp_path, name, value):
    with pytest.raises(LimitsError, match=f"{name} is .*expected a finite number above 0"):
        SafetyLimits.load(limits_file(tmp_path, **{name: value}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("linear_velocity_m_s", "fast"),
        ("linear_velocity_m_s", [0.1, 0.2, 0.3]),
        ("gripper_rate_per_s", None),
        ("workspace_min_m", [0.3, -0.2]),
        ("workspace_max_m", 0.6),
        ("workspace_max_m", ["a", "b", "c"]),
        ("workspace_yaw_rad", [-1.0, 0.0, 1.0]),
        ("robot_description", 7),
        ("robot_description", ""),
        ("robot_description", "a\0b"),
        ("tcp_frame", 7),
        ("tcp_frame", None),
        ("linear_velocity_m_s", True),
        ("linear_velocity_m_s", "0.1"),
        ("linear_velocity_m_s", 10**400),
        ("max_step_m", "1 e"),
        ("workspace_min_m", "123"),
        ("workspace_min_m", [False, False, False]),
        ("posture_rad", 1.0),
        ("posture_rad", None),
        ("posture_rad", ["elbow", "up"]),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_file_and_name(tmp_path, name, value):
    with pytest.raises(LimitsError, match=rf"limits.yaml: {name} is "):
        SafetyLimits.load(limits_file(tmp_path, **{name: value}))


def test_a_number_that_yaml_takes_for_a_text_is_a_number(tmp_path):
    path = limits_file(tmp_path)
    path.write_text(path.read_text().replace("linear_jerk_m_s3: 400.0", "linear_jerk_m_s3: 4e2"))
    assert SafetyLimits.load(path).linear_jerk_m_s3 == 400.0


def test_a_limit_that_stands_twice_is_refused_rather_than_the_first_passed_over(tmp_path):
    path = limits_file(tmp_path)
    path.write_text("linear_velocity_m_s: 0.1\n" + path.read_text())
    with pytest.raises(LimitsError, match=r"limits\.yaml: linear_velocity_m_s stands twice .* in line \d+$"):
        SafetyLimits.load(path)


def test_a_file_from_before_postures_loads_and_pulls_the_null_space_nowhere(tmp_path):
    limits = SafetyLimits.load(limits_file(tmp_path, "posture_rad", robot_description=str(PANDA_URDF)))
    assert limits.posture_rad is None
    arm, q = limits.kinematics(), np.array(SafetyLimits.panda().posture_rad) + 0.2
    np.testing.assert_allclose(arm.inverse_step(*arm.tcp_pose(q), q)[0], q, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"workspace_min_m": [350, -200, 15], "workspace_max_m": [650, 200, 245]}, "expected metres in the base frame"),
        ({"workspace_min_m": [2.0, -0.2, 0.0], "workspace_max_m": [2.5, 0.2, 0.3]}, "begins 2.00 m from panda_joint1"),
        ({"workspace_min_m": [-400, -400, 0], "workspace_max_m": [650, 400, 600]}, "reaches to 650.00 m from panda"),
        ({"max_step_m": 110}, "max_step_m is 110, but the arm reaches .*: expected metres"),
        ({"posture_rad": [0.0, -0.3]}, "posture_rad has 2 positions, expected one for each of panda_joint1"),
        ({"posture_rad": [0.0, -0.3, 0.0, 2.3, 0.0, 2.0, 0.785]}, "in posture_rad, panda_joint4 is .* beyond"),
        ({"joint_margin_rad": 1.6}, "panda_joint4 has the limits .*: no room between margins of 1.6 rad"),
    ],
)
def test_limits_that_do_not_fit_the_arm_are_refused(tmp_path, changes, words):
    limits = SafetyLimits.load(limits_file(tmp_path, **changes, robot_description=str(PANDA_URDF)))
    with pytest.raises(ValueError, match=words):
        limits.kinematics()


@pytest.mark.parametrize(
    "corner", [[0.7, -0.2, 0.01], [0.35, -0.2, 0.3], [0.35, float("nan"), 0.01], [-np.inf, -0.2, 0.01]]
)
def test_a_workspace_turned_inside_out_is_refused(tmp_path, corner):
    with pytest.raises(LimitsError, match=r"workspace_min_m .* must be below workspace_max_m"):
        SafetyLimits.load(limits_file(tmp_path, workspace_min_m=corner))


@pytest.mark.parametrize("bounds", [[1.0, -1.0], [0.5, 0.5], [-4.0, 3.0], [-7.0, -1.0], [-1.0, float("nan")]])
def test_bounds_of_the_yaw_that_bound_nothing_are_refused(tmp_path, bounds):
    with pytest.raises(LimitsError, match=r"workspace_yaw_rad is .*, expected the least and the most"):
        SafetyLimits.load(limits_file(tmp_path, workspace_yaw_rad=bounds))


@pytest.mark.parametrize(
    ("now", "aim", "expected"),
    [
        (0.0, 0.5, 0.5),
        (0.0, 2.0, 1.4),
        (1.3, -3.0, 1.4),
        (0.0, -2.0, -1.4),
        (2.0, 3.0, 2.0),
        (2.0, 1.0, 1.0),
        (3.1, -3.1, 3.1),
    ],
)
def test_a_turn_ends_at_the_bound_or_where_the_arm_stands_beyond_it(now, aim, expected):
    tilt = 0.2
    given, there = (rotation_from_rpy(np.array([tilt, -0.1, yaw])) for yaw in (aim, now))
    clipped = SafetyLimits.panda().clip_yaw(given, there)
    np.testing.assert_allclose(clipped, rotation_from_rpy(np.array([tilt, -0.1, expected])), atol=1e-9)


def test_joints_may_not_be_told_to_exceed_their_velocity_limits(tmp_path):
    with pytest.raises(LimitsError, match=r"joint_velocity_scale is 1\.5"):
        SafetyLimits.load(limits_file(tmp_path, joint_velocity_scale=1.5))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LimitsError, match=r"cannot read limits from .*nowhere\.yaml"):
        SafetyLimits.load(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("text", ["", "- 1\n- 2\n", "just words"])
def test_a_file_without_names_is_refused(tmp_path, text):
    with pytest.raises(LimitsError, match="expected one 'name: value' per limit"):
        SafetyLimits.load(text_file(tmp_path, text))


def test_a_file_that_is_not_yaml_is_refused(tmp_path):
    with pytest.raises(LimitsError, match="cannot read limits from"):
        SafetyLimits.load(text_file(tmp_path, "a: [1, 2"))


def test_points_outside_are_clipped_to_the_nearest_point_of_the_workspace():
    limits = SafetyLimits.panda()
    low, high = np.array(limits.workspace_min_m), np.array(limits.workspace_max_m)
    np.testing.assert_array_equal(limits.clip_to_workspace(high + 1.0), high)
    np.testing.assert_array_equal(limits.clip_to_workspace(low - 1.0), low)
    middle = (low + high) / 2
    np.testing.assert_array_equal(limits.clip_to_workspace(middle), middle)


def test_from_outside_an_axis_stays_or_comes_inward_as_far_as_asked():
    limits, now = SafetyLimits.panda(), np.array([0.3, 0.0, 0.487])
    for asked, expected in (
        ((0.3, 0.0, 0.497), (0.3, 0.0, 0.487)),
        ((0.31, 0.1, 0.437), (0.31, 0.1, 0.437)),
        ((0.2, 0.3, 0.2), (0.3, 0.2, 0.2)),
        ((0.9, 0.0, -0.1), (0.65, 0.0, 0.015)),
    ):
        np.testing.assert_array_equal(limits.clip_to_workspace(np.array(asked), now), expected)


def test_a_turn_past_upright_is_never_made_longer_by_the_bound_of_the_yaw():
    limits, now = SafetyLimits.panda(), rotation_from_rpy([0.0, np.radians(89.0), 0.0])
    asked = rotation_from_rpy([0.0, np.radians(91.0), 0.0])
    np.testing.assert_array_equal(limits.clip_yaw(asked, now), now)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_point_beyond_any_face_is_outside(axis, side):
    limits = SafetyLimits.panda()
    point = np.array(limits.workspace_max_m if side > 0 else limits.workspace_min_m)
    assert limits.inside_workspace(point)
    point[axis] += side * 0.001
    assert not limits.inside_workspace(point)


def test_a_config_that_does_not_ship_is_named():
    with pytest.raises(FileNotFoundError, match=r"config/nothing\.yaml"):
        shipped_config("nothing.yaml")


def test_a_description_that_comes_by_topic_is_no_file(tmp_path):
    limits = SafetyLimits.load(limits_file(tmp_path, robot_description="topic"))
    assert limits.robot_description is None
    with pytest.raises(LimitsError, match="robot_description is to come by the topic; name a file to do without ROS"):
        limits.kinematics()
    text = DescriptionText(PANDA_URDF.read_text(), "/robot_description")
    assert limits.kinematics(text).joint_names == SafetyLimits.panda().kinematics().joint_names


@pytest.mark.parametrize(
    ("now", "aim", "expected"), [(3.0, -3.0, 2 * np.pi - 3.0), (3.0, -1.0, 4.0), (-2.0, 0.0, -2.0), (0.0, 3.0, 3.0)]
)
def test_bounds_of_the_yaw_may_lie_on_both_sides_of_half_a_turn(tmp_path, now, aim, expected):
    limits = SafetyLimits.load(limits_file(tmp_path, workspace_yaw_rad=[2.0, 4.0]))
    given, there = (rotation_from_rpy(np.array([np.pi, 0.0, yaw])) for yaw in (aim, now))
    np.testing.assert_allclose(
        limits.clip_yaw(given, there), rotation_from_rpy(np.array([np.pi, 0.0, expected])), atol=1e-9
    )
