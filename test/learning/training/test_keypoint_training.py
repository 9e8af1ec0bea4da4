"""What a head that sees is shown: hands that take a thing, and where it is to be, from their own and other episodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jepa_planner.learning.data.keyframes import next_keyframes
from jepa_planner.learning.training.demonstrations import Demonstrations
from jepa_planner.learning.training.fit import FitSettings
from jepa_planner.learning.training.keypoint_training import (
    ACROSS_SHARE,
    BEGUN_SHARE,
    CONTACT_SHARE,
    PictureKeyframes,
    picture_keyframes,
)
from jepa_planner.learning.training.sub_goal_training import SubGoalTraining, keyframe_sampler

EPISODES, FRAMES, TAKEN, LEFT = 12, 20, 6, 12
SETTINGS = SubGoalTraining(FitSettings(10), batch=400, span=44, latent_noise=0.0)


def shown(alike: np.ndarray | None = None) -> Demonstrations:
    """Each takes a thing at a place of its own, and brings it 10 cm farther; latents and pictures say which it is."""
    states = np.zeros((EPISODES, FRAMES, 8), np.float32)
    states[..., 0] = (0.2 + 0.05 * np.arange(EPISODES))[:, None]
    states[..., 2] = 0.15
    states[:, TAKEN - 2 : LEFT + 1, 2] = 0.02
    states[:, TAKEN : LEFT + 1, 6], states[:, TAKEN : LEFT + 1, 7] = 1.0, 0.5
    states[:, :, 1] = 0.1 * np.clip((np.arange(FRAMES) - TAKEN) / (LEFT - TAKEN), 0, 1)
    numbers, frames = np.indices((EPISODES, FRAMES))
    latents = np.stack([numbers, frames], axis=-1).astype(np.float32)[:, :, None]
    images = np.zeros((EPISODES, FRAMES, 1, 8, 8, 3), np.uint8)
    images[:] = numbers[..., None, None, None, None]
    return Demonstrations(
        latents, states, states, np.stack([next_keyframes(one) for one in states]), np.zeros((EPISODES, 19, 7)),
        np.arange(EPISODES), 1.0, "made up", "takings", images, np.zeros(EPISODES, int) if alike is None else alike,
        (0,), (8, 8),
    )  # fmt: skip


def drawn(data: Demonstrations, **changed: bool) -> PictureKeyframes:
    return picture_keyframes(data, np.arange(EPISODES), SETTINGS, 0, **changed).draw(0)


def episodes_of(batch: PictureKeyframes) -> tuple[np.ndarray, np.ndarray]:
    return batch.keyframes.latents[:, 0, 0].numpy().astype(int), batch.keyframes.goals[:, 0, 0].numpy().astype(int)


def test_some_goals_are_of_other_episodes_of_the_same_scene_and_of_no_other():
    now, goal = episodes_of(drawn(shown(np.arange(EPISODES) % 2)))
    share = CONTACT_SHARE * (1 - BEGUN_SHARE) * ACROSS_SHARE
    assert np.mean(now != goal) == pytest.approx(share, abs=0.1)
    assert (now % 2 == goal % 2).all()


@pytest.mark.parametrize(("alike", "across"), [(np.arange(EPISODES), True), (np.zeros(EPISODES, int), False)])
def test_where_each_scene_is_its_own_or_none_are_wanted_goals_are_of_the_same_episode(alike, across):
    now, goal = episodes_of(drawn(shown(alike), across=across))
    assert (now == goal).all()


def test_with_a_goal_of_another_episode_the_hand_takes_its_own_thing_and_leaves_it_where_the_goal_shows_it():
    batch = drawn(shown())
    now, goal = episodes_of(batch)
    across = now != goal
    assert across.any()
    keyframes, frame = batch.keyframes, batch.keyframes.goals[:, 0, 1].numpy()
    np.testing.assert_allclose(keyframes.next_states[:, 0], 0.2 + 0.05 * now, atol=1e-6)
    assert (keyframes.latents[across, 0, 1] < TAKEN).all(), "a hand that holds something is on its own way"
    begins, ends = batch.poses[across, 0, 0].numpy(), batch.poses[across, 0, 1].numpy()
    np.testing.assert_allclose(begins[:, 0], 0.2 + 0.05 * now[across], atol=1e-6)
    known = batch.known[across, 0].numpy()
    held = (frame[across] >= TAKEN) & (frame[across] <= LEFT)
    assert known[:, 0].all()
    np.testing.assert_array_equal(known[:, 1] == 0, held)
    expected = np.stack([0.2 + 0.05 * goal, np.where(frame > LEFT, 0.1, 0.0)], axis=1)[across]
    np.testing.assert_allclose(ends[~held, :2], expected[~held], atol=1e-6)


def test_a_thing_that_lies_where_it_is_wanted_is_not_to_be_taken():
    here = shown()
    here.states[..., 0] = 0.3
    now, goal = episodes_of(batch := drawn(here))
    frame = batch.keyframes.goals[:, 0, 1].numpy()
    assert (frame[now != goal] >= TAKEN).all(), "or it is in the hand"


def test_pictures_are_those_of_the_frames_that_were_drawn():
    batch = drawn(shown())
    order = batch.pixels[:, :, 0, 0, 0, 0].argsort(dim=1, stable=True)[:, 1].numpy()
    now, goal = episodes_of(batch)
    np.testing.assert_array_equal(order[now != goal] == 1, (goal > now)[now != goal])


def test_goals_lie_no_farther_ahead_than_the_next_time_that_something_is_taken():
    twice = shown()
    twice.states[:, LEFT + 3 : LEFT + 7, 6], twice.states[:, LEFT + 3 : LEFT + 7, 7] = 1.0, 0.5
    numbers = keyframe_sampler(twice, np.arange(EPISODES), SETTINGS, 0).numbers(0)
    assert numbers.goal[numbers.now < TAKEN].max() == LEFT + 2
    assert numbers.goal.max() == FRAMES - 1


def test_demonstrations_without_pictures_are_refused():
    with pytest.raises(ValueError, match="without their pictures"):
        drawn(replace(shown(), images=None))
