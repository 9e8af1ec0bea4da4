from dataclasses import replace

import pytest
import torch
from small_models import CHANNELS, KEYPOINTS, SLOTS, small_verdict_head, verdict_head_config

from jepa_planner.core.observation import Observation


def inputs(batch: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = (batch, SLOTS, CHANNELS), (batch, 8), (batch, SLOTS, CHANNELS)
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


def observed(latents: torch.Tensor, states: torch.Tensor, goals: torch.Tensor) -> tuple[Observation, Observation]:
    return Observation(latents, state=states), Observation(goals)


def test_an_opinion_is_a_logit_for_each_class_of_distance_and_the_arm_state_in_the_goal():
    opinion = small_verdict_head(edges_m=(0.01, 0.03, 0.1))(*observed(*inputs()))
    assert opinion.logits.shape == (3, 5), "below, between and beyond the edges, and not the same things"
    assert opinion.goal_states.shape == (3, 8)


@pytest.mark.parametrize("changed", [0, 1, 2], ids=["latent", "state", "goal"])
def test_everything_that_is_given_counts_for_the_distance(changed):
    head, given = small_verdict_head(), list(inputs())
    before = head(*observed(*given)).logits
    given[changed] = given[changed] + 1.0
    assert (head(*observed(*given)).logits - before).abs().min() > 1e-4


def test_where_the_arm_stands_in_the_goal_is_read_from_the_goal_alone():
    head, (latents, states, goals) = small_verdict_head(), inputs()
    shown = head(*observed(latents, states, goals)).goal_states
    assert torch.equal(head(*observed(latents + 1.0, states - 1.0, goals)).goal_states, shown)
    assert (head(*observed(latents, states, goals + 1.0)).goal_states - shown).abs().min() > 1e-5


def test_states_enter_and_leave_in_their_own_units():
    head, (latents, states, goals) = small_verdict_head(), inputs()
    plain = head(*observed(latents, states, goals))
    mean, std = torch.arange(8.0) / 8, torch.arange(1.0, 9.0) / 8  # angles stay below half a turn
    head.set_scaling(mean, std)
    scaled = head(*observed(latents, states * std + mean, goals))
    torch.testing.assert_close(scaled.logits, plain.logits)
    torch.testing.assert_close(scaled.goal_states, plain.goal_states * std + mean)


def test_a_higher_temperature_makes_every_chance_more_like_the_others():
    head = small_verdict_head()
    plain = head(*observed(*inputs())).logits
    head.set_temperature(2.0)
    torch.testing.assert_close(head(*observed(*inputs())).logits, plain / 2.0)


def test_a_head_with_keypoints_looks_at_both_pictures():
    head = small_verdict_head(scene=KEYPOINTS)
    latents, states, goals = inputs()
    pixels = torch.randn(2, 3, 2, 3, *KEYPOINTS.image_size, generator=torch.Generator().manual_seed(2))
    now, goal = Observation(latents, pixels[0], states), Observation(goals, pixels[1])
    logits = head(now, goal).logits
    for changed in range(2):
        other = [now, goal]
        other[changed] = replace(other[changed], images=other[changed].images.flip(-1))
        assert (head(*other).logits - logits).abs().max() > 1e-6
    of_one_view = (replace(seen, images=seen.images[:, [1]]) for seen in (now, goal))
    alone = head.of_views([1])(*of_one_view)
    assert alone.logits.shape == logits.shape
    assert torch.equal(head(now, goal).logits, logits), "the head itself still wants both views"


def test_a_head_that_does_not_see_heeds_no_pictures():
    head, (latents, states, goals) = small_verdict_head(), inputs()
    images = torch.randn(3, 1, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    seen = head(Observation(latents, images, states), Observation(goals, -images))
    assert torch.equal(seen.logits, head(*observed(latents, states, goals)).logits)
    assert head.of_views([1]) is head


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"width": 0}, "width and depth >= 1"),
        ({"dropout": 1.0}, "dropout in 0..1"),
        ({"edges_m": ()}, "at least one distance, positive and growing"),
        ({"edges_m": (0.02, 0.02)}, "at least one distance, positive and growing"),
        ({"edges_m": (0.0, 0.02)}, "at least one distance, positive and growing"),
        ({"latent_tokens": 256, "latent_channels": 1408}, "256 x 1408 numbers; this head is made for latents of a few"),
    ],
)
def test_impossible_sizes_are_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        verdict_head_config(**changes)
