from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_training import episodes

from jepa_planner.learning.training.windows import WindowSampler, split, state_scaling

EPISODES, STEPS = 5, 9


def numbered_sampler(window: int = 4, batch: int = 64, seed: int = 0, per_scene: int = 1) -> WindowSampler:
    """Every frame, state and action is its episode's and its step's number."""
    places = np.stack(np.meshgrid(np.arange(EPISODES), np.arange(STEPS + 1), indexing="ij"), axis=-1)
    return WindowSampler(
        places, places.astype(np.float32), places[:, :-1].astype(np.float32), window, batch, seed, per_scene
    )


def test_windows_are_consecutive_frames_of_one_episode_with_their_states_and_actions():
    frames, states, actions = numbered_sampler().draw(0)
    assert frames.shape == (64, 4, 2) and states.shape == (64, 4, 2) and actions.shape == (64, 3, 2)
    assert torch.equal(frames[:, :, 0], frames[:, :1, 0].expand(-1, 4))
    assert torch.equal(frames[:, :, 1], frames[:, :1, 1] + torch.arange(4))
    assert torch.equal(frames.float(), states)
    assert torch.equal(actions, states[:, :-1])


def test_the_same_iteration_draws_the_same_windows_and_others_draw_others():
    one, same = numbered_sampler().draw(7)[0], numbered_sampler().draw(7)[0]
    assert torch.equal(one, same)
    assert not torch.equal(one, numbered_sampler().draw(8)[0])
    assert not torch.equal(one, numbered_sampler(seed=1).draw(7)[0])


def test_windows_come_from_every_place_of_every_episode():
    sampler = numbered_sampler()
    starts = torch.cat([sampler.draw(iteration)[0][:, 0] for iteration in range(20)])
    assert {tuple(start) for start in starts.tolist()} == {(e, t) for e in range(EPISODES) for t in range(STEPS - 2)}


def test_windows_end_where_an_episode_did_unless_it_is_shorter_than_they_are():
    sampler = replace(numbered_sampler(), lengths=np.array([9, 5, 3, 1, 9]))
    starts = torch.cat([sampler.draw(iteration)[0][:, 0] for iteration in range(20)])
    last = [int(starts[starts[:, 0] == episode, 1].max()) for episode in range(EPISODES)]
    assert last == [6, 2, 0, 0, 6]


def test_several_windows_in_a_row_are_of_one_episode_if_asked():
    frames, _, _ = numbered_sampler(per_scene=8).draw(0)
    episode, start = frames[:, 0, 0].reshape(8, 8), frames[:, 0, 1].reshape(8, 8)
    assert torch.equal(episode, episode[:, :1].expand(-1, 8))
    assert episode[:, 0].unique().numel() > 2 and start[0].unique().numel() > 2
    with pytest.raises(ValueError, match="a batch of 64 windows cannot hold 7 of each scene"):
        numbered_sampler(per_scene=7)


def test_windows_of_one_scene_are_of_any_of_its_episodes():
    scenes = np.array([7, 3, 7, 9, 7])
    sampler = replace(numbered_sampler(per_scene=8), scenes=scenes)
    episode = torch.cat([sampler.draw(iteration)[0][:, 0, 0].reshape(8, 8) for iteration in range(4)])
    shown = torch.from_numpy(scenes)[episode]
    assert torch.equal(shown, shown[:, :1].expand(-1, 8)), "the eight in a row show one scene"
    assert set(shown[:, 0].tolist()) == {3, 7, 9}
    assert set(episode[shown == 7].tolist()) == {0, 2, 4} and set(episode[shown == 3].tolist()) == {1}
    assert any(len(set(row.tolist())) == 3 for row in episode), "and not all of one episode"


def test_variants_are_different_episodes_of_one_motion_and_begin_at_the_same_step():
    motions = np.array([7, 3, 7, 7, 3])
    sampler = replace(numbered_sampler(per_scene=2), scenes=motions, at_once=True)
    frames = torch.cat([sampler.draw(iteration)[0] for iteration in range(4)]).reshape(-1, 2, 4, 2)
    episode, step = frames[..., 0, 0], frames[..., 0, 1]
    assert torch.equal(step[:, 0], step[:, 1]) and len(set(step[:, 0].tolist())) == STEPS - 2
    assert (episode[:, 0] != episode[:, 1]).all()
    shown = torch.from_numpy(motions)[episode]
    assert torch.equal(shown[:, 0], shown[:, 1]) and set(shown.flatten().tolist()) == {3, 7}


def test_a_window_may_be_a_whole_episode_but_not_more():
    frames, _, _ = numbered_sampler(window=STEPS + 1).draw(0)
    assert set(frames[:, 0, 1].tolist()) == {0}
    with pytest.raises(ValueError, match="episodes of 10 frames are shorter than windows of 11"):
        numbered_sampler(window=STEPS + 2)


@pytest.mark.parametrize(("count", "held_out"), [(2, 1), (10, 1), (40, 2), (100, 5)])
def test_the_last_episodes_are_held_out_and_at_least_one(count, held_out):
    one = episodes(1, 1, size_px=16)
    parts = split(replace(one, images=np.repeat(one.images, count, axis=0)))
    assert parts.held_out.tolist() == list(range(count - held_out, count))
    assert parts.train.tolist() == list(range(count - held_out))


def test_a_single_episode_cannot_be_split():
    with pytest.raises(ValueError, match=r"1 episodes cannot be split .* collect more"):
        split(episodes(1, 1, size_px=16))


def test_scaling_standardises_what_varies_and_leaves_what_does_not():
    states = np.random.default_rng(0).normal(0.3, 0.2, (20, 30, 8)).astype(np.float32)
    states[..., 4] = 0.5
    mean, std = state_scaling(states)
    scaled = (torch.from_numpy(states) - mean) / std
    assert mean.dtype == std.dtype == torch.float32
    assert std[4] == 1.0
    torch.testing.assert_close(scaled[..., :4].std(dim=(0, 1)), torch.ones(4), atol=0.01, rtol=0.0)
    torch.testing.assert_close(scaled.mean(dim=(0, 1)), torch.zeros(8), atol=1e-4, rtol=0.0)


def test_a_tool_that_points_down_hardly_turns_where_its_roll_is_told_as_pi_and_as_minus_pi():
    states = np.zeros((2, 50, 8), np.float32)
    states[..., 3] = np.where(np.arange(50) % 2, np.pi - 0.01, -np.pi + 0.01)
    states[..., 5] = np.linspace(2.5, 3.5, 50, dtype=np.float32)
    states[..., 5] = np.where(states[..., 5] > np.pi, states[..., 5] - 2 * np.pi, states[..., 5])
    mean, std = state_scaling(states)
    assert abs(abs(mean[3]) - np.pi) < 1e-3 and abs(std[3] - 0.01) < 1e-3
    assert abs(mean[5] - 3.0) < 1e-3 and abs(std[5] - 0.294) < 1e-2
