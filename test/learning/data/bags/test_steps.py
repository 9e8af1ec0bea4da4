"""What stands at each step, against an arm that moves by a known law and pictures that tell when they were taken."""

from dataclasses import replace

import numpy as np
import pytest
from bag_scenes import (
    FLOAT,
    IMAGE,
    POSE,
    Said,
    cuts_of,
    every,
    image,
    made_of,
    number,
    pose,
    recorded,
    shown_s,
    truth,
    truth_closure,
)
from scipy.spatial.transform import Rotation

from jepa_planner.core.poses import apply_action
from jepa_planner.learning.data.episodes import Episodes, read_episodes
from jepa_planner.learning.data.recording import Cuts


def read(tmp_path) -> Episodes:
    return read_episodes(tmp_path / "episodes")


def shown(episodes: Episodes, row: int, view: int) -> list[float]:
    """When the pictures of an episode's steps were taken."""
    length = int(episodes.lengths[row])
    return [shown_s(frame[view]) for frame in np.asarray(episodes.images[row])[: length + 1]]


def without(said: list[Said], topic: str, begin_s: float, end_s: float) -> list[Said]:
    return [one for one in said if one.topic != topic or not begin_s < one.at_s < end_s]


def check_truth(episodes: Episodes, row: int) -> None:
    """States are the law's at the stamp of the oldest picture, and actions lead from each to the next."""
    length = int(episodes.lengths[row])
    oldest = np.minimum(shown(episodes, row, 0), shown(episodes, row, episodes.images.shape[2] - 1))
    for at_s, state in zip(oldest, episodes.states[row], strict=False):
        at_m, rpy = truth(at_s)
        np.testing.assert_allclose(state[:3], at_m, atol=1e-6)
        turn = Rotation.from_euler("xyz", state[3:6]).inv() * Rotation.from_euler("xyz", rpy)
        assert turn.magnitude() < 1e-5
        np.testing.assert_allclose(state[6:], truth_closure(at_s), atol=1e-6)
    import torch

    then = apply_action(torch.tensor(episodes.states[row, :length]), torch.tensor(episodes.actions[row, :length]))
    for found, expected in zip(then.numpy(), episodes.states[row, 1 : length + 1], strict=True):
        np.testing.assert_allclose(found[:3], expected[:3], atol=1e-5)
        turn = Rotation.from_euler("xyz", found[3:6]).inv() * Rotation.from_euler("xyz", expected[3:6])
        assert turn.magnitude() < 1e-4
        np.testing.assert_allclose(found[6], expected[6], atol=1e-5)


@pytest.mark.parametrize("picture_s", [0.033, 0.1, 0.05])
def test_at_each_step_stands_the_last_picture_before_it_and_the_state_at_its_stamp(tmp_path, picture_s):
    made = made_of(tmp_path, recorded(picture_s=picture_s))
    episodes = read(tmp_path)
    assert len(episodes) == 1
    taken = {0: every(picture_s, 0.1, 5.9), 1: every(picture_s, 0.1, 5.9, 0.03)}
    piece = made.episodes[0].planned.piece
    next_s = min(at_s for at_s in taken[0] + taken[1] if at_s > 0.13)
    begins_s = 0.13 + (next_s - 0.13) / 4  # soon after the second view begins
    steps_s = (piece.steps_ns - piece.steps_ns[0]) * 1e-9 + begins_s
    np.testing.assert_allclose(np.diff(steps_s), 0.25, atol=1e-9)
    for view in (0, 1):
        expected = [max(at_s for at_s in taken[view] if at_s <= step_s + 1e-9) for step_s in steps_s]
        assert shown(episodes, 0, view) == expected
    check_truth(episodes, 0)


@pytest.mark.parametrize("picture_s", [0.25, 0.125, 1 / 30])
def test_pictures_whose_stamps_tremble_stand_as_evenly_as_their_camera_allows(tmp_path, picture_s):
    rng = np.random.default_rng(0)
    taken = np.array(every(picture_s, 0.1, 11.8)) + rng.uniform(-0.002, 0.002, len(every(picture_s, 0.1, 11.8)))
    said = [one for one in recorded(seconds=12.0) if not one.topic.endswith("image_raw")]
    said += [Said("/front/image_raw", IMAGE, float(at_s), image(float(at_s))) for at_s in taken]
    made_of(tmp_path, sorted(said, key=lambda one: one.at_s), views=("front",))
    apart_s = np.diff(shown(read(tmp_path), 0, 0))[:-1]  # after the last picture of a view there is none to take
    uneven_s = 0.25 % picture_s if picture_s < 0.1 else 0.0  # 7.5 periods are 7 and 8 in turn
    assert len(apart_s) > 40 and np.abs(apart_s - 0.25).max() < uneven_s + 0.01


def test_an_action_is_the_turn_from_one_state_to_the_next_though_yaw_goes_round(tmp_path):
    made_of(tmp_path, recorded(seconds=12.0, picture_s=0.05))
    episodes = read(tmp_path)
    assert np.ptp(episodes.states[0, :, 5]) > 6.0  # it has gone round
    np.testing.assert_allclose(episodes.actions[0, : episodes.lengths[0], 5], 0.9 * 0.25, atol=0.9 * 0.051)
    check_truth(episodes, 0)


def test_pictures_that_come_late_count_by_their_stamps(tmp_path):
    said = [replace(one, at_s=one.at_s + 0.3) if one.topic == "/front/image_raw" else one for one in recorded()]
    made = made_of(tmp_path, sorted(said, key=lambda one: one.at_s))
    check_truth(read(tmp_path), 0)
    assert made.plans[0].topics["/front/image_raw"].delay_s[0] == pytest.approx(0.304, abs=1e-6)
    assert made.plans[0].topics["/front/image_raw"].clock == "header"


def test_messages_recorded_in_any_order_make_the_same_episodes(tmp_path):
    said = recorded()
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    made_of(tmp_path / "a", said)
    made_of(tmp_path / "b", [said[at] for at in np.random.default_rng(0).permutation(len(said))])
    first, second = read(tmp_path / "a"), read(tmp_path / "b")
    np.testing.assert_array_equal(first.states, second.states)
    np.testing.assert_array_equal(np.asarray(first.images[0]), np.asarray(second.images[0]))


def test_a_gap_in_pictures_parts_an_episode_and_is_told(tmp_path):
    made = made_of(tmp_path, without(recorded(), "/side/image_raw", 2.0, 3.5))
    episodes = read(tmp_path)
    assert len(episodes) == 2
    assert cuts_of(made) == [("gap", 2.147, 3.53, "no picture of side")]
    assert shown(episodes, 0, 1)[-1] == 1.83  # at the step 1.897; the one at 2.147 would have a picture of 1.93
    assert shown(episodes, 1, 1)[0] == 3.53
    for row in (0, 1):
        check_truth(episodes, row)


def test_a_picture_may_be_as_old_as_the_file_says(tmp_path):
    said = without(recorded(), "/side/image_raw", 2.0, 2.4)
    assert len(made_of(tmp_path, said, cuts=Cuts(picture_age_s=0.5)).episodes) == 1
    assert max(read(tmp_path).lengths) == 23


def test_between_states_that_are_too_far_apart_nothing_is_guessed(tmp_path):
    made = made_of(tmp_path, without(recorded(), "/tcp_pose", 2.0, 2.6))
    assert [(kind, why) for kind, *_, why in cuts_of(made)] == [("gap", "no state of the arm")]
    episodes = read(tmp_path)
    assert len(episodes) == 2
    for row in (0, 1):
        check_truth(episodes, row)


def test_nothing_is_told_before_the_first_state_or_after_the_last(tmp_path):
    said = [one for one in recorded() if one.topic != "/tcp_pose" or 1.512 < one.at_s < 4.511]
    made = made_of(tmp_path, said)
    episodes = read(tmp_path)
    first, last = shown(episodes, 0, 0)[0], shown(episodes, 0, 0)[int(episodes.lengths[0])]
    assert (first, last) == (1.6, 4.3)  # states from 1.52 to 4.50; the grid begins at a picture of 1.6
    assert [kind for kind, *_ in cuts_of(made)] == ["late start", "early end"]
    assert cuts_of(made)[0][3] == "no state of the arm"
    check_truth(episodes, 0)


def test_a_tcp_that_is_faster_than_it_can_be_has_jumped(tmp_path):
    def law(at_s: float):
        at_m, rpy = truth(at_s)
        return at_m + (0.7 if at_s > 3.0 else 0.0), rpy

    made = made_of(tmp_path, recorded(law=law))
    ((kind, begin_s, end_s, why),) = cuts_of(made)
    assert kind == "jump" and begin_s <= 3.0 <= end_s and "the tcp went 1.2" in why
    assert len(made.episodes) == 2


def resting(at_s: float):
    """Moves, rests from 2 s to 6 s, moves on."""
    return truth(at_s if at_s < 2.0 else 2.0 if at_s < 6.0 else at_s - 4.0)


def test_of_a_long_pause_so_much_stays_as_the_file_says(tmp_path):
    said = [one for one in recorded(seconds=8.0, law=resting) if one.topic != "/gripper"]
    made = made_of(tmp_path, said, gripper=None, cuts=Cuts(longest_pause_s=1.0))
    ((kind, begin_s, end_s, why),) = cuts_of(made)
    assert kind == "pause" and why == "neither tcp nor gripper moved"
    assert 2.5 < begin_s < 3.5 and 5.5 < end_s < 6.1
    episodes = read(tmp_path)
    assert len(episodes) == 1
    still = np.abs(episodes.actions[0, : episodes.lengths[0], :3]).max(axis=1) < 1e-4
    assert 3 <= still.sum() <= 5


def test_a_gripper_that_closes_while_the_arm_rests_is_no_pause(tmp_path):
    made = made_of(tmp_path, recorded(seconds=8.0, law=resting))
    assert cuts_of(made) == []


def test_a_slow_drift_is_no_pause(tmp_path):
    def law(at_s: float):
        return np.array([0.4 + 0.003 * at_s, 0.1, 0.2]), np.array([np.pi, 0.0, 0.0])  # 0.75 mm a step

    said = [one for one in recorded(seconds=10.0, law=law) if one.topic != "/gripper"]
    assert cuts_of(made_of(tmp_path, said, gripper=None)) == []


def test_a_long_recording_is_parted_and_short_ones_are_padded_with_rest(tmp_path):
    made_of(tmp_path, recorded(seconds=11.0, views=("front",)), views=("front",), cuts=Cuts(most_steps=15))
    episodes = read(tmp_path)
    assert episodes.lengths.tolist() == [14, 14, 14] or sorted(episodes.lengths) == [14, 14, 15]
    ends = [shown(episodes, row, 0) for row in range(3)]
    assert ends[0][-1] == ends[1][0] and ends[1][-1] == ends[2][0]
    for row, length in enumerate(episodes.lengths):
        assert not episodes.actions[row, length:].any()
        assert (episodes.states[row, length:] == episodes.states[row, length]).all()
        pictures = np.asarray(episodes.images[row])
        assert (pictures[length:] == pictures[length]).all()


def test_what_is_too_short_is_left_out_and_told(tmp_path):
    made = made_of(tmp_path, without(recorded(), "/side/image_raw", 0.7, 1.9), cuts=Cuts(least_steps=6))
    assert [kind for kind, *_ in cuts_of(made)] == ["gap", "short"]
    assert len(made.episodes) == 1


def test_a_late_start_of_a_topic_is_cut_out_and_told(tmp_path):
    made = made_of(tmp_path, without(recorded(), "/side/image_raw", -1.0, 2.0))
    assert cuts_of(made) == [("late start", 0.0, 2.03, "no picture of side")]
    check_truth(read(tmp_path), 0)


def test_one_view_that_never_comes_while_the_other_does_is_named(tmp_path):
    said = [one for one in recorded() if one.topic != "/side/image_raw" or one.at_s < 0.2]
    made = made_of(tmp_path, said)
    assert made.episodes == []
    assert {why for *_, why in cuts_of(made)} >= {"no picture of side"}


def test_a_rare_gripper_is_interpolated_between_its_own_messages(tmp_path):
    said = [one for one in recorded() if one.topic != "/gripper"]
    said += [Said("/gripper", FLOAT, at_s, number(0.08 * (1.0 - truth_closure(at_s)))) for at_s in every(0.5, 0.0, 6.0)]
    made = made_of(tmp_path, sorted(said, key=lambda one: one.at_s))
    assert cuts_of(made) == []
    check_truth(read(tmp_path), 0)


def test_stamps_that_agree_to_the_nanosecond_need_no_neighbour(tmp_path):
    said = [Said("/tcp_pose", POSE, at_s, pose(at_s)) for at_s in every(1.0, 0.0, 5.0)]
    said += [Said("/front/image_raw", IMAGE, at_s, image(at_s)) for at_s in every(1.0, 0.0, 5.0)]
    made = made_of(tmp_path, sorted(said, key=lambda one: one.at_s), views=("front",), gripper=None, time_step_s=1.0)
    assert len(made.episodes) == 1
    assert int(read(tmp_path).lengths[0]) == 5
