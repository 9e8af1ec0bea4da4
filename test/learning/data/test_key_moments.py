"""Trajectories drawn by hand, whose moments a person would point at."""

from dataclasses import replace

import numpy as np
import pytest

from jepa_planner.learning.data.key_moments import MomentThresholds, key_moments, next_moments

STEP_M = 0.03


def trajectory(steps_m: list[tuple[float, float, float]], closedness: list[tuple[float, float]] | None = None):
    """States [T+1, 8] of a tcp that makes these steps; closedness: commanded and measured at each frame."""
    states = np.zeros((len(steps_m) + 1, 8), np.float32)
    states[1:, :3] = np.cumsum(steps_m, axis=0)
    if closedness is not None:
        states[:, 6:] = closedness
    return states


def straight(count: int, axis: int = 0, length_m: float = STEP_M) -> list[tuple[float, float, float]]:
    return [tuple(length_m * (np.arange(3) == axis))] * count


def moments(states: np.ndarray, thresholds: MomentThresholds | None = None) -> list[int]:
    return np.flatnonzero(key_moments(states, thresholds)).tolist()


def test_an_arm_that_goes_straight_on_has_no_moment():
    assert moments(trajectory(straight(6))) == []


def test_an_arm_that_rests_all_the_time_has_no_moment():
    assert moments(trajectory(straight(6, length_m=0.0))) == []


def test_where_the_arm_comes_to_rest_is_a_moment_and_where_it_sets_off_is_none():
    states = trajectory([*straight(3), *straight(2, length_m=0.001), *straight(3)])
    assert moments(states) == [3]


def test_where_the_arm_turns_is_a_moment():
    assert moments(trajectory([*straight(3, axis=0), *straight(2, axis=2)])) == [3]
    assert moments(trajectory([*straight(2), *straight(2, length_m=-STEP_M)])) == [2]


@pytest.mark.parametrize(("degrees", "found"), [(45, []), (55, [2])])
def test_a_bend_is_a_turn_from_about_fifty_degrees_on(degrees, found):
    angle = np.deg2rad(degrees)
    bent = (STEP_M * np.cos(angle), STEP_M * np.sin(angle), 0.0)
    assert moments(trajectory([*straight(2), bent, bent])) == found


def test_before_the_gripper_acts_and_when_the_fingers_have_settled_are_moments():
    closedness = [(0, 0), (0, 0), (1, 0.2), (1, 0.5), (1, 0.52), (1, 0.52)]
    assert moments(trajectory(straight(5, length_m=0.0), closedness)) == [1, 3]


def test_an_arm_that_sets_off_does_not_wait_for_its_fingers():
    closedness = [(0, 0), (0, 0), (1, 0.2), (1, 0.5), (1, 0.8), (1, 1.0)]
    waiting = trajectory(straight(5, length_m=0.0), closedness)
    leaving = trajectory([*straight(2, length_m=0.0), *straight(3)], closedness)
    assert moments(waiting) == [1, 5]
    assert moments(leaving) == [1, 2]


def test_fingers_that_have_not_settled_at_the_end_have_their_moment_there():
    assert moments(trajectory(straight(2, length_m=0.0), [(0, 0), (0, 0), (1, 0.5)])) == [1, 2]


def test_small_commands_to_the_gripper_are_no_moments():
    assert moments(trajectory(straight(3, length_m=0.0), [(0, 0), (0.2, 0.2), (0.4, 0.4), (0.6, 0.6)])) == []


def test_the_thresholds_decide():
    states = trajectory([*straight(3), *straight(3, length_m=0.008)])
    assert moments(states) == []
    assert moments(states, replace(MomentThresholds(), moving_m=0.01)) == [3]


def test_the_next_moment_lies_after_a_frame_and_is_one_past_the_end_where_there_is_none():
    states = trajectory([*straight(2, axis=0), *straight(3, axis=2), *straight(2, axis=1)])
    assert moments(states) == [2, 5]
    assert next_moments(key_moments(states)).tolist() == [2, 2, 5, 5, 5, 8, 8, 8]


def test_neither_object_nor_rotation_is_looked_at():
    states = trajectory([*straight(2, axis=0), *straight(3, axis=2)])
    turned = states.copy()
    turned[:, 3:6] = np.random.default_rng(0).normal(size=(6, 3))
    assert moments(turned) == moments(states)
