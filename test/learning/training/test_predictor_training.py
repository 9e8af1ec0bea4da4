from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_training import ENCODER, PREDICTOR, PREDICTORS, encoder, episodes, predictor
from torch import Tensor

from jepa_planner.core.poses import apply_action
from jepa_planner.learning.training import predictor_training
from jepa_planner.learning.training.encoder_training import EncoderTraining, encode_episodes, train_encoder
from jepa_planner.learning.training.fit import FitSettings
from jepa_planner.learning.training.predictor_training import (
    Pictures,
    PredictorTraining,
    imagine,
    predictor_losses,
    rollout_errors,
    train_predictor,
)
from jepa_planner.learning.training.recipe import Recipe, contract
from jepa_planner.learning.training.windows import Split
from jepa_planner.model.pixel_decoder import PixelDecoder
from jepa_planner.model.preprocess import IMAGENET_MEAN, IMAGENET_STD
from jepa_planner.model.world_model import Context, WorldModel

SETTINGS = PredictorTraining(FitSettings(iterations=4), batch=8)
SOME = episodes(count=6, steps=8)
KINDS = pytest.mark.parametrize("kind", PREDICTORS)


def window(frames: int = SETTINGS.window, batch: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(batch, frames, PREDICTOR.latent_tokens, PREDICTOR.latent_channels, generator=generator)
    states = torch.from_numpy(SOME.states[:batch, :frames])
    return latents, states, torch.from_numpy(SOME.actions[:batch, : frames - 1])


@KINDS
def test_training_imagines_what_planning_will(kind):
    """`imagine` with gradients and `WorldModel.rollout` without are the same numbers."""
    module = predictor(kind=kind).eval()
    latents, states, actions = window()
    model = WorldModel(contract(encoder(), module, SOME, Recipe()), encoder(), module)
    imagined = imagine(module, latents[:, :2], states[:, :2], actions)
    for one in range(len(latents)):
        context = Context(latents[one, :2], states[one, :2], actions[one, :1])
        planned = model.rollout(context, actions[one, None, 1:])[0]
        torch.testing.assert_close(imagined[one], planned, atol=1e-4, rtol=1e-4)
    assert imagined.shape == (3, 4, 4, 3)


@KINDS
def test_imagining_one_step_is_what_teacher_forcing_predicts(kind):
    module = predictor(kind=kind).eval()
    latents, states, actions = window(frames=4)
    forced = module.normalise_output(module(latents[:, :-1], actions, states[:, :-1]))
    imagined = imagine(module, latents[:, :3], states[:, :3], actions)
    torch.testing.assert_close(imagined[:, 0], forced[:, -1], atol=1e-4, rtol=1e-4)


@KINDS
def test_imagined_arm_states_follow_the_actions_and_not_the_recording(kind):
    module = predictor(kind=kind).eval()
    latents, states, actions = window()
    stepped = [latents[:, 1]]
    cache = module.new_cache()
    module.step(latents[:, 0], actions[:, 0], states[:, 0], cache)
    state = states[:, 1]
    for step in range(1, actions.shape[1]):
        stepped.append(module.step(stepped[-1], actions[:, step], state, cache))
        state = apply_action(state, actions[:, step])
    imagined = imagine(module, latents[:, :2], states[:, :2], actions)
    torch.testing.assert_close(imagined, torch.stack(stepped[1:], dim=1))


def test_gradients_flow_back_through_the_whole_rollout():
    module = predictor()
    latents, states, actions = window()
    actions.requires_grad_()
    imagine(module, latents[:, :2], states[:, :2], actions)[:, -1].pow(2).sum().backward()
    assert torch.all(actions.grad[:, :, :3].abs().sum(dim=(0, 2)) > 0)


def test_a_predictor_that_is_right_has_no_loss():
    module = predictor(untrained=True)
    latents, states, actions = window()
    losses = predictor_losses(module, latents[:, :1].expand_as(latents), states, actions, SETTINGS)
    assert all(loss.item() == pytest.approx(0.0, abs=1e-9) for loss in losses.values())


def test_the_total_weighs_the_rollout():
    settings = replace(SETTINGS, rollout_weight=0.3)
    losses = predictor_losses(predictor(), *window(), settings)
    torch.testing.assert_close(losses["total"], losses["teacher"] + 0.3 * losses["rollout"])
    assert losses["rollout"] > losses["teacher"] > 0


def test_absolute_errors_are_those_of_v_jepa_2_ac():
    module, (latents, states, actions) = predictor(), window()
    losses = predictor_losses(module, latents, states, actions, replace(SETTINGS, difference="l1"))
    forced = module.normalise_output(module(latents[:, :-1], actions, states[:, :-1]))
    imagined = imagine(module, latents[:, :2], states[:, :2], actions)
    torch.testing.assert_close(losses["teacher"], (forced - latents[:, 1:]).abs().mean())
    torch.testing.assert_close(losses["rollout"], (imagined - latents[:, 2:]).abs().mean())


def test_what_is_drawn_from_predictions_may_be_compared_instead_of_latents():
    module, (latents, states, actions) = predictor(), window()
    true = torch.randn(*latents.shape[:2], 5)

    def draw(predicted: torch.Tensor) -> torch.Tensor:
        return predicted.flatten(-2)[..., :5]

    losses = predictor_losses(module, latents, states, actions, SETTINGS, draw, true)
    forced = module.normalise_output(module(latents[:, :-1], actions, states[:, :-1]))
    imagined = imagine(module, latents[:, :2], states[:, :2], actions)
    torch.testing.assert_close(losses["teacher"], (draw(forced) - true[:, 1:]).square().mean())
    torch.testing.assert_close(losses["rollout"], (draw(imagined) - true[:, 2:]).square().mean())


def test_a_predictor_of_pictures_sees_those_of_its_own_windows(tmp_path, monkeypatch):
    """Latents and pictures that count the frames must agree on what they counted."""
    frames = np.arange(6 * 9).reshape(6, 9)
    latents = np.broadcast_to(frames[:, :, None, None], (6, 9, 4, 3)).astype(np.float32)
    images = np.broadcast_to(frames[:, :, None, None, None, None], (6, 9, 2, 32, 32, 3)).astype(np.uint8)
    seen = []

    def losses(module, latents, states, actions, settings, draw, true):
        channel = true[..., 0, 0, 0, 0]
        seen.append((latents[..., 0, 0], channel * IMAGENET_STD[0] * 255 + IMAGENET_MEAN[0] * 255, draw))
        return {"total": module.predictor_proj.bias.sum()}

    monkeypatch.setattr(predictor_training, "predictor_losses", losses)
    settings, decoder = replace(SETTINGS, fit=FitSettings(iterations=3)), PixelDecoder(ENCODER)
    pictures = Pictures(images, decoder)
    train_predictor(predictor(), latents, SOME.states, SOME.actions, settings, tmp_path, 0, pictures)
    assert len(seen) == 3
    for counted, shown, draw in seen:
        torch.testing.assert_close(shown, counted, atol=1e-3, rtol=0)
        assert draw is decoder


def test_teacher_forcing_may_see_longer_windows_than_the_rollout():
    settings = PredictorTraining(FitSettings(iterations=1), context=1, rollout=2, teacher_frames=6)
    assert settings.window == 6 and replace(settings, teacher_frames=0).window == 3
    module, (latents, states, actions) = predictor(), window(frames=6)
    losses = predictor_losses(module, latents, states, actions, settings)
    short = predictor_losses(module, latents[:, :3], states[:, :3], actions[:, :2], settings)
    torch.testing.assert_close(losses["rollout"], short["rollout"])
    assert losses["teacher"].item() != pytest.approx(short["teacher"].item())


@pytest.mark.parametrize("difference", ["mse", "l1"])
def test_errors_of_imagining_stand_beside_those_of_copying(difference):
    latents = np.random.default_rng(0).normal(size=(6, 9, 4, 3)).astype(np.float32)
    still = predictor(untrained=True).eval()  # residual: it predicts that nothing changes
    found, copied = rollout_errors(still, latents, SOME.states, SOME.actions, 1, 3, difference)
    assert found.shape == copied.shape == (6, 2, 3)
    np.testing.assert_allclose(found, copied, rtol=1e-5)
    off = latents[:, 5:8] - latents[:, 4:5]
    expected = (np.abs(off) if difference == "l1" else off**2).mean((-1, -2))
    np.testing.assert_allclose(copied[:, 1], expected, rtol=1e-5)
    moving, _ = rollout_errors(predictor().eval(), latents, SOME.states, SOME.actions, 1, 3, difference)
    assert not np.allclose(moving, copied)


def test_training_lowers_the_loss_and_freezes_the_predictor(tmp_path):
    """The first latent number of each token shows the tcp's x, which the actions foretell."""
    latents = np.tile(SOME.states[:, :, None, :1] * 20 - 10, (1, 1, 4, 3)).astype(np.float32)
    module = predictor(untrained=True)
    module.set_scaling(torch.zeros(8), torch.ones(8), torch.tensor([0.03] * 3 + [1.0] * 4))
    windows = [torch.from_numpy(x) for x in (latents[:, :6], SOME.states[:, :6], SOME.actions[:, :5])]
    before = predictor_losses(module, *windows, SETTINGS)["total"].item()
    settings = replace(SETTINGS, fit=FitSettings(iterations=80, learning_rate=1e-2, warm_up=5), batch=16)
    train_predictor(module, latents, SOME.states, SOME.actions, settings, tmp_path, seed=0)
    assert predictor_losses(module, *windows, SETTINGS)["total"].item() < 0.5 * before
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_episodes_shorter_than_a_window_are_refused(tmp_path):
    latents = np.zeros((6, 5, 4, 3), np.float32)
    with pytest.raises(ValueError, match="episodes of 5 frames are shorter than windows of 6"):
        train_predictor(predictor(), latents, SOME.states[:, :5], SOME.actions[:, :4], SETTINGS, tmp_path, seed=0)


def train_tiny_encoder(folder, seed: int = 0):
    settings = EncoderTraining(FitSettings(iterations=3), batch=4, window=3)
    sizes = encoder().config, PREDICTOR
    parts = Split(np.arange(5), np.arange(5, 6))
    return train_encoder(SOME, parts, *sizes, settings, torch.ones(7), folder, seed)[0]


def test_a_trained_encoder_is_frozen_and_the_same_for_the_same_seed(tmp_path):
    one = train_tiny_encoder(tmp_path / "one")
    assert not one.training and not any(parameter.requires_grad for parameter in one.parameters())
    same, other = train_tiny_encoder(tmp_path / "same"), train_tiny_encoder(tmp_path / "other", seed=1)
    latents = [encode_episodes(module, SOME.images[:1]) for module in (one, same, other)]
    np.testing.assert_array_equal(latents[0], latents[1])
    assert not np.allclose(latents[0], latents[2])


def test_encoding_does_not_depend_on_how_frames_are_batched():
    module = encoder().eval()
    whole, parts = encode_episodes(module, SOME.images, batch=1000), encode_episodes(module, SOME.images, batch=5)
    assert whole.shape == (6, 9, 4, 3) and whole.dtype == np.float32
    np.testing.assert_allclose(whole, parts, atol=1e-5)
