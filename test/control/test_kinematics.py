import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from jepa_planner.control.kinematics import (
    ArmKinematics,
    rotation_from_rpy,
    rotation_from_vector,
    rotation_vector,
    rpy_from_rotation,
)
from jepa_planner.control.limits import SafetyLimits

LIMITS = SafetyLimits.panda()
POSTURE_RAD = np.array(LIMITS.posture_rad)


def panda(joint_margin_rad: float = LIMITS.joint_margin_rad) -> ArmKinematics:
    return ArmKinematics(LIMITS.robot_description, LIMITS.tcp_frame, joint_margin_rad, LIMITS.posture_rad)


def points_in_the_workspace(count: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(LIMITS.workspace_min_m, LIMITS.workspace_max_m, (count, 3))


def angles(count: int) -> np.ndarray:
    return np.random.default_rng(1).uniform([-3, -1.5, -3], [3, 1.5, 3], (count, 3))


def test_the_stretched_arm_stands_where_the_makers_dimensions_put_it():
    xyz, rotation = panda().tcp_pose(np.zeros(7))
    np.testing.assert_allclose(xyz, [0.088, 0.0, 0.333 + 0.316 + 0.384 - 0.107 - 0.1034], atol=1e-9)
    np.testing.assert_allclose(rotation, rotation_from_rpy([0.0, 0.0, np.pi / 4]), atol=1e-9)


def test_the_first_joint_turns_the_tcp_around_the_base():
    kinematics = panda()
    turn = 0.4
    before, _ = kinematics.tcp_pose(POSTURE_RAD)
    after, _ = kinematics.tcp_pose(POSTURE_RAD + np.array([turn, 0, 0, 0, 0, 0, 0]))
    np.testing.assert_allclose(after, rotation_from_rpy([0, 0, turn]) @ before, atol=1e-12)


def test_a_gripper_that_points_down_has_no_roll_and_no_pitch():
    _, rotation = panda().tcp_pose(POSTURE_RAD)
    assert np.max(np.abs(rpy_from_rotation(rotation))) < 0.05


def test_inverse_and_forward_kinematics_undo_each_other_all_over_the_workspace():
    kinematics = panda()
    for xyz in points_in_the_workspace(25):
        q = kinematics.inverse(xyz, np.eye(3), POSTURE_RAD)
        reached, rotation = kinematics.tcp_pose(q)
        np.testing.assert_allclose(reached, xyz, atol=1e-4)
        np.testing.assert_allclose(rotation, np.eye(3), atol=1e-4)
        assert np.all(q >= kinematics.lower_rad) and np.all(q <= kinematics.upper_rad)


def test_inverse_kinematics_reaches_turned_grippers_too():
    kinematics = panda()
    wanted = rotation_from_rpy([0.1, -0.15, 0.4])
    _, rotation = kinematics.tcp_pose(kinematics.inverse(np.array([0.5, 0.05, 0.2]), wanted, POSTURE_RAD))
    np.testing.assert_allclose(rotation, wanted, atol=1e-4)


def test_poses_that_follow_each_other_closely_need_one_step_each():
    kinematics = panda()
    q = kinematics.inverse(np.array([0.5, 0.0, 0.1]), np.eye(3), POSTURE_RAD)
    for z in np.linspace(0.1, 0.2, 40):
        q, _ = kinematics.inverse_step(np.array([0.5, 0.0, z]), np.eye(3), q)
        assert abs(kinematics.tcp_pose(q)[0][2] - z) < 1e-4


def test_the_null_space_returns_to_the_nominal_posture():
    kinematics = panda()
    xyz, rotation = kinematics.tcp_pose(POSTURE_RAD)
    q = kinematics.inverse(xyz, rotation, POSTURE_RAD + np.array([0.3, 0, -0.3, 0, 0, 0, 0]))
    for _ in range(400):
        q, _ = kinematics.inverse_step(xyz, rotation, q)
    np.testing.assert_allclose(q, POSTURE_RAD, atol=0.02)


@pytest.mark.parametrize("xyz", [(2.0, 0.0, 0.2), (0.5, 0.0, -1.0), (-0.5, 0.0, 2.0)])
def test_a_pose_out_of_reach_is_an_error_that_says_how_far_off_it_is(xyz):
    with pytest.raises(ValueError, match=r"no joint positions within limits reach tcp .* away"):
        panda().inverse(np.array(xyz), np.eye(3), POSTURE_RAD)


def test_the_margin_is_kept_from_both_joint_limits():
    plain, careful = panda(0.0), panda(0.2)
    np.testing.assert_allclose(careful.lower_rad, plain.lower_rad + 0.2)
    np.testing.assert_allclose(careful.upper_rad, plain.upper_rad - 0.2)


def test_a_step_never_leaves_the_joint_limits_even_toward_the_impossible():
    kinematics = panda()
    q = POSTURE_RAD
    for _ in range(20):
        q, _ = kinematics.inverse_step(np.array([3.0, 3.0, 3.0]), rotation_from_rpy([2.0, 1.0, 0.0]), q)
        assert np.all(q >= kinematics.lower_rad) and np.all(q <= kinematics.upper_rad)


@pytest.mark.parametrize("joint", range(7))
@pytest.mark.parametrize("beyond_rad", [0.02, 0.2])
def test_a_joint_beyond_its_margin_stays_or_comes_back_and_never_goes_further_out(joint, beyond_rad):
    kinematics = panda()
    for side, bounds in ((1, kinematics.upper_rad), (-1, kinematics.lower_rad)):
        q = POSTURE_RAD.copy()
        q[joint] = bounds[joint] + side * beyond_rad
        xyz, rotation = kinematics.tcp_pose(q)
        for target in points_in_the_workspace(4):
            near = xyz + 0.01 * (target - xyz)
            after, _ = kinematics.inverse_step(near, rotation, q, 0.0)
            assert side * (after[joint] - q[joint]) <= 0.0
            assert np.max(np.abs(after - q)) < 0.15


def test_inverse_kinematics_ends_within_limits_from_a_seed_beyond_them():
    kinematics = panda()
    seed = POSTURE_RAD + 0.1 * np.eye(7)[6]
    seed[6] = kinematics.upper_rad[6] + 0.04
    q = kinematics.inverse(np.array([0.5, 0.0, 0.1]), rotation_from_rpy([0.0, 0.0, -1.9]), seed)
    assert np.all(q >= kinematics.lower_rad) and np.all(q <= kinematics.upper_rad)


def test_a_missing_frame_is_named_with_those_that_are_there():
    with pytest.raises(ValueError, match=r"no frame 'tool'; its frames are .*tcp"):
        ArmKinematics(LIMITS.robot_description, "tool")


def test_a_missing_robot_description_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"robot\.urdf"):
        ArmKinematics(tmp_path / "robot.urdf")


def test_angles_are_extrinsic_xyz():
    for rpy in angles(20):
        np.testing.assert_allclose(rotation_from_rpy(rpy), Rotation.from_euler("xyz", rpy).as_matrix(), atol=1e-9)


def test_angles_and_rotation_vectors_survive_the_way_through_a_matrix():
    for rpy in angles(20):
        np.testing.assert_allclose(rpy_from_rotation(rotation_from_rpy(rpy)), rpy, atol=1e-9)
        vector = rpy / 2
        np.testing.assert_allclose(rotation_vector(rotation_from_vector(vector)), vector, atol=1e-9)
