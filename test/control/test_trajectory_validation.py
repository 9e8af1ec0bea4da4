from dataclasses import replace

import numpy as np
import pytest

from jepa_planner.control.kinematics import rotation_from_rpy, rotation_vector
from jepa_planner.control.limits import SafetyLimits
from jepa_planner.control.setpoint_stream import SetpointStream
from jepa_planner.control.trajectory_validation import LAG_M, LAG_RAD, SLOWEST, TrajectoryValidation, UnreachableError

LIMITS = SafetyLimits.panda()
POSTURE_RAD = np.array(LIMITS.posture_rad)
KINEMATICS = LIMITS.kinematics()
START_M = np.array([0.4, 0.0, 0.15])
HOME_RAD = KINEMATICS.inverse(START_M, np.eye(3), POSTURE_RAD)
HALF_TURN = rotation_from_rpy([0.0, 0.0, 1.2])
FAST = replace(LIMITS, joint_velocity_scale=0.2)


def beside_start(dx: float, dy: float, dz: float) -> np.ndarray:
    return START_M + np.array([dx, dy, dz])


def stream(limits: SafetyLimits) -> SetpointStream:
    made = SetpointStream(KINEMATICS, limits)
    made.reset(HOME_RAD, 0.0)
    return made


def run(made: SetpointStream) -> list:
    setpoints = [made.tick()]
    while setpoints[-1].moving:
        setpoints.append(made.tick())
        assert len(setpoints) < 1000, "never came to rest"
    return setpoints


def test_a_motion_takes_longer_where_the_joints_would_be_too_fast():
    plain, slow = stream(LIMITS), stream(FAST)
    for made in (plain, slow):
        made.follow(START_M, HALF_TURN, 0.0)
    quick, stretched = run(plain), run(slow)
    assert len(stretched) > 1.5 * len(quick)
    limit_rad_s = KINEMATICS.velocity_rad_s * FAST.joint_velocity_scale
    assert np.max(np.abs([s.dq_rad_s for s in stretched]) / limit_rad_s) <= 1.0
    lag_m = [np.linalg.norm(KINEMATICS.tcp_pose(s.q_rad)[0] - s.xyz_m) for s in stretched]
    assert max(lag_m) < 1e-3
    np.testing.assert_allclose(stretched[-1].rotation, HALF_TURN, atol=1e-6)


def test_the_tcp_setpoint_waits_for_joints_that_are_at_their_limit(monkeypatch):
    """Even a motion that was never validated does not run ahead of its joints."""
    monkeypatch.setattr(TrajectoryValidation, "too_fast_by", lambda *_: 0.0)
    made = stream(FAST)
    made.follow(START_M, HALF_TURN, 0.0)
    setpoints = run(made)
    speeds = np.abs([s.dq_rad_s for s in setpoints]) / (KINEMATICS.velocity_rad_s * FAST.joint_velocity_scale)
    assert np.max(speeds) == pytest.approx(1.0)
    for setpoint in setpoints:
        xyz, rotation = KINEMATICS.tcp_pose(setpoint.q_rad)
        assert np.linalg.norm(xyz - setpoint.xyz_m) <= LAG_M
        assert np.linalg.norm(rotation_vector(setpoint.rotation @ rotation.T)) <= LAG_RAD
    np.testing.assert_allclose(setpoints[-1].rotation, HALF_TURN, atol=1e-3)


def test_a_target_that_the_joints_cannot_follow_to_is_refused_and_the_joint_named():
    made = stream(LIMITS)
    made.follow(beside_start(0.0, 0.05, 0.0), np.eye(3), 0.0)
    with pytest.raises(UnreachableError, match=r"panda_joint\d is 0\.000 rad from its margin"):
        made.follow(START_M, rotation_from_rpy([0.0, -1.2, 0.0]), 0.0)
    np.testing.assert_allclose(run(made)[-1].xyz_m, beside_start(0.0, 0.05, 0.0), atol=1e-6)


def test_a_joint_slows_down_toward_its_margin_and_not_away_from_it():
    validation, q = TrajectoryValidation(KINEMATICS, LIMITS), HOME_RAD.copy()
    full = validation.max_speed_rad_s
    q[5] = KINEMATICS.upper_rad[5] - LIMITS.joint_slowdown_rad / 2
    toward = validation.allowed_speed_rad_s(q, np.ones(7)) / full
    assert toward[5] == pytest.approx(0.5) and toward[0] == 1.0
    assert validation.allowed_speed_rad_s(q, -np.ones(7))[5] == full[5]
    q[5] = KINEMATICS.upper_rad[5]
    assert validation.allowed_speed_rad_s(q, np.ones(7))[5] == pytest.approx(SLOWEST * full[5])


def test_every_joint_slows_down_near_a_singularity():
    stretched = POSTURE_RAD.copy()
    stretched[3] = KINEMATICS.upper_rad[3]
    distance = KINEMATICS.distance_to_singularity(stretched)
    assert distance < KINEMATICS.distance_to_singularity(POSTURE_RAD)
    wary = TrajectoryValidation(KINEMATICS, replace(LIMITS, singularity_slowdown=4 * distance))
    np.testing.assert_allclose(wary.allowed_speed_rad_s(stretched, -np.ones(7)), 0.25 * wary.max_speed_rad_s)


def test_motions_near_a_joint_limit_are_slower_than_far_from_it():
    near = SetpointStream(KINEMATICS, replace(LIMITS, joint_slowdown_rad=2.0))
    far = SetpointStream(KINEMATICS, replace(LIMITS, joint_slowdown_rad=1e-3))
    durations = []
    for made in (near, far):
        made.reset(HOME_RAD, 0.0)
        made.follow(beside_start(-0.04, 0.0, -0.1), np.eye(3), 0.0)
        durations.append(len(run(made)))
    assert durations[0] > 1.5 * durations[1]


def test_the_way_to_rest_begins_as_the_arm_moves_and_ends_at_rest():
    made = stream(LIMITS)
    made.follow(beside_start(0.1, 0.05, 0.0), np.eye(3), 0.0)
    before = [made.tick() for _ in range(15)][-1]
    way = made.way_to_rest()
    times_s = np.array([point.after_s for point in way])
    q = np.array([before.q_rad, *(point.q_rad for point in way)])
    assert np.all(np.diff(times_s) > 0)
    assert np.all(way[-1].dq_rad_s == 0.0) and np.any(before.dq_rad_s)
    pace = np.abs(np.diff(q, axis=0)) / np.diff([0.0, *times_s])[:, None]
    assert np.all(pace <= 1.1 * np.max(np.abs(before.dq_rad_s)))
    assert np.all(np.diff(np.max(pace, axis=1)) < 0)
    made.brake()
    rest = run(made)[-1]
    np.testing.assert_allclose(KINEMATICS.tcp_pose(way[-1].q_rad)[0], rest.xyz_m, atol=1e-3)


def test_the_way_to_rest_of_a_resting_arm_stays_where_it_is():
    made = stream(LIMITS)
    (point,) = made.way_to_rest()
    np.testing.assert_array_equal(point.q_rad, HOME_RAD)
    assert not np.any(point.dq_rad_s)


def test_what_is_coming_is_where_the_arm_will_be_and_at_last_where_it_rests():
    made = SetpointStream(KINEMATICS, LIMITS, ahead_s=0.1)
    made.reset(HOME_RAD, 0.0)
    made.follow(beside_start(0.05, 0.05, 0.0), np.eye(3), 0.0, 0.3)
    told, sent = [], []
    while not sent or sent[-1].moving:
        sent.append(made.tick())
        told.append((made.coming(), made.knows_its_end))
    assert [ends for _, ends in told] == sorted(ends for _, ends in told)
    for i, (points, ends) in enumerate(told):
        there = min(i + 10, len(sent) - 1)
        np.testing.assert_allclose(points[0].q_rad, sent[there].q_rad, atol=1e-9)
        assert points[0].after_s == pytest.approx(0.01 * (there - i))
        assert ends == (there == len(sent) - 1)
        assert not np.any(points[-1].dq_rad_s)


def test_a_brake_changes_what_is_coming_at_once():
    made = SetpointStream(KINEMATICS, LIMITS, ahead_s=0.1)
    made.reset(HOME_RAD, 0.0)
    made.follow(beside_start(0.1, 0.05, 0.0), np.eye(3), 0.0)
    for _ in range(12):
        made.tick()
    made.brake()
    sent = [made.tick()]
    points, course = made.coming(), made.course
    sent += run(made)
    assert np.linalg.norm(KINEMATICS.tcp_pose(points[-1].q_rad)[0] - sent[-1].xyz_m) < 1e-3
    assert made.course == course and made.knows_its_end


OUTER = [(6, 1), (6, -1), (5, 1), (3, -1), (1, 1), (0, -1)]
"""Joints, and the limit near which they start."""


def start_beyond_margin(joint: int, side: int, gap_rad: float) -> np.ndarray:
    """The arm at home but for one joint, which is so far from its limit."""
    q = HOME_RAD.copy()
    bounds = KINEMATICS.upper_rad if side > 0 else KINEMATICS.lower_rad
    q[joint] = bounds[joint] + side * (LIMITS.joint_margin_rad - gap_rad)
    return q


def accelerations(start_rad: np.ndarray, target_m: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Of the joints [ticks, joints] (rad/s2) in a motion from rest to rest, whose setpoints must lead on the joint."""
    made = SetpointStream(KINEMATICS, replace(LIMITS, workspace_yaw_rad=(-np.pi, np.pi)))
    made.reset(start_rad, 0.0)
    made.follow(target_m, rotation, 0.0, 0.22)
    setpoints = run(made)
    still = np.zeros((1, 7))
    return np.diff(np.concatenate([still, [s.dq_rad_s for s in setpoints], still]), axis=0) / made.period_s


@pytest.mark.parametrize(("joint", "side"), OUTER)
@pytest.mark.parametrize("gap_rad", [0.045, 0.03, 0.0, -0.02])
def test_a_joint_in_its_margin_leaves_inward_at_the_acceleration_of_any_other_motion(joint, side, gap_rad):
    q = start_beyond_margin(joint, side, gap_rad)
    inward = q.copy()
    inward[joint] -= 0.08 * side
    measured = accelerations(q, *KINEMATICS.tcp_pose(inward))
    middle = HOME_RAD.copy()
    middle[joint] -= 0.08 * side
    usual = accelerations(HOME_RAD, *KINEMATICS.tcp_pose(middle))
    posture = LIMITS.angular_acceleration_rad_s2
    assert np.max(np.abs(measured)) <= np.max(np.abs(usual)) + posture
    assert np.max(np.abs(measured[0])) <= posture + 5.0


@pytest.mark.parametrize("gap_rad", [0.03, -0.02])
def test_a_target_that_takes_a_joint_further_beyond_its_margin_is_refused_with_the_way_out(gap_rad):
    made = SetpointStream(KINEMATICS, replace(LIMITS, workspace_yaw_rad=(-np.pi, np.pi)))
    q = start_beyond_margin(6, 1, gap_rad)
    made.reset(q, 0.0)
    xyz, rotation = made.pose()
    words = (
        rf"panda_joint7 is {0.05 - gap_rad:.3f} rad beyond its margin .*limit 2\.8973, margin 0\.05\): jog it inward"
    )
    with pytest.raises(UnreachableError, match=words):
        made.follow(xyz, rotation_from_rpy([0.0, 0.0, -0.15]) @ rotation, 0.0)
    made.follow(xyz, rotation_from_rpy([0.0, 0.0, 0.15]) @ rotation, 0.0)
    path = np.array([s.q_rad[6] for s in run(made)])
    assert np.all(path <= q[6]) and path[-1] < q[6] - 0.1


def test_the_joint_that_cannot_follow_is_named_and_not_one_that_comes_back_from_further_out():
    free = replace(LIMITS, workspace_yaw_rad=(-np.pi, np.pi), workspace_max_m=(1.0, 0.5, 1.0))
    made, q = SetpointStream(KINEMATICS, free), start_beyond_margin(6, 1, 0.02)
    q[5] = KINEMATICS.upper_rad[5]
    made.reset(q, 0.0)
    xyz, rotation = KINEMATICS.tcp_pose(q + 0.1 * (np.eye(7)[5] - np.eye(7)[6]))
    with pytest.raises(UnreachableError, match=r"panda_joint6 is 0\.000 rad from its margin"):
        made.follow(xyz, rotation, 0.0, 0.25)


@pytest.mark.parametrize("elbow_rad", [0.3, 0.8, -0.8])
def test_an_elbow_far_from_its_posture_is_pulled_no_harder_than_in_any_motion(elbow_rad):
    q = KINEMATICS.inverse(START_M, np.eye(3), POSTURE_RAD + elbow_rad * np.array([1, 0, -1, 0, 0, 0, 0]))
    most = LIMITS.angular_acceleration_rad_s2
    assert np.max(np.abs(accelerations(q, beside_start(0.0, 0.0, 0.001), np.eye(3)))) <= most + 1.0
