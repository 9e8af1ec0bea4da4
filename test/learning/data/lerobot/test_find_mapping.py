"""What names of other datasets say."""

import pytest

from jepa_planner.learning.data.lerobot.find_mapping import find_mapping
from jepa_planner.learning.data.lerobot.layout import DatasetError, Feature, Info

XYZ, TURN = ("x", "y", "z"), ("roll", "pitch", "yaw")


def info(**names: tuple[str, ...]) -> Info:
    """Features of numbers by key, with _ for . in keys; one camera and one depth camera."""
    features = [Feature(key.replace("_", "."), "float32", (len(own),), own) for key, own in names.items()]
    features += [Feature("observation.images.cam", "video", (8, 8, 3)),
                 Feature("observation.images.far", "video", (8, 8, 3), (), {"is_depth_map": True})]  # fmt: skip
    return Info(10.0, {feature.key: feature for feature in features}, 1, 1, "", "")


@pytest.mark.parametrize(
    ("names", "kind", "position", "gripper"),
    [
        ((*XYZ, *TURN, "gripper"), "rpy", "x", "gripper"),
        (("ee.x", "ee.y", "ee.z", "ee_roll", "ee_pitch", "ee_yaw", "gripper.pos"), "rpy", "ee.x", "gripper.pos"),
        (("tcp_pose_x", "tcp_pose_y", "tcp_pose_z", "qx", "qy", "qz", "qw"), "quaternion_xyzw", "tcp_pose_x", None),
        (("pos_x", "pos_y", "pos_z", "quat_x", "quat_y", "quat_z", "quat_w"), "quaternion_xyzw", "pos_x", None),
        (("x_m", "y_m", "z_m", "roll_rad", "pitch_rad", "yaw_rad", "gripper_width"), "rpy", "x_m", None),
    ],
)
def test_poses_are_found_by_the_names_that_people_give(names, kind, position, gripper):
    found = find_mapping(info(observation_state=names)).state
    assert found.orientation_is == kind and found.position[0] == f"observation.state/{position}"
    assert len(found.orientation) == (4 if kind == "quaternion_xyzw" else 3)
    assert gripper is None or found.gripper == f"observation.state/{gripper}"


def test_depth_is_no_view():
    assert find_mapping(info(observation_state=(*XYZ, *TURN))).views == {"cam": "observation.images.cam"}


def test_parts_in_features_of_their_own_are_found_and_the_whole_state_comes_first():
    parts = info(observation_pose=(*XYZ, *TURN), observation_gripper=("gripper",), action=("dx", "dy", "dz", *TURN))
    found = find_mapping(parts)
    assert found.state.position[0] == "observation.pose/x" and found.state.gripper == "observation.gripper/gripper"
    assert found.action is not None and found.action.values == "delta" and found.action.position[0] == "action/dx"
    both = info(observation_other=(*XYZ, *TURN), observation_state=(*XYZ, *TURN))
    assert find_mapping(both).state.position[0] == "observation.state/x"
    with pytest.raises(DatasetError, match="both have x, y and z"):
        find_mapping(info(observation_one=(*XYZ, *TURN), observation_other=(*XYZ, *TURN)))


def test_two_numbers_of_one_meaning_are_asked_about():
    with pytest.raises(DatasetError, match="may both be gripper"):
        find_mapping(info(observation_state=(*XYZ, *TURN, "gripper", "gripper_cmd")))


def test_without_a_name_nothing_is_guessed():
    with pytest.raises(DatasetError, match="--mapping FILE") as refusal:
        find_mapping(info(observation_state=("motor_0", "motor_1", "motor_2", "motor_3", "motor_4", "motor_5")))
    assert "motor_0, motor_1" in str(refusal.value)
