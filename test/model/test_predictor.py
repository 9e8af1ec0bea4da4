import math

import pytest
import torch
from small_models import CHANNELS, PREDICTOR_CONFIGS, SLOTS, mlp_predictor_config, small_predictor

from jepa_planner.model.predictors import make_predictor

KINDS = pytest.mark.parametrize("kind", PREDICTOR_CONFIGS)


def inputs(steps: int = 4, batch: int = 2, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = (batch, steps, SLOTS, CHANNELS), (batch, steps, 7), (batch, steps, 8)
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


@KINDS
@pytest.mark.parametrize("which", [0, 1, 2], ids=["latents", "actions", "states"])
def test_a_prediction_sees_its_own_step_and_not_a_later_one(kind, which):
    predictor = small_predictor(kind=kind)
    given = inputs()
    changed = [x.clone() for x in given]
    changed[which][:, 2] += 1.0
    with torch.no_grad():
        difference = (predictor(*given) - predictor(*changed)).abs().amax(dim=(0, 2, 3))
    assert (difference[:2] < 1e-6).all()
    assert (difference[2:3] > 1e-3).all()


@pytest.mark.parametrize(("kind", "remembered"), [("transformer", (3, 3, 3)), ("mlp", (2, 1, 1))])
def test_an_mlp_remembers_the_latent_of_the_step_before_and_a_transformer_all(kind, remembered):
    for which, steps in enumerate(remembered):
        given = inputs()
        changed = [x.clone() for x in given]
        changed[which][:, 0] += 1.0
        predictor = small_predictor(kind=kind)
        with torch.no_grad():
            difference = (predictor(*given) - predictor(*changed)).abs().amax(dim=(0, 2, 3))[:3]
        assert (difference[:steps] > 1e-4).all() and (difference[steps:] < 1e-6).all()


@KINDS
def test_every_slot_sees_every_other_slot_of_its_step(kind):
    predictor = small_predictor(kind=kind)
    latents, actions, states = inputs(steps=1)
    changed = latents.clone()
    changed[:, 0, 0] += 1.0
    with torch.no_grad():
        difference = (predictor(latents, actions, states) - predictor(changed, actions, states)).abs()
    assert (difference.amax(dim=(0, 1, 3)) > 1e-3).all()


@KINDS
@pytest.mark.parametrize("with_gradient", [True, False])
def test_step_by_step_equals_whole_sequences(kind, with_gradient):
    predictor = small_predictor(kind=kind).requires_grad_(with_gradient)
    latents, actions, states = inputs()
    cache = predictor.new_cache()
    steps = [predictor.step(latents[:, t], actions[:, t], states[:, t], cache) for t in range(4)]
    assert torch.allclose(torch.stack(steps, dim=1), predictor(latents, actions, states), atol=1e-5)


@KINDS
def test_what_was_observed_is_remembered_like_a_step_by_one_sequence_or_by_many(kind):
    predictor = small_predictor(kind=kind)
    latents, actions, states = inputs(batch=1)
    cache = predictor.new_cache()
    predictor.observe(latents[:, 0], actions[:, 0], states[:, 0], cache)
    latents, actions, states = (x[:, 1].expand(3, *x.shape[2:]) for x in (latents, actions, states))
    with torch.no_grad():
        after = predictor.step(latents, actions, states, cache.expanded(3))
        whole = predictor(*inputs(batch=1))[:, 1]
        alone = predictor.step(latents, actions, states, predictor.new_cache().expanded(3))
    assert torch.allclose(after, whole.expand_as(after), atol=1e-5)
    assert (alone - after).abs().max() > 1e-3


@KINDS
def test_gradients_flow_through_a_rollout(kind):
    predictor = small_predictor(kind=kind).train()
    latents, actions, states = inputs()
    actions.requires_grad_()
    cache, latent = predictor.new_cache(), latents[:, 0]
    for t in range(3):
        latent = predictor.step(latent, actions[:, t], states[:, t], cache)
    latent.square().sum().backward()
    assert (actions.grad[:, :3].abs().sum(dim=(0, 2)) > 0).all()
    assert (actions.grad[:, 3] == 0).all()


@KINDS
def test_an_untrained_residual_model_predicts_that_nothing_changes(kind):
    latents, actions, states = inputs()
    assert torch.equal(make_predictor(PREDICTOR_CONFIGS[kind]())(latents, actions, states), latents)


@KINDS
def test_slots_are_told_apart(kind):
    predictor = small_predictor(kind=kind)
    latents, actions, states = inputs(steps=1)
    latents[:] = latents[:, :, :1]
    with torch.no_grad():
        predicted = predictor(latents, actions, states) - latents
    assert not torch.allclose(predicted[:, :, 0], predicted[:, :, 1], atol=1e-3)


@KINDS
def test_scaling_equals_scaled_inputs_and_is_stored_with_the_weights(kind):
    plain, scaled = small_predictor(kind=kind), small_predictor(kind=kind)
    mean, std, action_std = torch.randn(8), torch.rand(8) + 0.5, torch.rand(7) + 0.5
    scaled.set_scaling(mean, std, action_std)
    latents, actions, states = inputs()
    states = mean + 0.5 * states.tanh()
    expected = plain(latents, actions / action_std, (states - mean) / std)
    assert torch.allclose(scaled(latents, actions, states), expected, atol=1e-5)
    states[..., 3:6] += 2 * math.pi
    assert torch.allclose(scaled(latents, actions, states), expected, atol=1e-4)
    assert {"state_mean", "state_std", "action_std"} <= scaled.state_dict().keys()


def test_outputs_are_normalised_as_the_latents_are():
    x = 3.0 + torch.randn(2, SLOTS, CHANNELS)
    assert torch.equal(small_predictor().normalise_output(x), x)
    normalised = small_predictor(output_norm="layernorm").normalise_output(x)
    assert torch.allclose(normalised.mean(dim=-1), torch.zeros(2, SLOTS), atol=1e-5)


def test_more_steps_than_the_model_has_are_refused():
    predictor = small_predictor(max_steps=2)
    latents, actions, states = inputs(steps=3)
    with pytest.raises(ValueError, match=r"3 time steps given.*max_steps=2"):
        predictor(latents, actions, states)
    cache = predictor.new_cache()
    for t in range(2):
        predictor.step(latents[:, t], actions[:, t], states[:, t], cache)
    with pytest.raises(ValueError, match="max_steps=2"):
        predictor.step(latents[:, 2], actions[:, 2], states[:, 2], cache)


@KINDS
@pytest.mark.parametrize(("which", "name"), [(0, "latents"), (1, "actions"), (2, "states")])
def test_inputs_of_another_width_are_refused_by_name(kind, which, name):
    given = list(inputs())
    given[which] = given[which][..., :-1]
    with pytest.raises(ValueError, match=name):
        small_predictor(kind=kind)(*given)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid": (16, 16), "latent_channels": 1408}, "256 x 1408 numbers; .* at most 2048 numbers: use a transformer"),
        ({"depth": 0}, "expected width, depth and mlp_hidden >= 1"),
    ],
)
def test_sizes_that_an_mlp_is_not_made_for_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        mlp_predictor_config(**changes)
