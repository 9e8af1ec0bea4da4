"""What hands that take, push, miss and sweep tell of the object that they act on."""

import numpy as np
import pytest

from jepa_planner.learning.data.object_tracks import FREE, HELD, LOW, frame_pairs

HIGH_M, LOW_M = 0.15, 0.02


def resting(frames: int = 24) -> np.ndarray:
    """An open hand that rests in the air."""
    arm = np.zeros((frames, 8), np.float32)
    arm[:, 2] = HIGH_M
    return arm


def placing(to_x_m: float = 0.04, width: float = 0.45, from_z_m: float = LOW_M) -> np.ndarray:
    """Comes down by frame 4, holds from 5 to 12, carries what it holds along x, and is up again at 15."""
    arm = resting()
    arm[4:15, 2] = LOW_M
    arm[5:13, 6], arm[5:13, 7] = 1.0, width
    arm[7:11, 2] = 0.1
    arm[9:, 0] = to_x_m
    arm[12, 2] = from_z_m
    return arm


def pushing(steps: int = 6, step_m: float = 0.02, aside_m: float = 0.0) -> np.ndarray:
    """Comes down closed at frame 5, goes along x in so many steps, backs away and rises."""
    arm = resting()
    arm[:, 6:] = 1.0
    arm[5 : 5 + steps + 2, 2] = LOW_M
    pushed = step_m * np.arange(1, steps + 1)
    arm[6 : 6 + steps, 0] = pushed
    arm[6 + steps :, 0] = pushed[-1] - 0.015
    arm[5 + steps, 1] = aside_m
    return arm


def off_m(arm: np.ndarray, now: int, goal: int) -> float | None:
    """How far the object is off, if that is known."""
    pairs = frame_pairs(arm[None])
    found = np.flatnonzero((pairs.now == now) & (pairs.goal == goal))
    return float(pairs.off_m[found[0]]) if len(found) else None


def test_what_no_hand_touches_stays():
    pairs = frame_pairs(resting()[None])
    assert len(pairs.now) == 24 * 24 and (pairs.off_m == 0).all() and (pairs.hand == FREE).all()


@pytest.mark.parametrize(("now", "goal"), [(0, 23), (23, 0), (4, 14), (0, 12), (5, 23)])
def test_what_is_taken_and_put_down_went_as_far_as_the_hand_in_either_direction_of_time(now, goal):
    assert off_m(placing(), now, goal) == pytest.approx(0.04, abs=1e-6)


def test_what_is_held_in_the_air_is_off_by_the_height_as_well():
    arm = placing()
    assert off_m(arm, 0, 8) == pytest.approx(0.08, abs=1e-6)
    assert off_m(arm, 8, 23) == pytest.approx(np.hypot(0.08, 0.04), abs=1e-6)
    assert off_m(arm, 7, 10) == pytest.approx(0.04, abs=1e-6)
    pairs, sink = frame_pairs(arm[None]), [FREE] * 5 + [HELD] * 8 + [FREE] * 11
    assert pairs.hand[pairs.goal == 8].tolist() == pairs.goal_hand[pairs.now == 8].tolist() == sink


def test_where_what_is_let_go_in_the_air_comes_to_lie_is_not_known():
    arm = placing(from_z_m=0.1)
    assert off_m(arm, 0, 23) is None and off_m(arm, 12, 14) is None
    assert off_m(arm, 0, 12) == pytest.approx(np.hypot(0.08, 0.04), abs=1e-6) and off_m(arm, 13, 23) == 0.0


def test_what_a_hand_that_closed_low_and_holds_nothing_did_is_not_known():
    arm = placing(width=0.95)
    assert off_m(arm, 0, 4) == 0.0 and off_m(arm, 13, 23) == 0.0
    assert off_m(arm, 0, 13) is None and off_m(arm, 0, 8) is None and off_m(arm, 7, 8) is None


def test_what_is_gripped_for_a_moment_only_is_not_known():
    arm = placing()
    arm[7:13, 7] = 1.0
    assert off_m(arm, 0, 5) is None and off_m(arm, 0, 23) is None


def test_the_last_part_of_a_push_is_known_from_where_the_hand_has_surely_met_the_object():
    arm = pushing()
    pairs = frame_pairs(arm[None])
    assert pairs.hand[pairs.goal == 23].tolist() == [FREE] * 5 + [LOW] * 8 + [FREE] * 11
    assert off_m(arm, 9, 11) == pytest.approx(0.04, abs=1e-6)
    assert off_m(arm, 9, 23) == pytest.approx(0.04, abs=1e-6)
    assert off_m(arm, 11, 23) == 0.0


def test_a_whole_push_is_known_but_for_where_the_hand_met_the_object():
    arm = pushing()
    pairs = frame_pairs(arm[None])
    whole = (pairs.now == 0) & (pairs.goal == 23)
    assert pairs.off_m[whole] == pytest.approx([0.12 - 0.025]) and pairs.uncertainty_m[whole] == pytest.approx([0.015])
    assert (pairs.uncertainty_m[(pairs.now >= 8) & (pairs.goal >= 8)] == 0).all()
    begun = (pairs.now == 0) & (pairs.goal == 7)
    assert pairs.off_m[begun] == pytest.approx([0.015]) and pairs.uncertainty_m[begun] == pytest.approx([0.012])
    assert off_m(arm, 0, 6) == 0.0, "it is hardly met yet"


def test_what_is_pushed_stays_where_the_hand_shrinks_back():
    arm = pushing()
    arm[10, 0] = arm[9, 0] - 0.005
    assert off_m(arm, 9, 10) == 0.0


@pytest.mark.parametrize(
    "arm",
    [pushing(steps=2), pushing(aside_m=0.03), pushing(steps=12, step_m=0.03)],
    ids=["short, so that it may have met nothing", "not straight", "so long that it has lost it"],
)
def test_other_motions_of_a_closed_hand_along_the_table_leave_nothing_known_across(arm):
    assert off_m(arm, 0, 23) is None
    assert off_m(arm, 0, 5) == 0.0 and off_m(arm, 20, 23) == 0.0


def test_an_open_hand_that_goes_along_the_table_may_have_moved_what_lies_there():
    arm = resting()
    arm[6:12, 2], arm[9:, 0] = LOW_M, 0.03
    assert off_m(arm, 0, 23) is None
    arm[9:, 0] = 0.01
    assert off_m(arm, 0, 23) == 0.0


def test_a_hand_that_goes_aside_as_it_leaves_the_table_may_have_swept_it():
    arm = resting()
    arm[6:12, 2], arm[12:, 0] = LOW_M, 0.05
    assert off_m(arm, 0, 11) == 0.0 and off_m(arm, 0, 12) is None


def test_with_two_acts_between_it_may_be_another_object():
    arm = np.concatenate([placing(), placing()])
    arm[24:, 0] += 0.04
    assert off_m(arm, 0, 30) is None and off_m(arm, 8, 32) is None
    assert off_m(arm, 20, 47) == pytest.approx(0.04, abs=1e-6) and off_m(arm, 8, 20) is not None
