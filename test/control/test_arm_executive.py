import numpy as np
import pytest
from arm_rig import HOME_RAD, KINEMATICS, LIMITS, PERIOD_S, RAISED_RAD, Rig

from jepa_planner.control.arm_executive import ArmExecutive, Mode
from jepa_planner.control.arm_settings import ArmSettings
from jepa_planner.control.kinematics import ArmKinematics, rotation_from_rpy
from jepa_planner.control.step_checks import Step


def speeds(rig: Rig) -> np.ndarray:
    return np.array([np.linalg.norm(setpoint.linear_velocity_m_s) for setpoint in rig.sent])


def test_nothing_is_commanded_before_the_first_plan(rig):
    rig.tick(100)
    assert rig.sent == []


def test_a_plan_before_the_first_joint_state_is_refused():
    executive = ArmExecutive(KINEMATICS, LIMITS, 100.0, ArmSettings())
    assert "no joint state yet" in executive.offer(1.0, Step(1, 1.0, 1.0, 0.5, 0.25, np.zeros(3), np.eye(3), 0.0)).text
    assert executive.tick(1.0) is None


def test_a_plan_moves_the_arm_to_its_first_target_and_to_rest(rig):
    start = rig.xyz()
    assert rig.offer(by_m=(0.03, -0.02, 0.04)) == ""
    rig.tick(25)
    assert rig.executive.mode is Mode.HOLDING
    np.testing.assert_allclose(rig.xyz() - start, (0.03, -0.02, 0.04), atol=1e-4)
    assert len(rig.sent) == 23
    assert np.all(rig.sent[-1].dq_rad_s == 0.0)


def test_the_first_setpoint_lies_within_a_small_step_of_the_measured_state(rig):
    rig.offer(by_m=(0.06, 0.0, 0.0))
    before = rig.q_rad
    rig.tick()
    assert np.max(np.abs(rig.sent[0].q_rad - before)) < 0.005


def test_the_arm_is_silent_again_when_it_rests(rig):
    rig.offer()
    rig.tick(100)
    assert len(rig.sent) == 23


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"planned_at_s": 99.0}, "late"),
        ({"planned_at_s": 110.0}, "ahead of arm_node's clock"),
        ({"observed_at_s": 110.0}, "ahead of arm_node's clock"),
        ({"observed_at_s": 90.0}, "stale observation"),
        ({"xyz_m": np.array([np.nan, 0.0, 0.2])}, "finite"),
        ({"closure": np.inf}, "finite"),
        ({"closure": 40.0}, "closure is 40, expected 0 (open) to 1 (closed)"),
        ({"valid_for_s": np.nan}, "finite"),
        ({"duration_s": 0.0}, "expected more than 0"),
        ({"duration_s": 1e9}, "at most"),
        ({"by_m": (0.2, 0.0, 0.0)}, "from the measured tcp"),
        ({"rotation": rotation_from_rpy([0.0, 0.0, 1.5])}, "turned"),
        ({"plan_id": 0}, "replayed"),
    ],
)
def test_a_bad_plan_is_refused_by_name_and_moves_nothing(rig, changes, reason):
    refusal = rig.offer(**changes)
    assert reason in refusal
    assert refusal in rig.executive.reason
    rig.tick(50)
    assert rig.sent == []


def test_a_plan_that_was_refused_cannot_come_again(rig):
    rig.offer(plan_id=7, closure=np.nan)
    assert "replayed" in rig.offer(plan_id=7)


def test_a_finished_plan_never_replays(rig):
    rig.offer(plan_id=7)
    rig.tick(40)
    assert "replayed" in rig.offer(plan_id=7)


def test_an_observation_from_before_the_last_motion_ended_is_stale(rig):
    rig.offer(plan_id=1)
    rig.tick(30)
    refusal = rig.offer(plan_id=2, observed_at_s=rig.executive.rest_since_s - 0.01)
    assert "before the last motion ended" in refusal


def test_a_plan_in_the_middle_of_a_motion_is_refused(moving):
    assert "moving" in moving.offer(plan_id=2)


def test_silent_joint_states_brake_the_arm_and_name_it(moving):
    moving.joint_states_arrive = False
    moving.now_s += 0.3
    moving.tick(40)
    assert moving.executive.mode is Mode.WAITING
    assert "joint state is stale" in moving.executive.reason
    assert not moving.executive.moving
    assert speeds(moving)[-1] < 1e-6
    moving.joint_states_arrive = True
    moving.tick()
    assert moving.executive.mode is Mode.HOLDING


@pytest.mark.parametrize("ahead_s", [0.0, 0.02, -0.02])
def test_clocks_that_agree_well_enough_leave_the_limit_of_silence_as_it_is(ahead_s):
    rig = Rig()
    rig.robot_ahead_s = ahead_s
    rig.tick(3)
    assert rig.offer(duration_s=1.0) == ""
    rig.tick(30)
    last_s, rig.joint_states_arrive = rig.now_s, False
    while rig.executive.mode is Mode.MOVING:
        rig.tick()
    assert 0.23 - PERIOD_S < rig.now_s - last_s <= 0.25 + 1.5 * PERIOD_S
    assert "joint state is stale" in rig.executive.reason and "limit 0.25 s" in rig.executive.reason


@pytest.mark.parametrize("ahead_s", [0.3, 0.6, 0.99, 5.0, -0.3, -0.6, -0.99, -5.0])
def test_an_arm_whose_clock_is_another_is_not_moved_and_both_clocks_are_named(ahead_s):
    rig = Rig()
    rig.robot_ahead_s = ahead_s
    rig.tick(3)
    refusal = rig.offer()
    assert "the clocks of its source's computer and of arm_node's differ" in refusal
    assert f"{abs(ahead_s):.2f} s {'ahead' if ahead_s > 0 else 'old on arrival'}" in refusal
    rig.tick(50)
    assert rig.sent == [] and rig.executive.mode is Mode.WAITING


@pytest.mark.parametrize("ahead_s", [0.3, 0.99, 5.0, -0.3, -0.99, -5.0])
def test_a_clock_that_is_set_in_mid_motion_brakes_the_arm_and_is_named(moving, ahead_s):
    moving.robot_ahead_s = ahead_s
    set_s = moving.now_s
    while moving.executive.mode is Mode.MOVING:
        moving.tick()
    assert moving.now_s - set_s <= 0.25 + 1.5 * PERIOD_S
    moving.tick(40)
    assert not moving.executive.moving
    assert "joint state" in moving.executive.reason


@pytest.mark.parametrize("ahead_s", [0.3, 0.99, 5.0])
def test_a_plan_of_a_clock_that_is_ahead_is_refused_and_both_clocks_are_named(rig, ahead_s):
    refusal = rig.offer(planned_at_s=rig.now_s + ahead_s)
    assert f"{ahead_s:.2f} s ahead of arm_node's clock" in refusal


@pytest.mark.parametrize("behind_s", [0.99, 5.0])
def test_a_plan_of_a_clock_that_is_behind_is_late_and_the_clock_is_named(rig, behind_s):
    refusal = rig.offer(planned_at_s=rig.now_s - behind_s)
    assert f"late: planned {behind_s:.2f} s ago, valid for 0.50 s, unless the clock" in refusal


def test_joint_states_that_cannot_be_used_are_named_rather_than_missed():
    rig = Rig()
    rig.executive.measured(rig.now_s, rig.now_s, np.full(7, np.nan), 0.0)
    rig.executive.tick(rig.now_s)
    assert rig.executive.reason == "joint state holds numbers that are not finite"
    rig.tick(2)
    assert rig.executive.reason == "joint states arrive; before: joint state holds numbers that are not finite"


def test_a_stop_decelerates_and_is_latched(moving):
    moving.executive.stop("button")
    assert moving.executive.mode is Mode.STOPPED
    moving.tick(40)
    assert np.linalg.norm(moving.xyz() - KINEMATICS.tcp_pose(HOME_RAD)[0]) < 0.045  # short of the target
    assert speeds(moving)[-1] < 1e-6
    assert np.max(np.abs(np.diff(speeds(moving)))) <= LIMITS.linear_acceleration_m_s2 * PERIOD_S + 1e-6
    assert "call ~/reset" in moving.offer(plan_id=2)
    assert moving.executive.mode is Mode.STOPPED
    assert moving.executive.reset(moving.now_s).ok
    assert moving.offer(plan_id=3) == ""


def test_a_stop_is_not_reset_while_the_arm_still_moves(moving):
    moving.executive.stop("button")
    assert "still moving" in moving.executive.reset(moving.now_s).text


def test_a_hold_brakes_and_the_next_plan_is_taken(moving):
    moving.executive.hold("cancelled")
    moving.tick(40)
    assert moving.executive.mode is Mode.HOLDING
    assert moving.executive.reason == "cancelled"
    assert np.linalg.norm(moving.xyz() - KINEMATICS.tcp_pose(HOME_RAD)[0]) < 0.045
    assert moving.offer(plan_id=2) == ""


def test_an_arm_that_does_not_follow_is_braked(moving):
    blocked = moving.q_rad
    for _ in range(30):
        moving.now_s += PERIOD_S
        moving.executive.measured(moving.now_s, moving.now_s, blocked + 0.2, 0.0)
        moving.executive.tick(moving.now_s)
    assert "from where it was told to be" in moving.executive.reason
    assert not moving.executive.moving


def test_an_arm_moved_by_hand_starts_from_where_it_is(rig):
    rig.offer()
    rig.tick(30)
    rig.q_rad = HOME_RAD + np.array([0.3, 0, 0, 0, 0, 0, 0])
    rig.tick()
    assert rig.offer(plan_id=2) == ""
    rig.sent.clear()
    rig.tick()
    assert np.max(np.abs(rig.sent[0].q_rad - HOME_RAD - np.array([0.3, 0, 0, 0, 0, 0, 0]))) < 0.01


def test_a_clock_that_jumps_back_disarms(moving):
    moving.joint_states_arrive = False
    moving.now_s -= 0.5
    moving.tick(40)
    assert moving.executive.mode is Mode.WAITING
    assert not moving.executive.moving
    assert moving.offer(plan_id=2) != ""


def test_an_invalid_joint_state_does_not_count_as_an_arrival(rig):
    rig.joint_states_arrive = False
    for _ in range(40):
        rig.executive.measured(rig.now_s, rig.now_s, np.full(7, np.nan), 0.0)
        rig.tick()
    assert rig.executive.mode is Mode.WAITING


def test_a_reset_keeps_the_grip_on_what_the_gripper_holds(rig):
    rig.offer(closure=1.0)
    for _ in range(40):
        rig.tick()
        rig.closure = min(rig.closure, 0.45)  # as far as the fingers get around an object
    rig.executive.stop("button")
    rig.tick(5)
    rig.closure = 0.45
    rig.executive.measured(rig.now_s, rig.now_s + 0.001, rig.q_rad, rig.closure)
    assert rig.executive.reset(rig.now_s).ok
    assert rig.executive.stream.closure == 1.0


@pytest.mark.parametrize("opened", [0.0, 0.01])
def test_a_reset_believes_a_gripper_that_somebody_opened(rig, opened):
    rig.offer(closure=1.0)
    rig.tick(40)
    rig.closure = opened
    rig.tick(2)
    assert rig.executive.reset(rig.now_s).ok
    assert rig.executive.stream.closure == 0.0


def test_a_clock_that_jumps_ahead_disarms(moving):
    moving.now_s += 3600.0
    moving.executive.tick(moving.now_s)
    assert moving.executive.mode is Mode.WAITING
    assert "joint state is stale" in moving.executive.reason


@pytest.mark.parametrize("set_s", [0.02, 0.1, 0.24, 0.5, 5.0, -0.03, -0.045, -0.5, -5.0])
def test_a_clock_that_is_set_in_mid_motion_makes_no_setpoint_leap_and_leaves_none_out(moving, set_s):
    count, q = len(moving.sent), [moving.q_rad]
    moving.clock_set_s = set_s
    while moving.executive.moving:
        moving.tick()
        q.append(moving.q_rad)
    assert len(q) - 1 == len(moving.sent) - count
    speeds_rad_s = np.abs(np.diff(q, axis=0)) / PERIOD_S
    assert np.all(speeds_rad_s <= KINEMATICS.velocity_rad_s * LIMITS.joint_velocity_scale)


def test_a_clock_that_was_set_back_is_named_also_when_joint_states_arrive_again(moving):
    moving.joint_states_arrive, moving.clock_set_s = False, -5.0
    moving.tick(40)
    assert moving.executive.reason == "the clock jumped back"
    assert "the clock jumped back" in moving.executive.offer(moving.now_s - 5.0, moving.step(2)).text
    moving.joint_states_arrive = True
    moving.tick()
    assert moving.executive.reason == "joint states arrive; before: the clock jumped back"


def test_a_target_that_the_joints_cannot_reach_is_refused_and_the_joint_named(rig):
    narrow = ArmKinematics(LIMITS.robot_description, LIMITS.tcp_frame)
    narrow.lower_rad, narrow.upper_rad = HOME_RAD - 0.01, HOME_RAD + 0.01
    rig.executive = ArmExecutive(narrow, LIMITS, 1.0 / PERIOD_S, ArmSettings())
    rig.tick(2)
    refusal = rig.offer(plan_id=9)
    assert "panda_joint" in refusal and "from its margin" in refusal
    rig.tick(20)
    assert rig.sent == []


@pytest.mark.parametrize("by_m", [(0.0, 0.0, 0.01), (0.0, 0.05, 0.0), (0.0, 0.0, 0.0), (-0.02, 0.03, 0.0)])
def test_an_arm_outside_its_workspace_takes_no_step_that_does_not_lead_back_and_says_how_far_outside_it_is(by_m):
    rig = Rig(q_rad=RAISED_RAD)
    rig.tick(2)
    refusal = rig.offer(by_m=by_m)
    assert "0.043 m outside the workspace box (x 0.307, box from 0.35)" in refusal
    assert "0.242 m above the workspace box (z 0.487, box up to 0.245)" in refusal
    assert "bring it in by hand, or widen workspace_min_m and workspace_max_m" in refusal
    rig.tick(50)
    assert rig.sent == []


def test_an_arm_outside_its_workspace_comes_back_by_the_steps_it_is_asked_for():
    rig = Rig(q_rad=RAISED_RAD)
    rig.tick(2)
    for number, by_m in enumerate([(0.0, 0.0, -0.05), (0.03, 0.02, -0.1), (0.03, -0.01, -0.1)], start=1):
        before = rig.xyz()
        assert rig.offer(number, by_m) == ""
        rig.tick(80)
        np.testing.assert_allclose(rig.xyz() - before, by_m, atol=2e-3)
    assert LIMITS.inside_workspace(rig.xyz())


def test_an_arm_a_little_outside_its_workspace_goes_on_working_and_gets_no_further_out():
    below = KINEMATICS.inverse(np.array([0.5, 0.0, LIMITS.workspace_min_m[2] - 0.006]), np.eye(3), HOME_RAD)
    rig = Rig(q_rad=below)
    rig.tick(2)
    start = rig.xyz()
    assert rig.offer(1, (0.04, 0.0, -0.03)) == ""
    rig.tick(40)
    np.testing.assert_allclose(rig.xyz() - start, (0.04, 0.0, 0.0), atol=1e-3)
    assert rig.offer(2, (0.0, 0.0, 0.02)) == ""
    rig.tick(40)
    np.testing.assert_allclose(rig.xyz() - start, (0.04, 0.0, 0.02), atol=1e-3)


def test_what_the_limits_leave_of_a_target_is_judged_like_the_target(rig, monkeypatch):
    away = rig.executive.stream.clip(rig.xyz() + np.array([0.1, 0.1, 0.0]), np.eye(3), 0.0)
    monkeypatch.setattr(rig.executive.stream, "clip", lambda *_: away)
    assert "first target is 0.141 m from the measured tcp" in rig.offer()
    rig.tick(20)
    assert rig.sent == []


@pytest.mark.parametrize("turned_rad", [0.04 * np.eye(7)[6], -0.4 * np.eye(7)[6]])
def test_a_wrist_turned_by_hand_starts_from_where_it_is_though_the_tcp_is_in_place(rig, turned_rad):
    rig.q_rad = HOME_RAD + turned_rad
    rig.tick(2)
    assert rig.offer() == ""
    rig.tick()
    assert np.max(np.abs(rig.sent[0].q_rad - HOME_RAD - turned_rad)) < 0.005


def test_joint_states_of_another_robot_or_in_degrees_move_nothing_and_the_joint_is_named():
    rig = Rig(q_rad=np.degrees(HOME_RAD))
    rig.tick(2)
    refusal = rig.offer()
    assert (
        "panda_joint6 is 142.365 rad beyond its margin" in refusal
        and "limit 3.7525" in refusal
        and "must be in rad" in refusal
    )
    rig.tick(20)
    assert rig.sent == []
