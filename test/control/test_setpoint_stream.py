import numpy as np
import pytest
import ruckig

from jepa_planner.control.kinematics import (
    rotation_from_rpy,
    rotation_vector,
)
from jepa_planner.control.limits import SafetyLimits
from jepa_planner.control.setpoint_stream import SetpointStream
from jepa_planner.control.setpoints import Setpoint

LIMITS = SafetyLimits.panda()
POSTURE_RAD = np.array(LIMITS.posture_rad)
KINEMATICS = LIMITS.kinematics()
START_M = np.array([0.5, 0.0, 0.15])
HOME_RAD = KINEMATICS.inverse(START_M, np.eye(3), POSTURE_RAD)
NAN = float("nan")


def stream_at_home(closure: float = 0.0) -> SetpointStream:
    stream = SetpointStream(KINEMATICS, LIMITS)
    stream.reset(HOME_RAD, closure)
    return stream


def beside_start(dx: float, dy: float, dz: float) -> np.ndarray:
    return START_M + np.array([dx, dy, dz])


def run(stream: SetpointStream, ticks: int) -> list[Setpoint]:
    return [stream.tick() for _ in range(ticks)]


def run_to_rest(stream: SetpointStream) -> list[Setpoint]:
    setpoints = [stream.tick()]
    while setpoints[-1].moving and len(setpoints) < 500:
        setpoints.append(stream.tick())
    assert not setpoints[-1].moving, "never came to rest"
    return setpoints


def test_nothing_comes_out_before_a_measured_state_is_known():
    stream = SetpointStream(KINEMATICS, LIMITS)
    assert not stream.ready
    stream.brake()
    for command in (
        stream.tick,
        stream.pose,
        lambda: stream.follow(START_M, np.eye(3), 0.0),
        lambda: stream.move_by(np.zeros(7)),
    ):
        with pytest.raises(RuntimeError, match="call reset"):
            command()


@pytest.mark.parametrize("q", [HOME_RAD[:6], np.full(7, NAN), HOME_RAD[None], np.array(0.0), np.full(7, np.inf)])
def test_a_measured_state_that_is_none_leaves_the_stream_unready(q):
    stream = stream_at_home()
    with pytest.raises(ValueError, match="7 finite joint positions"):
        stream.reset(q, 0.0)
    assert not stream.ready


def test_a_gripper_state_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="closure"):
        SetpointStream(KINEMATICS, LIMITS).reset(HOME_RAD, NAN)


def test_the_first_setpoint_after_a_reset_is_where_the_arm_is():
    setpoint = stream_at_home(closure=0.4).tick()
    assert not setpoint.moving
    np.testing.assert_allclose(setpoint.xyz_m, START_M, atol=1e-4)
    np.testing.assert_allclose(setpoint.q_rad, HOME_RAD, atol=0.01)
    assert setpoint.closure == 0.4


def test_a_target_is_reached_at_rest_with_the_gripper_as_told():
    stream = stream_at_home()
    target, rotation = np.array([0.55, -0.05, 0.1]), rotation_from_rpy([0.0, 0.1, 0.3])
    stream.follow(target, rotation, 0.7)
    last = run_to_rest(stream)[-1]
    np.testing.assert_allclose(last.xyz_m, target, atol=1e-6)
    np.testing.assert_allclose(rotation_vector(last.rotation @ rotation.T), 0.0, atol=1e-6)
    np.testing.assert_allclose(last.linear_velocity_m_s, 0.0, atol=1e-9)
    assert last.closure == pytest.approx(0.7)
    reached, turned = KINEMATICS.tcp_pose(last.q_rad)
    np.testing.assert_allclose(reached, target, atol=1e-3)
    np.testing.assert_allclose(turned, rotation, atol=2e-3)


def test_a_target_outside_the_workspace_ends_on_its_border():
    stream = stream_at_home()
    stream.follow(np.array([2.0, 0.0, -1.0]), np.eye(3), 0.0)
    expected = [LIMITS.workspace_max_m[0], 0.0, LIMITS.workspace_min_m[2]]
    np.testing.assert_allclose(run_to_rest(stream)[-1].xyz_m, expected, atol=1e-6)


@pytest.mark.parametrize("turn", [-0.5, 0.5])
def test_turns_add_up_to_the_bound_of_the_yaw_and_no_further(turn):
    stream = stream_at_home()
    for _ in range(5):
        stream.move_by([0.0, 0.0, 0.0, 0.0, 0.0, turn, 0.0])
        run_to_rest(stream)
    bound = LIMITS.workspace_yaw_rad[turn > 0]
    np.testing.assert_allclose(stream.pose()[1], rotation_from_rpy([0.0, 0.0, bound]), atol=1e-4)


def test_a_motion_takes_the_time_it_is_given_and_no_less():
    stream = stream_at_home()
    stream.follow(beside_start(0.02, 0.0, 0.0), np.eye(3), 0.0, min_duration_s=0.5)
    assert len(run_to_rest(stream)) in (50, 51)


def test_setpoints_come_at_the_rate_that_was_asked_for():
    stream = SetpointStream(KINEMATICS, LIMITS, rate_hz=250.0)
    stream.reset(HOME_RAD, 0.0)
    stream.follow(beside_start(0.02, 0.0, 0.0), np.eye(3), 0.0, min_duration_s=0.5)
    assert len(run_to_rest(stream)) in (125, 126)


def test_actions_add_up_from_setpoint_to_setpoint():
    stream = stream_at_home(closure=0.2)
    for _ in range(3):
        stream.move_by([0.02, -0.01, 0.01, 0.0, 0.0, 0.1, 0.1], 0.22)
        run_to_rest(stream)
    xyz, rotation = stream.pose()
    np.testing.assert_allclose(xyz, beside_start(0.06, -0.03, 0.03), atol=1e-4)
    np.testing.assert_allclose(rotation, rotation_from_rpy([0.0, 0.0, 0.3]), atol=1e-4)
    assert stream.closure == pytest.approx(0.5)


def test_a_rotation_turns_about_the_axes_of_the_base():
    stream = stream_at_home()
    turns = [0.0, 0.0, 0.3], [0.1, 0.0, 0.0]
    for turn in turns:
        stream.move_by([0.0, 0.0, 0.0, *turn, 0.0])
        run_to_rest(stream)
    np.testing.assert_allclose(stream.pose()[1], rotation_from_rpy(turns[1]) @ rotation_from_rpy(turns[0]), atol=1e-4)


@pytest.mark.parametrize(("closure", "change", "expected"), [(0.8, 1.0, 1.0), (0.2, -1.0, 0.0)])
def test_the_gripper_stops_at_fully_open_and_fully_closed(closure, change, expected):
    stream = stream_at_home(closure)
    stream.move_by([0.0] * 6 + [change])
    assert run_to_rest(stream)[-1].closure == expected


@pytest.mark.parametrize(
    ("xyz", "rotation", "closure"),
    [
        ([NAN, 0.0, 0.1], np.eye(3), 0.0),
        ([0.5, np.inf, 0.1], np.eye(3), 0.0),
        (START_M, np.full((3, 3), NAN), 0.0),
        (START_M, np.eye(3), NAN),
        (START_M[:2], np.eye(3), 0.0),
        (0.5, np.eye(3), 0.0),
        (START_M, np.zeros(3), 0.0),
    ],
)
def test_a_bad_target_is_refused_and_the_previous_one_stays_in_force(xyz, rotation, closure):
    stream = stream_at_home()
    target, turned = beside_start(0.05, 0.05, 0.05), rotation_from_rpy([0.0, 0.0, 0.4])
    stream.follow(target, turned, 1.0)
    run(stream, 8)
    with pytest.raises(ValueError, match="target"):
        stream.follow(np.asarray(xyz), rotation, closure)
    last = run_to_rest(stream)[-1]
    np.testing.assert_allclose(last.xyz_m, target, atol=1e-6)
    np.testing.assert_allclose(last.rotation, turned, atol=1e-6)
    assert last.closure == 1.0


@pytest.mark.parametrize("action", [np.zeros(6), np.zeros((1, 7)), np.full(7, NAN), np.zeros(1)])
def test_what_is_no_action_is_refused_and_moves_nothing(action):
    stream = stream_at_home()
    with pytest.raises(ValueError, match="an action is 7 finite numbers"):
        stream.move_by(action)
    assert not stream.tick().moving


def test_the_caller_may_reuse_its_arrays():
    stream = stream_at_home()
    q, target = HOME_RAD.copy(), beside_start(0.03, 0.0, 0.0)
    stream.reset(q, 0.0)
    stream.follow(target, np.eye(3), 0.0)
    first = stream.tick()
    kept = first.xyz_m.copy()
    q[:], target[:] = 0.0, 0.0
    last = run_to_rest(stream)[-1]
    np.testing.assert_allclose(last.xyz_m, beside_start(0.03, 0.0, 0.0), atol=1e-4)
    np.testing.assert_array_equal(first.xyz_m, kept)


def test_a_reset_in_mid_motion_forgets_the_motion():
    stream = stream_at_home()
    stream.follow(beside_start(0.1, 0.0, 0.0), np.eye(3), 1.0)
    run(stream, 10)
    stream.reset(HOME_RAD, 0.0)
    for setpoint in run(stream, 20):
        assert not setpoint.moving
        np.testing.assert_allclose(setpoint.xyz_m, START_M, atol=1e-4)
        assert setpoint.closure == 0.0


def test_what_rounding_leaves_of_a_motion_that_has_ended_is_no_motion():
    """Ruckig finds no profile for these numbers, which a motion left behind after half an hour of goals."""
    place = np.array([0.528953957273947, -0.05319484707677255, 0.01499999999999999])
    stream = SetpointStream(KINEMATICS, LIMITS)
    stream.reset(KINEMATICS.inverse(place, np.eye(3), POSTURE_RAD), 0.0)
    stream.follow(place, np.eye(3), 0.0)
    stream._input.current_position = [*place, 0.0, 0.0, 0.0]
    stream._input.current_velocity = [1.69446853161316e-20, 8.103888182096297e-19, 0.0, 0.0, 0.0, 0.0]
    stream._input.current_acceleration = [1.713335894058636e-18, -2.220446049250313e-16, 0.0, 0.0, 0.0, 0.0]
    turn = [3.049980671346988e-16, -3.411173064335925e-16, -2.320306734729e-17]
    stream._input.target_position = [*place[:2], 0.015, *turn]
    with pytest.raises(ruckig.RuckigError):
        ruckig.Ruckig(6, 0.01).update(stream._input, ruckig.OutputParameter(6))
    np.testing.assert_allclose(run_to_rest(stream)[-1].xyz_m, place, atol=1e-6)


@pytest.mark.parametrize("after", range(14, 26))
def test_setpoints_may_be_skipped_at_the_very_end_of_a_motion(after):
    for number in range(12):
        rng = np.random.default_rng(number)
        stream = stream_at_home()
        target = beside_start(*rng.uniform(-0.06, 0.06, 3))
        stream.follow(target, np.eye(3), 0.0, 0.22)
        run(stream, after)
        stream.skip(1 + number % 3)
        np.testing.assert_allclose(run_to_rest(stream)[-1].xyz_m, target, atol=1e-6)


def test_a_stream_without_a_profile_brakes_and_stays(monkeypatch):
    """Whatever happens inside, something safe comes out."""
    stream = stream_at_home()
    stream.follow(beside_start(0.1, 0.0, 0.0), np.eye(3), 0.0)
    moving = run(stream, 8)[-1]
    update, calls = stream._profile.update, []

    class Broken:
        def update(self, motion, output):
            calls.append(motion.control_interface)
            if motion.control_interface == ruckig.ControlInterface.Position:
                raise ruckig.RuckigError("a test")
            return update(motion, output)

    monkeypatch.setattr(stream, "_profile", Broken())
    setpoints = run(stream, 40)
    assert np.linalg.norm(setpoints[-1].linear_velocity_m_s) < 1e-9
    assert 0.0 < setpoints[-1].xyz_m[0] - moving.xyz_m[0] < 0.04
    assert calls.count(ruckig.ControlInterface.Position) == 1
