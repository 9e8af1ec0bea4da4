import numpy as np
import pytest

from jepa_planner.learning.data.episodes import EpisodeError
from jepa_planner.learning.training.action_bounds import (
    action_max,
    action_scale,
    as_far,
    planned_within,
    strokes_are_full,
)
from jepa_planner.learning.training.recipe import SHIPPED_PLANNING, TUNED_FOR


def drawn(*bounds: float, count: int = 4000) -> np.ndarray:
    """Actions [E, T, 7] that reach their bounds now and then, as those of a script that is clipped."""
    rng = np.random.default_rng(0)
    return np.clip(rng.normal(0.0, 0.7, (count // 40, 40, 7)), -1, 1).astype(np.float32) * np.float32(bounds)


def test_bounds_are_those_of_the_data_and_0_where_nothing_ever_moves():
    assert action_max(drawn(0.08, 0.08, 0.05, 0.0, 0.0, 0.5, 1.0)) == (0.08, 0.08, 0.05, 0.0, 0.0, 0.5, 1.0)
    assert action_max(drawn(*TUNED_FOR)) == TUNED_FOR


def test_what_joints_are_measured_to_turn_by_noise_is_no_motion_to_plan():
    actions = np.zeros((4, 5, 7), np.float32)
    actions[..., 0], actions[..., 3:6], actions[..., 6] = 0.05, 0.002, 0.01
    assert action_max(actions) == (0.05, 0, 0, 0, 0, 0, 0)
    many = np.tile(actions, (20, 1, 1))
    many[3, 2, 4] = 0.03  # bumped into the table
    assert action_max(many) == (0.05, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(("partly", "full"), [(0, True), (1, True), (4, False)])
def test_a_gripper_that_was_only_ever_opened_and_closed_wholly_is_planned_so(partly, full):
    actions, states = np.zeros((8, 3, 7), np.float32), np.zeros((8, 4, 8), np.float32)
    actions[:, 1, 6], states[:, 2:, 6] = 1.0, 1.0
    actions[:partly, 1, 6], states[:partly, 2:, 6] = 0.4, 0.4
    assert strokes_are_full(states, actions) == full


def test_a_gripper_that_never_acts_has_no_strokes():
    assert not strokes_are_full(np.zeros((2, 4, 8)), np.zeros((2, 3, 7)))


def test_a_single_slip_does_not_widen_a_bound():
    slipped = drawn(0.016, 0.016, 0.016, 0.0, 0.0, 0.0, 1.0)
    slipped[3, 7, 0] = 0.4
    assert action_max(slipped)[0] == 0.016


def test_actions_that_are_all_0_leave_nothing_to_plan():
    with pytest.raises(EpisodeError, match="the actions are all 0"):
        action_max(np.zeros((2, 3, 7), np.float32))


def test_a_predictor_is_given_actions_by_the_half_of_their_bounds():
    expected = [0.03, 0.03, 0.03, 1.0, 1.0, 0.06, 0.5]
    assert action_scale(TUNED_FOR).tolist() == pytest.approx(expected), "as the shipped models were trained"


def test_the_search_for_the_data_that_it_was_tuned_for_stays_as_it_is():
    assert planned_within(SHIPPED_PLANNING, TUNED_FOR, TUNED_FOR) == SHIPPED_PLANNING


def test_a_search_follows_shorter_steps():
    planned = planned_within(SHIPPED_PLANNING, TUNED_FOR, (0.016, 0.012, 0.016, 0.0, 0.3, 0.0, 0.2))
    assert planned.initial_std == pytest.approx((0.01067, 0.008, 0.01067, 0.0, 0.2, 0.0, 0.2))
    assert planned.gripper_deadband == pytest.approx(0.05), "a gripper of small steps is not held by its dead band"
    assert planned.steps_per_sub_goal == 30, "8 steps of 0.06 m are 30 of 0.016 m"


@pytest.mark.parametrize(("bounds", "steps"), [((0.06,) * 3, 8), ((0.12,) * 3, 8), ((0.03,) * 3, 16), ((0.0,) * 3, 8)])
def test_a_way_takes_as_many_steps_more_as_they_are_shorter(bounds, steps):
    assert as_far(8, TUNED_FOR, bounds) == steps
