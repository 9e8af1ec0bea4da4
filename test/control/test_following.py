import numpy as np
import pytest
from arm_rig import HOME_RAD, Rig

from jepa_planner.control.following import LATE_S, STILL_S, GripperFollowing
from jepa_planner.control.kinematics import rotation_from_rpy
from jepa_planner.core.status import StatusCode


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.tick(2)
    return rig


class DeadRig(Rig):
    """An arm that takes a share of each of its setpoints' way; 0: it never moves."""

    share = 0.0

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            begun_rad = self.q_rad
            super().tick()
            self.q_rad = begun_rad + self.share * (self.q_rad - begun_rad)


def steps(rig: Rig, count: int, **changes) -> list[str]:
    """Why each of some steps was refused, and the arm's fault after the last one."""
    refused = []
    for plan_id in range(1, count + 1):
        refused.append(rig.offer(plan_id, **changes))
        rig.tick(60)
    return refused


def test_an_arm_that_never_moves_is_named_after_two_steps_and_takes_no_third():
    rig = DeadRig()
    rig.tick(2)
    refused = steps(rig, 3, by_m=(0.03, 0.0, 0.0))
    assert refused[:2] == ["", ""]
    assert "the arm does not follow: of its last 2 motions it did not make 0.060 m" in refused[2]
    assert rig.executive.fault.code is StatusCode.ARM_NOT_FOLLOWING
    rig.executive.hold("the planner asked to hold")
    assert rig.executive.fault.ok


def test_an_arm_that_never_moves_is_named_though_each_step_is_small():
    rig = DeadRig()
    rig.tick(2)
    assert any("does not follow" in text for text in steps(rig, 12, by_m=(0.004, 0.0, 0.0)))


def test_a_wrist_that_never_turns_is_named():
    rig = DeadRig()
    rig.tick(2)
    turned = rotation_from_rpy(np.array([0.0, 0.0, 0.12]))
    assert "0.24 rad" in "".join(steps(rig, 3, by_m=(0.0, 0.0, 0.0), rotation=turned))


def test_an_arm_that_does_most_of_each_step_follows():
    rig = DeadRig()
    rig.share = 0.8
    rig.tick(2)
    assert not any("does not follow" in text for text in steps(rig, 6, by_m=(0.0, 0.02, 0.0)))


def test_one_step_that_was_not_followed_between_others_is_no_fault():
    rig = DeadRig()
    rig.tick(2)
    for plan_id in range(1, 7):
        rig.share = float(plan_id % 2)
        assert rig.offer(plan_id, by_m=(0.0, 0.02 * (-1) ** (plan_id // 2), 0.0)) == ""
        rig.tick(60)
    assert rig.executive.fault.ok


def test_an_arm_that_comes_late_follows(rig):
    for plan_id in (1, 2, 3):
        held_rad = rig.q_rad
        rig.offer(plan_id, by_m=(0.0, 0.03 * (-1) ** plan_id, 0.0))
        while rig.executive.moving:
            rig.tick()
            told_rad, rig.q_rad = rig.q_rad, held_rad
        rig.tick(int(0.5 * LATE_S / 0.01))
        rig.q_rad = told_rad
        rig.tick(60)
    assert rig.executive.fault.ok


def judged(told: float, at: list[float], period_s: float = 0.1) -> list[StatusCode]:
    gripper = GripperFollowing()
    return [gripper.judge(i * period_s, told, closure).code for i, closure in enumerate(at)]


ENOUGH = int(2 * STILL_S / 0.1)


@pytest.mark.parametrize(("told", "stays"), [(1.0, 0.0), (0.0, 1.0), (0.0, 0.5)])
def test_a_gripper_that_stays_where_it_is_is_named(told, stays):
    assert StatusCode.GRIPPER_NOT_FOLLOWING in judged(told, [stays] * ENOUGH)


@pytest.mark.parametrize(
    ("told", "at"),
    [
        (1.0, [0.0, 0.1, 0.2, 0.3, *[0.45] * ENOUGH]),  # closes on a thing
        (1.0, [0.45] * ENOUGH),  # holds one already
        (0.3, [0.0] * ENOUGH),  # a small part of its stroke
        (0.0, [0.25] * ENOUGH),
        (0.0, list(np.linspace(1.0, 0.0, ENOUGH))),  # slow
        (1.0, [0.0] * int(0.5 * STILL_S / 0.1) + [1.0] * ENOUGH),  # late
    ],
)
def test_a_gripper_that_moves_or_may_hold_something_is_not(told, at):
    assert set(judged(told, at)) == {StatusCode.OK}


def test_a_fault_of_the_gripper_brakes_no_resting_arm_and_refuses_the_next_step(rig):
    rig.q_rad = HOME_RAD
    rig.offer(1, by_m=(0.0, 0.0, 0.0), closure=1.0)
    for _ in range(200):
        rig.tick()
        rig.closure = 0.0
    assert rig.executive.fault.code is StatusCode.GRIPPER_NOT_FOLLOWING
    assert "told to close to 1.00, it stays at 0.00" in rig.offer(2)


@pytest.mark.parametrize(
    ("told", "at", "moved_at"),
    [
        (1.0, [1.0, 1.0, 0.5, 0.0], [2]),  # opened though it was told to close, and closed
        (1.0, [0.2, 0.45, 0.45, 0.0], [3]),  # opened though it held a thing
        (0.0, [0.5, 0.02, 0.0, 0.3], [3]),  # closed on a thing
        (1.0, [0.2, 0.45, 0.45, 1.0], []),  # the thing slipped away
        (1.0, [0.45, 0.44, 0.46, 0.43], []),  # the thing gives way a little
        (0.0, [1.0, 0.8, 0.9, 1.0], []),  # has not come there yet
        (1.0, [0.0] * 4, []),  # does not follow at all
    ],
)
def test_a_resting_gripper_that_others_move_is_told_from_one_that_does_not_follow(told, at, moved_at):
    gripper = GripperFollowing()
    assert [number for number, closure in enumerate(at) if gripper.was_moved(told, closure)][:1] == moved_at


def test_a_gripper_that_was_on_its_way_as_a_motion_began_was_not_moved_by_others():
    gripper = GripperFollowing()
    assert not gripper.was_moved(0.0, 0.0)
    gripper.begin()
    assert not gripper.was_moved(0.0, 0.3)


def test_a_thing_that_pushes_resting_fingers_apart_is_not_let_go(rig):
    rig.offer(1, closure=1.0)
    for _ in range(60):
        rig.tick()
        rig.closure = min(rig.closure, 0.45)
    rig.closure = 0.3
    rig.tick(2)
    assert rig.executive.stream.closure == 1.0


@pytest.mark.parametrize(("closes", "moved_to"), [(1.0, 0.0), (1.0, 0.025), (0.0, 1.0), (0.0, 0.45)])
def test_a_gripper_that_somebody_moved_while_it_rested_goes_on_from_where_it_is(rig, closes, moved_to):
    rig.offer(1, closure=closes)
    rig.tick(60)
    rig.closure = moved_to
    rig.tick(2 * int(STILL_S / 0.01))
    assert rig.executive.fault.ok
    rig.sent.clear()
    assert rig.offer(2, closure=closes) == ""
    rig.tick(60)
    assert abs(rig.sent[0].closure - moved_to) < 0.1
    assert rig.sent[-1].closure == closes
