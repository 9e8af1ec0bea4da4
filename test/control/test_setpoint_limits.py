"""Whatever is asked of the stream, and whenever, each setpoint obeys the limits."""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jepa_planner.control.kinematics import rotation_from_rpy, rotation_vector
from jepa_planner.control.limits import SafetyLimits
from jepa_planner.control.setpoint_stream import SetpointStream
from jepa_planner.control.setpoints import Setpoint
from jepa_planner.control.trajectory_validation import UnreachableError

LIMITS = SafetyLimits.panda()
POSTURE_RAD = np.array(LIMITS.posture_rad)
KINEMATICS = LIMITS.kinematics()
LOW_M, HIGH_M = np.array(LIMITS.workspace_min_m), np.array(LIMITS.workspace_max_m)
HOME_RAD = KINEMATICS.inverse(np.array([0.5, 0.0, 0.15]), np.eye(3), POSTURE_RAD)
PERIOD_S = 0.01
SLACK = 1 + 1e-6
REPEATABLE = settings(max_examples=25, deadline=None, derandomize=True)


@dataclass(frozen=True)
class Command:
    """A target, or a brake, and how many ticks it is given before the next one."""

    xyz_m: tuple[float, float, float] | None
    rpy_rad: tuple[float, float, float] = (0.0, 0.0, 0.0)
    closure: float = 0.0
    min_duration_s: float = 0.0
    ticks: int = 20


def commands(turning_rad: float) -> st.SearchStrategy[Command]:
    """Targets up to 5 cm outside the workspace, and brakes."""
    xyz = st.tuples(*(st.floats(low - 0.05, high + 0.05) for low, high in zip(LOW_M, HIGH_M, strict=True)))
    rpy = st.tuples(*[st.floats(-turning_rad, turning_rad)] * 3)
    durations, ticks = st.sampled_from([0.0, 0.22, 0.5]), st.integers(1, 40)
    target = st.builds(Command, xyz, rpy, st.floats(0.0, 1.0), durations, ticks)
    return st.one_of(target, target, st.builds(Command, st.none(), ticks=ticks))


def new_stream() -> SetpointStream:
    stream = SetpointStream(KINEMATICS, LIMITS)
    stream.reset(HOME_RAD, 0.0)
    return stream


def obey(stream: SetpointStream, command: Command) -> list[Setpoint]:
    if command.xyz_m is None:
        stream.brake()
    else:
        rotation = rotation_from_rpy(command.rpy_rad)
        with suppress(UnreachableError):  # refused: what came before stays in force
            stream.follow(np.array(command.xyz_m), rotation, command.closure, command.min_duration_s)
    return [stream.tick() for _ in range(command.ticks)]


def drive(sequence: list[Command]) -> tuple[list[Setpoint], SetpointStream]:
    """The setpoints of commands that interrupt each other, the first one those of the arm at rest."""
    stream = new_stream()
    setpoints = [stream.tick()]
    for command in sequence:
        setpoints += obey(stream, command)
    return setpoints, stream


def outside_m(xyz_m: np.ndarray) -> np.ndarray:
    """How far outside of the workspace each axis is [.., 3]."""
    return np.abs(xyz_m - LIMITS.clip_to_workspace(xyz_m))


def series(setpoints: list[Setpoint], name: str) -> np.ndarray:
    return np.array([getattr(setpoint, name) for setpoint in setpoints])


def rates(values: np.ndarray) -> np.ndarray:
    return np.diff(values, axis=0) / PERIOD_S


@REPEATABLE
@given(st.lists(commands(turning_rad=0.3), min_size=1, max_size=4))
def test_velocity_acceleration_and_jerk_stay_within_limits(sequence):
    setpoints, _ = drive(sequence)
    for name, velocity_max, acceleration_max, jerk_max in (
        ("linear_velocity_m_s", LIMITS.linear_velocity_m_s, LIMITS.linear_acceleration_m_s2, LIMITS.linear_jerk_m_s3),
        (
            "angular_velocity_rad_s", LIMITS.angular_velocity_rad_s, LIMITS.angular_acceleration_rad_s2,
            LIMITS.angular_jerk_rad_s3,
        ),
    ):  # fmt: skip
        velocity = series(setpoints, name)
        assert np.max(np.abs(velocity)) <= velocity_max * SLACK
        assert np.max(np.abs(rates(velocity))) <= acceleration_max * SLACK
        assert np.max(np.abs(rates(rates(velocity))), initial=0.0) <= jerk_max * SLACK


@REPEATABLE
@given(st.lists(commands(turning_rad=0.3), min_size=1, max_size=4))
def test_positions_are_those_that_the_velocities_lead_to(sequence):
    setpoints, _ = drive(sequence)
    velocity = series(setpoints, "linear_velocity_m_s")
    mean_velocity = (velocity[1:] + velocity[:-1]) / 2
    jerk_remainder = LIMITS.linear_jerk_m_s3 * PERIOD_S**2 / 6
    assert np.max(np.abs(rates(series(setpoints, "xyz_m")) - mean_velocity)) <= jerk_remainder


@REPEATABLE
@given(st.lists(commands(turning_rad=0.5), min_size=2, max_size=5))
def test_the_commanded_tcp_never_leaves_the_workspace(sequence):
    setpoints, _ = drive(sequence)
    for setpoint in setpoints:
        assert LIMITS.inside_workspace(setpoint.xyz_m), setpoint.xyz_m


@REPEATABLE
@given(st.lists(commands(turning_rad=0.0), min_size=1, max_size=4))
def test_the_joints_that_are_sent_keep_the_tcp_in_the_workspace(sequence):
    setpoints, _ = drive(sequence)
    for setpoint in setpoints:
        xyz, _ = KINEMATICS.tcp_pose(setpoint.q_rad)
        assert LIMITS.inside_workspace(xyz, tolerance_m=1e-3), xyz


@REPEATABLE
@given(st.lists(commands(turning_rad=0.5), min_size=1, max_size=4))
def test_joint_positions_and_velocities_stay_within_limits(sequence):
    setpoints, _ = drive(sequence)
    q = series(setpoints, "q_rad")
    velocity_max = KINEMATICS.velocity_rad_s * LIMITS.joint_velocity_scale * SLACK
    assert np.all(q >= KINEMATICS.lower_rad - 1e-9) and np.all(q <= KINEMATICS.upper_rad + 1e-9)
    assert np.all(np.abs(rates(q)) <= velocity_max)
    np.testing.assert_allclose(series(setpoints, "dq_rad_s")[1:], rates(q), atol=1e-9)


@REPEATABLE
@given(st.lists(commands(turning_rad=0.0), min_size=1, max_size=4))
def test_the_gripper_moves_no_faster_than_it_may(sequence):
    setpoints, _ = drive(sequence)
    closure = series(setpoints, "closure")
    assert np.max(np.abs(rates(closure))) <= LIMITS.gripper_rate_per_s * SLACK
    assert np.all((closure >= 0.0) & (closure <= 1.0))


@REPEATABLE
@given(st.lists(commands(turning_rad=0.2), min_size=0, max_size=3), commands(turning_rad=0.2))
def test_the_last_command_always_ends_at_rest_where_it_said(sequence, last):
    _, stream = drive([*sequence, last])
    ticks = 0
    while (setpoint := stream.tick()).moving:
        ticks += 1
        assert ticks < 500, "never came to rest"
    np.testing.assert_allclose(setpoint.linear_velocity_m_s, 0.0, atol=1e-9)
    np.testing.assert_allclose(setpoint.angular_velocity_rad_s, 0.0, atol=1e-9)
    if last.xyz_m is not None:
        np.testing.assert_allclose(setpoint.xyz_m, LIMITS.clip_to_workspace(np.array(last.xyz_m)), atol=1e-6)
        np.testing.assert_allclose(setpoint.rotation, rotation_from_rpy(last.rpy_rad), atol=1e-6)
        assert setpoint.closure == pytest.approx(last.closure)


@REPEATABLE
@given(commands(turning_rad=0.3).filter(lambda c: c.xyz_m is not None))
def test_a_brake_never_reverses_the_motion_and_freezes_the_gripper(command):
    stream = new_stream()
    before = obey(stream, command)[-1]
    braking = [before, *obey(stream, Command(None, ticks=60))]
    way = LIMITS.clip_to_workspace(np.array(command.xyz_m)) - new_stream().tick().xyz_m
    way_ahead = np.sign(np.round(way, 9))
    assert np.all(np.diff(series(braking, "xyz_m"), axis=0) * way_ahead >= -1e-9)
    assert set(series(braking, "closure")) == {before.closure}
    assert not braking[-1].moving


def test_a_brake_stops_each_axis_as_fast_as_that_axis_can():
    stream = new_stream()
    turning = Command((0.6, 0.0, 0.15), rpy_rad=(0.0, 0.0, 1.2), ticks=25)
    before = obey(stream, turning)[-1]
    assert np.max(np.abs(before.angular_velocity_rad_s)) > 1.0
    acceleration, jerk = LIMITS.linear_acceleration_m_s2, LIMITS.linear_jerk_m_s3
    longest_s = np.max(np.abs(before.linear_velocity_m_s)) / acceleration + 2 * acceleration / jerk
    braking = obey(stream, Command(None, ticks=40))
    moving_ticks = sum(np.max(np.abs(setpoint.linear_velocity_m_s)) > 1e-9 for setpoint in braking)
    assert 0 < moving_ticks <= np.ceil(longest_s / PERIOD_S)


def test_a_brake_stops_a_motion_sooner_than_it_would_have_ended():
    far = Command((0.64, 0.19, 0.24), ticks=12)
    stream = new_stream()
    start = obey(stream, far)[-1].xyz_m
    stop = obey(stream, Command(None, ticks=60))[-1].xyz_m
    assert 0.0 < np.linalg.norm(stop - start) < 0.06
    assert np.linalg.norm(stop - far.xyz_m) > 0.05


AROUND_M = st.tuples(st.floats(0.3, 0.7), st.floats(-0.3, 0.3), st.floats(0.0, 0.45))
MOVES = st.tuples(*[st.floats(-0.06, 0.06)] * 3, *[st.floats(-0.1, 0.1)] * 2, st.floats(-0.3, 0.3), st.floats(-1, 1))


@REPEATABLE
@given(AROUND_M, st.floats(-2.0, 2.0), st.lists(MOVES, min_size=1, max_size=4))
def test_from_anywhere_an_action_moves_no_axis_further_than_asked_nor_the_other_way_nor_further_out(start, yaw, moves):
    stream = SetpointStream(KINEMATICS, LIMITS)
    try:
        stream.reset(KINEMATICS.inverse(np.array(start), rotation_from_rpy([0.0, 0.0, yaw]), HOME_RAD), 0.0)
    except ValueError:
        assume(False)
    for move in np.array(moves):
        before_m, before = stream.pose()
        with suppress(UnreachableError):
            stream.move_by(move, 0.22)
        way_m = series([stream.tick() for _ in range(120)], "xyz_m") - before_m
        asked_rad = np.linalg.norm(rotation_vector(rotation_from_rpy(move[3:6])))
        assert np.all(way_m * np.sign(move[:3]) >= -1e-6)
        assert np.all(np.abs(way_m) <= np.abs(move[:3]) + 1e-6)
        assert np.linalg.norm(rotation_vector(stream.pose()[1] @ before.T)) <= asked_rad + 1e-6
        assert np.all(outside_m(before_m + way_m) <= outside_m(before_m) + 1e-6)


@REPEATABLE
@given(AROUND_M, AROUND_M, *[st.tuples(*[st.floats(-3.1, 3.1)] * 3)] * 2)
def test_what_was_clipped_once_is_not_changed_by_clipping_it_again(now_m, aim_m, now_rpy, aim_rpy):
    now_m, now, rotation = np.array(now_m), rotation_from_rpy(now_rpy), rotation_from_rpy(aim_rpy)
    xyz_m, turned = LIMITS.clip_to_workspace(np.array(aim_m), now_m), LIMITS.clip_yaw(rotation, now)
    np.testing.assert_array_equal(LIMITS.clip_to_workspace(xyz_m, now_m), xyz_m)
    np.testing.assert_array_equal(LIMITS.clip_yaw(turned, now), turned)
    assert np.linalg.norm(rotation_vector(turned @ now.T)) <= np.linalg.norm(rotation_vector(rotation @ now.T)) + 1e-6
