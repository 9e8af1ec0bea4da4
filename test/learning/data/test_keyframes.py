"""Trajectories drawn by hand, whose moments a person would point at."""

from dataclasses import replace

import numpy as np
import pytest

from jepa_planner.learning.data.keyframes import KeyframeThresholds, keyframes, next_keyframes

STEP_M = 0.03


def trajectory(steps_m: list[tuple[float, float, float]], closure: list[tuple[float, float]] | None = None):
    """States [T+1, 8] of a tcp that makes these steps; closure: commanded and measured at each frame."""
    states = np.zeros((len(steps_m) + 1, 8), np.float32)
    states[1:, :3] = np.cumsum(steps_m, axis=0)
    if closure is not None:
        states[:, 6:] = closure
    return states


def straight(count: int, axis: int = 0, length_m: float = STEP_M) -> list[tuple[float, float, float]]:
    return [tuple(length_m * (np.arange(3) == axis))] * count


def keyframe_numbers(states: np.ndarray, thresholds: KeyframeThresholds | None = None) -> list[int]:
    return np.flatnonzero(keyframes(states, thresholds)).tolist()


def test_an_arm_that_goes_straight_on_has_no_keyframe():
    assert keyframe_numbers(trajectory(straight(6))) == []


def test_an_arm_that_rests_all_the_time_has_no_keyframe():
    assert keyframe_numbers(trajectory(straight(6, length_m=0.0))) == []


def test_where_the_arm_comes_to_rest_is_a_keyframe_and_where_it_sets_off_is_none():
    states = trajectory([*straight(3), *straight(2, length_m=0.001), *straight(3)])
    assert keyframe_numbers(states) == [3]


def test_where_the_arm_turns_is_a_keyframe():
    assert keyframe_numbers(trajectory([*straight(3, axis=0), *straight(2, axis=2)])) == [3]
    assert keyframe_numbers(trajectory([*straight(2), *straight(2, length_m=-STEP_M)])) == [2]


@pytest.mark.parametrize(("degrees", "found"), [(45, []), (55, [2])])
def test_a_bend_is_a_turn_from_about_fifty_degrees_on(degrees, found):
    angle = np.deg2rad(degrees)
    bent = (STEP_M * np.cos(angle), STEP_M * np.sin(angle), 0.0)
    assert keyframe_numbers(trajectory([*straight(2), bent, bent])) == found


def test_before_the_gripper_acts_and_when_the_fingers_have_settled_are_keyframes():
    closure = [(0, 0), (0, 0), (1, 0.2), (1, 0.5), (1, 0.52), (1, 0.52)]
    assert keyframe_numbers(trajectory(straight(5, length_m=0.0), closure)) == [1, 3]


def test_a_gripper_that_acts_little_by_little_acts_once():
    closure = [(0, 0), (0, 0), (0.25, 0.2), (0.5, 0.4), (0.75, 0.5), (1, 0.52), (1, 0.52)]
    assert keyframe_numbers(trajectory(straight(6, length_m=0.0), closure)) == [1, 5]


def test_an_arm_that_sets_off_does_not_wait_for_its_fingers():
    closure = [(0, 0), (0, 0), (1, 0.2), (1, 0.5), (1, 0.8), (1, 1.0)]
    waiting = trajectory(straight(5, length_m=0.0), closure)
    leaving = trajectory([*straight(2, length_m=0.0), *straight(3)], closure)
    assert keyframe_numbers(waiting) == [1, 5]
    assert keyframe_numbers(leaving) == [1, 2]


def test_fingers_that_have_not_settled_at_the_end_have_their_keyframe_there():
    assert keyframe_numbers(trajectory(straight(2, length_m=0.0), [(0, 0), (0, 0), (1, 0.5)])) == [1, 2]


def test_small_commands_to_the_gripper_that_lead_nowhere_are_no_keyframes():
    assert keyframe_numbers(trajectory(straight(3, length_m=0.0), [(0, 0), (0.2, 0.2), (0.1, 0.1), (0.3, 0.3)])) == []


def test_the_thresholds_decide():
    states = trajectory([*straight(3), *straight(3, length_m=0.008)])
    assert keyframe_numbers(states) == []
    assert keyframe_numbers(states, replace(KeyframeThresholds(), moving_m=0.01)) == [3]


def test_the_next_keyframe_lies_after_a_frame_and_is_one_past_the_end_where_there_is_none():
    states = trajectory([*straight(2, axis=0), *straight(3, axis=2), *straight(2, axis=1)])
    assert keyframe_numbers(states) == [2, 5]
    assert next_keyframes(keyframes(states)).tolist() == [2, 2, 5, 5, 5, 8, 8, 8]


def test_neither_object_nor_rotation_is_looked_at():
    states = trajectory([*straight(2, axis=0), *straight(3, axis=2)])
    turned = states.copy()
    turned[:, 3:6] = np.random.default_rng(0).normal(size=(6, 3))
    assert keyframe_numbers(turned) == keyframe_numbers(states)
