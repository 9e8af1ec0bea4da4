import numpy as np
import pytest
from drawn_boards import pose

from jepa_planner.calibration.resting import RestingArm


def at(x_m: float) -> np.ndarray:
    return pose([x_m, 0.0, 0.3], np.eye(3))


def arm_that_moves_until(stop_s: float, end_s: float) -> RestingArm:
    """At a decimetre a second, told every 10 ms."""
    arm = RestingArm()
    for stamp_s in np.arange(0.0, end_s, 0.01):
        arm.feed(stamp_s, at(0.1 * min(stamp_s, stop_s)))
    return arm


@pytest.mark.parametrize(("picture_s", "rested"), [(0.5, False), (1.2, False), (1.6, True), (2.5, False)])
def test_a_picture_counts_that_was_taken_at_rest(picture_s, rested):
    """2.5 s lies ahead of what is known of the arm."""
    found = arm_that_moves_until(1.0, 2.0).pose_at(picture_s)
    assert (found is not None) == rested
    if rested:
        assert found[0, 3] == pytest.approx(0.1, abs=2e-3)


def test_an_arm_of_which_nothing_was_heard_does_not_rest():
    assert RestingArm().pose_at(1.0) is None


def test_a_place_is_new_only_once():
    arm = RestingArm()
    arm.take(at(0.1))
    assert arm.is_new(at(0.2)) and not arm.is_new(at(0.11))


def test_older_states_are_passed_over():
    arm = arm_that_moves_until(1.0, 2.0)
    arm.feed(0.5, at(0.9))
    assert arm.pose_at(1.6)[0, 3] == pytest.approx(0.1, abs=2e-3)
