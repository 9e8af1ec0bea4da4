"""Whatever plans, people, clocks and sensors do, and in whatever order: no setpoint leaves that breaks a limit."""

from collections.abc import Callable

import numpy as np
from arm_rig import HOME_RAD, KINEMATICS, LIMITS, PERIOD_S, RAISED_RAD, Rig
from hypothesis import given, settings
from hypothesis import strategies as st

from jepa_planner.control.arm_executive import Mode
from jepa_planner.control.kinematics import rotation_from_rpy
from jepa_planner.control.setpoints import Setpoint

SLACK = 1 + 1e-6
Event = Callable[[Rig], object]


def triple(size: float) -> st.SearchStrategy[tuple[float, float, float]]:
    return st.tuples(*[st.floats(-size, size)] * 3)


ANYTHING = st.floats(width=64)
"""Whatever a message can hold."""


def plans() -> st.SearchStrategy[Event]:
    def offer(by_m, turn_rad, closure, duration_s, late_s, seen_s, replayed) -> Event:
        def event(rig: Rig) -> None:
            plan_id = rig.executive.accepted_plan_id + (0 if replayed else 1 + rig.executive.refused_plan_id)
            if rig.executive.stream.ready:
                rig.offer(
                    plan_id, by_m, rotation=rotation_from_rpy(turn_rad), closure=closure, duration_s=duration_s,
                    planned_at_s=rig.now_s - late_s, observed_at_s=rig.now_s - seen_s,
                )  # fmt: skip

        return event

    times = st.sampled_from([0.0, 0.0, 0.0, 0.0, 0.6, -3.0]), st.sampled_from([0.0, 0.0, 0.0, 0.0, 6.0])
    replays = st.sampled_from([False, False, False, True])
    far = st.sampled_from([(0.1, 0.0, 0.0), (-0.1, 0.0, 0.0), (0.0, 0.1, 0.0), (0.0, 0.0, 0.1), (0.0, 0.0, -0.1)])
    sane = st.builds(
        offer, st.one_of(triple(0.06), far), triple(0.1), st.floats(0.0, 1.0), st.floats(0.1, 1.0), *times, replays
    )
    wild = st.builds(offer, st.tuples(*[ANYTHING] * 3), triple(4.0), ANYTHING, ANYTHING, *times, replays)
    return st.one_of(sane, sane, sane, wild)


def _silence(on: bool) -> Event:
    return lambda rig: setattr(rig, "joint_states_arrive", on)


def _clock(by_s: float) -> Event:
    return lambda rig: setattr(rig, "now_s", rig.now_s + by_s)


def _robot_clock(ahead_s: float) -> Event:
    return lambda rig: setattr(rig, "robot_ahead_s", ahead_s)


def _push(rad: float) -> Event:
    def event(rig: Rig) -> None:
        if not rig.executive.moving:
            rig.q_rad = HOME_RAD + rad
            rig.tick(2)

    return event


NONSENSE = np.full(7, np.nan)
EVENTS = st.one_of(
    plans(),
    plans(),
    st.integers(1, 30).map(lambda count: lambda rig: rig.tick(count)),
    st.sampled_from(
        [
            lambda rig: rig.executive.hold("a test"),
            lambda rig: rig.executive.stop("a test"),
            lambda rig: rig.executive.reset(rig.now_s),
            lambda rig: rig.executive.measured(rig.now_s, rig.now_s + 1.0, NONSENSE, np.inf),
            _silence(False), _silence(True), _clock(0.05), _clock(0.5), _clock(-2.0), _push(0.02), _push(-0.03),
            _robot_clock(0.0), _robot_clock(0.015), _robot_clock(0.3), _robot_clock(-0.3),
        ]
    ),
)  # fmt: skip


BELOW_RAD = KINEMATICS.inverse(np.array([0.5, 0.1, LIMITS.workspace_min_m[2] - 0.008]), np.eye(3), HOME_RAD)
OUTER_RAD = HOME_RAD + (2.88 - HOME_RAD[6]) * np.eye(7)[6]
STARTS = st.sampled_from([HOME_RAD, HOME_RAD, RAISED_RAD, BELOW_RAD, OUTER_RAD])
"""Joint positions [7]: inside, far above the workspace, a little below it, and with a joint beyond its margin."""


class Witness(Rig):
    """A rig that judges every setpoint as it leaves; where an arm starts outside of a bound, it is the bound."""

    def __init__(self, start_rad: np.ndarray = HOME_RAD, ahead_s: float = 0.0) -> None:
        super().__init__(q_rad=start_rad, ahead_s=ahead_s)
        start_m = self.xyz()
        self.lowest_rad, self.highest_rad = self._with(start_rad, KINEMATICS.lower_rad, KINEMATICS.upper_rad)
        self.lowest_m, self.highest_m = self._with(start_m, LIMITS.workspace_min_m, LIMITS.workspace_max_m)
        self.last: Setpoint | None = None
        self.last_sent_at_s = 0.0

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            count, before = len(self.sent), self.q_rad
            was_stopped = self.executive.mode is Mode.STOPPED
            super().tick()
            if len(self.sent) > count:
                self.judge(self.sent[-1], before, was_stopped)

    @staticmethod
    def _with(start: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.minimum(start, lower), np.maximum(start, upper)

    def in_bounds(self, xyz_m: np.ndarray, tolerance_m: float = 1e-6) -> bool:
        return bool(np.all(xyz_m >= self.lowest_m - tolerance_m) and np.all(xyz_m <= self.highest_m + tolerance_m))

    def offer(self, *args, **changes) -> str:
        """A step that is taken moves the tcp no further than it may, and no axis against what was asked."""
        asked_m, before_m = self.step(*args, **changes).xyz_m, self.executive.stream.pose()[0]
        refusal = super().offer(*args, **changes)
        if not refusal:
            sent_m = np.array(self.executive.stream.clip(asked_m, np.eye(3), 0.0).xyz_m)
            aim_m = np.array(self.executive.stream._input.target_position[:3])
            np.testing.assert_array_equal(aim_m, sent_m)
            assert np.linalg.norm(aim_m - self.executive.measurement.xyz_m) <= LIMITS.max_step_m
            assert np.all((aim_m - before_m) * np.sign(asked_m - before_m) >= 0.0)
            assert np.all(np.abs(aim_m - before_m) <= np.abs(asked_m - before_m) + 1e-12)
        return refusal

    def judge(self, setpoint: Setpoint, before_rad: np.ndarray, was_stopped: bool) -> None:
        assert self.executive.accepted_plan_id > 0, "a command without a plan"
        numbers = (*setpoint.q_rad, *setpoint.dq_rad_s, *setpoint.xyz_m, setpoint.closure)
        assert np.all(np.isfinite(numbers))
        assert np.all(setpoint.q_rad >= self.lowest_rad - 1e-9)
        assert np.all(setpoint.q_rad <= self.highest_rad + 1e-9)
        speed_max = KINEMATICS.velocity_rad_s * LIMITS.joint_velocity_scale * SLACK
        assert np.all(np.abs(setpoint.dq_rad_s) <= speed_max)
        passed_s = max(PERIOD_S, self.now_s - self.last_sent_at_s) if self.last is not None else PERIOD_S
        assert np.all(np.abs(setpoint.q_rad - before_rad) <= speed_max * passed_s + 1e-9)
        assert np.all(np.abs(setpoint.linear_velocity_m_s) <= LIMITS.linear_velocity_m_s * SLACK)
        assert self.in_bounds(setpoint.xyz_m)
        assert self.in_bounds(KINEMATICS.tcp_pose(setpoint.q_rad)[0], tolerance_m=2e-3)
        assert 0.0 <= setpoint.closure <= 1.0
        coming = self.executive.stream.coming()
        assert not np.any(coming[-1].dq_rad_s)
        assert np.all(np.abs(coming[0].q_rad - setpoint.q_rad) <= speed_max * coming[0].after_s + 1e-9)
        for point in coming[::3]:
            assert self.in_bounds(KINEMATICS.tcp_pose(point.q_rad)[0], tolerance_m=2e-3)
        if was_stopped and self.last is not None:
            slower = LIMITS.linear_jerk_m_s3 * PERIOD_S**2  # a jerk-limited brake may first ease off a pull
            faster = np.abs(setpoint.linear_velocity_m_s) - np.abs(self.last.linear_velocity_m_s)
            assert np.all(faster <= LIMITS.linear_acceleration_m_s2 * PERIOD_S + slower)
        self.last, self.last_sent_at_s = setpoint, self.now_s


@settings(max_examples=100, deadline=None, derandomize=True)
@given(STARTS, st.sampled_from([0.0, 0.1]), st.lists(EVENTS, min_size=1, max_size=12))
def test_no_sequence_of_events_makes_a_setpoint_that_breaks_a_limit(start_rad, ahead_s, events):
    rig = Witness(start_rad, ahead_s)
    for event in events:
        event(rig)
        rig.tick(3)
    rig.joint_states_arrive = True
    rig.executive.stop("the end")
    rig.tick(100)
    assert not rig.executive.moving


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.one_of(plans(), EVENTS), min_size=1, max_size=6))
def test_a_stopped_arm_takes_nothing_but_a_reset(events):
    rig = Witness()
    rig.tick(2)
    rig.executive.stop("a test")
    rig.executive.reset = lambda now_s: "a test"
    for event in events:
        event(rig)
        rig.tick(3)
    assert rig.sent == []
    assert rig.executive.mode is Mode.STOPPED


def test_random_plans_do_move_the_arm():
    """The sequences above would prove little if all of them were refused."""
    moved = []

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(st.lists(plans(), min_size=1, max_size=3))
    def try_plans(events):
        rig = Witness()
        rig.tick(2)
        for event in events:
            event(rig)
            rig.tick(40)
        moved.append(bool(rig.sent))

    try_plans()
    assert sum(moved) >= 10
