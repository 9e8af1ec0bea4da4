import numpy as np
import pytest
import torch
from small_models import small_actions, small_context, small_world_model

from jepa_planner.model.bundle import save_bundle
from jepa_planner.model.contract import ContractError
from jepa_planner.model.rollout.plain import plain_rollout
from jepa_planner.model.world_model import Context, WorldModel

KINDS = pytest.mark.parametrize("kind", ["transformer", "mlp"])


def camera_images(batch: int = 2, views: int = 2, size: tuple[int, int] = (32, 32)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (batch, views, *size, 3), dtype=np.uint8)


@KINDS
@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("chunk", [2, 128])
def test_a_rollout_with_shared_past_equals_the_plain_one(kind, frames, chunk):
    model = small_world_model(chunk=chunk, kind=kind)
    context, actions = small_context(frames), small_actions(candidates=5, horizon=4)
    rollout = model.rollout(context, actions)
    assert rollout.shape == (5, 4, 3, 4)
    assert torch.allclose(rollout, plain_rollout(model.predictor, context, actions), atol=1e-5)


@pytest.mark.parametrize("which", ["latents", "states", "actions"])
def test_the_past_shows_in_the_imagined_future(which):
    model, context, actions = small_world_model(), small_context(2), small_actions()
    parts = {name: getattr(context, name).clone() for name in ("latents", "states", "actions")}
    parts[which][0] += 0.5
    difference = model.rollout(context, actions) - model.rollout(Context(**parts), actions)
    assert difference.abs().max() > 1e-4


@KINDS
def test_a_candidate_does_not_depend_on_the_others(kind):
    model, context, actions = small_world_model(kind=kind), small_context(), small_actions()
    assert torch.allclose(model.rollout(context, actions)[3:4], model.rollout(context, actions[3:4]), atol=1e-6)


@KINDS
def test_a_later_action_does_not_change_an_earlier_outcome(kind):
    model, context, actions = small_world_model(kind=kind), small_context(), small_actions()
    changed = actions.clone()
    changed[:, 2] += 0.5
    before, after = model.rollout(context, actions), model.rollout(context, changed)
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.allclose(before[:, 2], after[:, 2], atol=1e-4)


@KINDS
def test_gradients_reach_the_actions_and_agree_with_finite_differences(kind):
    model, context, actions = small_world_model(kind=kind), small_context(), small_actions(candidates=2)
    context = Context(model.rollout(context, actions)[0, :2], context.states, context.actions)  # of inference mode

    def far(latents, actions):
        return latents[:, -1].square().mean(dim=(1, 2))

    actions.requires_grad_()
    energies = model.evaluate(context, actions, far)
    (gradient,) = torch.autograd.grad(energies.sum(), actions)
    step = torch.zeros_like(actions)
    step[:, 0, 1] = 1e-2
    with torch.no_grad():
        ahead, behind = (model.evaluate(context, actions + sign * step, far) for sign in (1.0, -1.0))
    assert torch.allclose(energies, model.evaluate(context, actions.detach(), far), atol=1e-5)
    assert torch.allclose((ahead - behind) / 2e-2, gradient[:, 0, 1], rtol=2e-2, atol=1e-4)


def test_encoding_gives_latents_of_the_contract_from_any_larger_size():
    model = small_world_model()
    assert model.encode(camera_images()).shape == (2, 3, 4)
    assert model.encode(torch.from_numpy(camera_images(size=(48, 64)))).shape == (2, 3, 4)


def test_encoding_leaves_the_running_statistics_alone():
    model = small_world_model()
    first = model.encode(camera_images())
    assert torch.equal(model.encode(camera_images()), first)


@pytest.mark.parametrize(
    ("images", "name"),
    [
        (camera_images().astype(np.float32), "uint8"),
        (camera_images(views=1), "image.views"),
        (camera_images(size=(16, 32)), "image.height"),
        (camera_images()[0], "image: shape"),
    ],
    ids=["float", "views", "small", "no batch"],
)
def test_images_that_do_not_fit_the_contract_are_refused_by_name(images, name):
    with pytest.raises(ContractError, match=name):
        small_world_model().encode(images)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"latents": torch.zeros(2, 4, 4)}, "context.latents"),
        ({"states": torch.zeros(2, 7)}, "state.channels"),
        ({"states": torch.zeros(1, 8)}, "2 latents with 1 states"),
        ({"actions": torch.zeros(2, 7)}, "2 actions"),
        ({"actions": torch.zeros(1, 6)}, "action.channels"),
    ],
)
def test_a_context_that_does_not_fit_is_refused_by_name(change, name):
    context = small_context()
    parts = {"latents": context.latents, "states": context.states, "actions": context.actions, **change}
    with pytest.raises(ContractError, match=name):
        small_world_model().rollout(Context(**parts), small_actions())


@pytest.mark.parametrize(
    ("actions", "name"),
    [
        (torch.zeros(5, 3, 4), "action.channels: 4 given"),
        (torch.zeros(3, 7), "candidates, horizon, channels"),
        (torch.zeros(0, 3, 7), "candidates, horizon, channels"),
        (torch.zeros(1, 8, 7), "predictor.max_steps: 9 steps"),
    ],
    ids=["width", "no candidates axis", "no candidates", "too long"],
)
def test_actions_that_do_not_fit_are_refused_by_name(actions, name):
    with pytest.raises(ContractError, match=name):
        small_world_model().rollout(small_context(), actions)


@KINDS
def test_a_loaded_bundle_imagines_the_same(kind, tmp_path):
    model = small_world_model(kind=kind)
    save_bundle(tmp_path, model.encoder, model.predictor, model.contract)
    loaded = WorldModel.load(tmp_path)
    context, actions = small_context(), small_actions()
    assert torch.equal(loaded.rollout(context, actions), model.rollout(context, actions))
    assert torch.equal(loaded.encode(camera_images()), model.encode(camera_images()))
