import numpy as np
import pytest

from jepa_planner.learning.data.contact_segments import (
    GRASP,
    PUSH,
    ContactSegment,
    contact_segments,
    last_goals,
    left,
)


def states(frames: int = 20) -> np.ndarray:
    """An open hand that rests in the air."""
    still = np.zeros((frames, 8), np.float32)
    still[:, 2] = 0.15
    return still


def taking(close: int = 4, opening: int = 12, width: float = 0.45) -> np.ndarray:
    """Closes after frame `close` on something that keeps the fingers apart, and opens after frame `opening`."""
    arm = states()
    arm[close + 1 : opening + 1, 6] = 1.0
    arm[close + 1 : opening + 1, 7] = width
    return arm


def pushing(begin: int = 5, steps: int = 4, step_m: float = 0.02) -> np.ndarray:
    """Low and closed from `begin` on, pushes, backs away and rises."""
    arm = states()
    arm[:, 6:] = 1.0
    arm[begin : begin + steps + 2, 2] = 0.02
    pushed = step_m * np.arange(1, steps + 1)
    arm[begin + 1 : begin + steps + 1, 0] = pushed
    arm[begin + steps + 1 :, 0] = pushed[-1] - 0.015
    return arm


def test_what_is_taken_and_let_go_is_a_contact_segment_from_the_closed_hand_to_the_last_closed_frame():
    assert contact_segments(taking()) == [ContactSegment(GRASP, earliest=0, begin=5, end=12, latest=19)]


def test_a_hand_that_closes_and_opens_little_by_little_has_taken_it_once_it_is_closed():
    arm = taking(close=7, opening=13)
    arm[4:9, 6] = np.linspace(0.0, 1.0, 5)
    arm[13:18, 6] = np.linspace(1.0, 0.0, 5)
    assert contact_segments(arm) == [ContactSegment(GRASP, earliest=0, begin=8, end=13, latest=19)]


def test_of_a_gripper_whose_commands_nobody_told_the_fingers_tell_it():
    arm = taking()
    arm[:, 6] = arm[:, 7]
    assert contact_segments(arm) == contact_segments(taking())


def test_a_hand_that_closes_on_nothing_takes_nothing():
    assert contact_segments(taking(width=1.0)) == []


def test_what_slips_at_once_is_no_act():
    assert contact_segments(taking(close=4, opening=6)) == []


def test_a_push_begins_where_the_closed_hand_is_low_and_ends_where_it_turns_back():
    assert contact_segments(pushing()) == [ContactSegment(PUSH, earliest=0, begin=5, end=9, latest=19)]


@pytest.mark.parametrize("arm", [pushing(step_m=0.005), states()], ids=["hardly moves", "rests"])
def test_a_hand_that_does_not_go_far_pushes_nothing(arm):
    assert contact_segments(arm) == []


def test_between_acts_pictures_belong_to_the_one_before_or_the_one_after():
    both = np.concatenate([taking(), taking()])
    first, second = contact_segments(both)
    assert (first.latest, second.earliest) == (second.begin - 1, first.end + 1)
    assert (second.begin, second.end, second.latest) == (25, 32, 39)


def test_an_act_after_which_nothing_was_seen_teaches_nothing():
    assert contact_segments(taking(opening=18)[:19]) == []


def taking_twice() -> np.ndarray:
    """Takes something, puts it down elsewhere, goes up and aside, and takes it again."""
    arm = states(40)
    for close, opening in ((3, 10), (24, 32)):
        arm[close + 1 : opening + 1, 6] = 1.0
        arm[close + 1 : opening + 1, 7] = 0.45
    arm[11:16, 2] = 0.15 + 0.025 * np.arange(5)
    arm[16:, 2] = 0.25
    return arm


def test_from_before_a_contact_an_episode_goes_straight_up_to_the_next_one():
    arm = taking_twice()
    segments = contact_segments(arm)
    assert [(each.begin, each.end, each.latest) for each in segments] == [(4, 10, 24), (25, 32, 39)]
    bounds = last_goals(arm, segments)
    assert set(bounds[:11]) == {24} and set(bounds[25:]) == {39}


def test_a_hand_that_has_let_go_and_not_left_yet_is_on_no_way_to_what_comes_after_the_next_contact():
    arm = taking_twice()
    segments = contact_segments(arm)
    gone = left(arm, *segments)
    assert gone == 14  # 7.5 cm up
    bounds = last_goals(arm, segments)
    assert set(bounds[11:gone]) == {24} and set(bounds[gone:25]) == {39}


def test_a_hand_that_never_leaves_is_free_the_moment_before_it_takes_again():
    arm = taking_twice()
    arm[:, 2] = 0.15
    assert left(arm, *contact_segments(arm)) == 24


def test_an_episode_without_contacts_goes_straight_to_its_end():
    assert set(last_goals(states(), [])) == {19}
