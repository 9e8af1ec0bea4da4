from dataclasses import replace

import pytest
import torch
from small_models import CHANNELS, KEYPOINTS, SLOTS, small_sub_goal_head, sub_goal_head_config

from jepa_planner.core.observation import Observation
from jepa_planner.model.sub_goal_head import CONTACT_KINDS, POSE, SubGoalHead


def inputs(batch: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = (batch, SLOTS, CHANNELS), (batch, 8), (batch, SLOTS, CHANNELS)
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


def observed(latents: torch.Tensor, states: torch.Tensor, goals: torch.Tensor) -> tuple[Observation, Observation]:
    return Observation(latents, state=states), Observation(goals)


def silenced(**changes) -> SubGoalHead:
    """One whose guesses are that nothing changes."""
    head = small_sub_goal_head(**changes)
    with torch.no_grad():
        head.changes.weight.zero_()
        head.changes.bias.zero_()
    return head


def test_every_hypothesis_is_a_latent_a_state_and_a_logit():
    guesses = small_sub_goal_head(hypotheses=5)(*observed(*inputs()))
    assert guesses.latents.shape == (3, 5, SLOTS, CHANNELS)
    assert guesses.states.shape == (3, 5, 8)
    assert guesses.logits.shape == (3, 5)


def test_hypotheses_differ_before_any_training():
    guesses = small_sub_goal_head()(*observed(*inputs(batch=1)))
    for part in (guesses.latents[0], guesses.states[0]):
        distances = torch.cdist(part.flatten(1), part.flatten(1)) + torch.eye(4)
        assert distances.min() > 0.01


def test_changes_are_added_to_what_is_seen():
    latents, states, goals = inputs()
    guesses = silenced()(*observed(latents, states, goals))
    assert torch.equal(guesses.latents, latents[:, None].expand_as(guesses.latents))
    assert torch.equal(guesses.states, states[:, None].expand_as(guesses.states))


@pytest.mark.parametrize("changed", [0, 1, 2], ids=["latent", "state", "goal"])
def test_everything_that_is_given_counts(changed):
    head, given = silenced(), list(inputs())
    before = head(*observed(*given)).logits
    given[changed] = given[changed] + 1.0
    assert (head(*observed(*given)).logits - before).abs().min() > 1e-4


def test_states_enter_and_leave_in_their_own_units():
    head, (latents, states, goals) = small_sub_goal_head(), inputs()
    plain = head(*observed(latents, states, goals))
    mean, std = torch.arange(8.0) / 8, torch.arange(1.0, 9.0) / 8  # angles stay below half a turn
    head.set_scaling(mean, std)
    scaled = head(*observed(latents, states * std + mean, goals))
    torch.testing.assert_close(scaled.latents, plain.latents)
    torch.testing.assert_close(scaled.states, plain.states * std + mean)


def test_a_head_with_keypoints_looks_at_the_pictures_and_imagines_none():
    head = small_sub_goal_head(scene=KEYPOINTS).eval()
    latents, states, goals = inputs()
    pixels = torch.randn(2, 3, 2, 3, *KEYPOINTS.image_size, generator=torch.Generator().manual_seed(2))
    now, goal = Observation(latents, pixels[0], states), Observation(goals, pixels[1])
    guesses, poses = head.guess(now, goal)
    assert guesses.latents.shape == (3, 4, SLOTS, CHANNELS)
    assert poses.shape == (3, CONTACT_KINDS, 2, len(POSE))
    for changed in range(2):
        other = [now, goal]
        other[changed] = replace(other[changed], images=other[changed].images.flip(-1))
        assert (head(*other).states - guesses.states).abs().max() > 1e-6
    of_one_view = (replace(seen, images=seen.images[:, [1]]) for seen in (now, goal))
    alone = head.of_views([1])(*of_one_view)
    assert alone.latents.shape == guesses.latents.shape
    assert torch.equal(head(now, goal).latents, guesses.latents), "the head itself still wants both views"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"hypotheses": 0}, "hypotheses, width and depth >= 1"),
        ({"dropout": 1.0}, "dropout in 0..1"),
        ({"latent_tokens": 256, "latent_channels": 1408}, "256 x 1408 numbers; this head is made for latents of a few"),
    ],
)
def test_impossible_sizes_are_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        sub_goal_head_config(**changes)
