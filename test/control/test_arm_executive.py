from dataclasses import replace

import numpy as np
import pytest

from jepa_planner.control.arm_executive import ArmExecutive, ArmSettings, Mode, Step
from jepa_planner.control.kinematics import NOMINAL_POSTURE_RAD, ArmKinematics, rpy_from_rotation
from jepa_planner.control.limits import SafetyLimits

PERIOD_S = 0.01
LIMITS = SafetyLimits.panda()
KINEMATICS = ArmKinematics(LIMITS.robot_description, LIMITS.tcp_frame, LIMITS.joint_margin_rad)
HOME_RAD = KINEMATICS.inverse(np.array([0.5, 0.0, 0.15]), np.eye(3), NOMINAL_POSTURE_RAD)


class Rig:
    """An executive whose arm obeys at once, and a clock that the test moves."""

    def __init__(self, start_s: float = 100.0) -> None:
        self.executive = ArmExecutive(KINEMATICS, LIMITS, 1.0 / PERIOD_S, ArmSettings())
        self.now_s = start_s
        self.q_rad = HOME_RAD
        self.closedness = 0.0
        self.sent = []
        self.joint_states_arrive = True

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.now_s += PERIOD_S
            if self.joint_states_arrive:
                self.executive.measured(self.now_s, self.q_rad, self.closedness)
            setpoint = self.executive.tick(self.now_s)
            if setpoint is not None:
                self.sent.append(setpoint)
                self.q_rad, self.closedness = setpoint.q_rad, setpoint.closedness

    def step(self, plan_id: int = 1, by_m=(0.0, 0.0, 0.05), **changes) -> Step:
        xyz, rotation = self.executive.stream.pose()
        step = Step(plan_id, self.now_s, self.now_s, 0.5, 0.25, xyz + by_m, rpy_from_rotation(rotation), 0.0)
        return replace(step, **changes)

    def offer(self, *args, **changes) -> str:
        return self.executive.offer(self.now_s, self.step(*args, **changes))

    def xyz(self) -> np.ndarray:
        return KINEMATICS.tcp_pose(self.q_rad)[0]


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.tick(2)
    return rig


@pytest.fixture
def moving(rig) -> Rig:
    assert rig.offer() == ""
    rig.tick(8)
    assert rig.executive.moving
    return rig


def speeds(rig: Rig) -> np.ndarray:
    return np.array([np.linalg.norm(setpoint.linear_velocity_m_s) for setpoint in rig.sent])


def test_nothing_is_commanded_before_the_first_plan(rig):
    rig.tick(100)
    assert rig.sent == []


def test_a_plan_before_the_first_joint_state_is_refused():
    executive = ArmExecutive(KINEMATICS, LIMITS, 100.0, ArmSettings())
    assert "no joint state yet" in executive.offer(1.0, Step(1, 1.0, 1.0, 0.5, 0.25, np.zeros(3), np.zeros(3), 0.0))
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
        ({"planned_at_s": 110.0}, "in the future"),
        ({"observed_at_s": 90.0}, "stale observation"),
        ({"xyz_m": np.array([np.nan, 0.0, 0.2])}, "finite"),
        ({"closedness": np.inf}, "finite"),
        ({"duration_s": 0.0}, "expected more than 0"),
        ({"duration_s": 1e9}, "at most"),
        ({"by_m": (0.2, 0.0, 0.0)}, "from the measured tcp"),
        ({"rpy_rad": np.array([0.0, 0.0, 1.5])}, "turned"),
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
    rig.offer(plan_id=7, closedness=np.nan)
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


def test_a_stop_decelerates_and_is_latched(moving):
    moving.executive.stop("button")
    assert moving.executive.mode is Mode.STOPPED
    moving.tick(40)
    assert np.linalg.norm(moving.xyz() - KINEMATICS.tcp_pose(HOME_RAD)[0]) < 0.045  # short of the target
    assert speeds(moving)[-1] < 1e-6
    assert np.max(np.abs(np.diff(speeds(moving)))) <= LIMITS.linear_acceleration_m_s2 * PERIOD_S + 1e-6
    assert "call ~/reset" in moving.offer(plan_id=2)
    assert moving.executive.mode is Mode.STOPPED
    assert moving.executive.reset(moving.now_s) == ""
    assert moving.offer(plan_id=3) == ""


def test_a_stop_is_not_reset_while_the_arm_still_moves(moving):
    moving.executive.stop("button")
    assert "still moving" in moving.executive.reset(moving.now_s)


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
        moving.executive.measured(moving.now_s, blocked + 0.2, 0.0)
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
        rig.executive.measured(rig.now_s, np.full(7, np.nan), 0.0)
        rig.tick()
    assert rig.executive.mode is Mode.WAITING
