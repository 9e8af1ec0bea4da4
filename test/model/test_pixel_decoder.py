"""A model that is planned in pixels: its decoder, its bundle, and the energy that follows from them."""

import numpy as np
import pytest
import torch
from tiny_training import ENCODER, PREDICTOR, encoder, episodes, predictor

from jepa_planner.core.context import Context
from jepa_planner.core.strict_fields import FieldError
from jepa_planner.learning.training.recipe import Recipe, contract, new_planner_settings, planned_in_pixels
from jepa_planner.model.bundle import load_decoder, save_bundle
from jepa_planner.model.bundle_files import DECODER_FILE, BundleError
from jepa_planner.model.contract import Contract
from jepa_planner.model.pixel_decoder import PixelDecoder
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.energy import SummedMse, energy_of, latent_energy
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.rollout_cost import WorldModelCost

SOME = episodes(count=2, steps=3)


def decoder(seed: int = 0) -> PixelDecoder:
    torch.manual_seed(seed)
    return PixelDecoder(ENCODER)


def latent_contract() -> Contract:
    return contract(encoder(), predictor(), SOME, Recipe())


def latent_planner() -> PlannerSettings:
    latents = np.zeros((2, 4, ENCODER.latent_tokens, ENCODER.latent_channels), np.float32)
    return new_planner_settings(latent_contract(), latents)


def saved(folder) -> Contract:
    return save_bundle(folder, encoder(), predictor(), latent_contract(), decoder=decoder())


def test_pictures_have_the_views_and_size_that_the_encoder_sees():
    latents = torch.randn(3, 5, PREDICTOR.latent_tokens, PREDICTOR.latent_channels)
    drawn = decoder()(latents)
    assert drawn.shape == (3, 5, 2, 3, 32, 32)
    torch.testing.assert_close(drawn[1, 2], decoder()(latents[1, 2]), atol=1e-5, rtol=1e-4)


def test_pixels_are_the_picture_with_a_token_for_each():
    latents = torch.randn(3, 4, 3)
    picture, pixels = decoder()(latents), decoder().pixels(latents)
    assert pixels.shape == (3, 2 * 32 * 32, 3)
    torch.testing.assert_close(pixels[1, 32 * 32 + 5 * 32 + 7], picture[1, 1, :, 5, 7])


def test_a_bundle_with_a_decoder_is_planned_by_the_pixels_of_its_predictions(tmp_path):
    saved(tmp_path)
    model = WorldModel.load(tmp_path)
    latents = model.encode(SOME.images[0, :2])
    context = Context(latents[:1], torch.from_numpy(SOME.states[0, :1]), torch.zeros(0, 7))
    actions = 0.03 * torch.randn(6, 3, 7)
    energy = energy_of("pixel_summed_mse", model.decoder)
    energies = WorldModelCost(model, energy).energies(context, latents[1], actions)
    drawn = decoder().requires_grad_(False)(model.rollout(context, actions))
    expected = (drawn - decoder().requires_grad_(False)(latents[1])).square().mean(dim=(2, 3, 4, 5)).sum(dim=1)
    torch.testing.assert_close(energies, expected)
    of_latents = WorldModelCost(model, SummedMse()).energies(context, latents[1], actions)
    assert not torch.allclose(energies, of_latents, rtol=0.05)


def test_a_bundle_without_a_decoder_is_planned_in_latents(tmp_path):
    save_bundle(tmp_path, encoder(), predictor(), latent_contract())
    assert load_decoder(tmp_path) is None
    assert isinstance(energy_of("summed_mse", WorldModel.load(tmp_path).decoder), SummedMse)


def test_tolerances_are_the_same_share_of_the_energy_of_unrelated_frames():
    before = latent_planner()
    after = planned_in_pixels(before, latent_contract(), SOME)
    assert after.energy.kind == "pixel_summed_mse" and 0.01 < after.energy.scale < 3.0
    for goals in (1, 3):
        expected = [t * after.energy.scale / 2.0 for t in before.tolerances(goals)]
        assert after.tolerances(goals) == pytest.approx(expected, rel=0.01)


def test_an_altered_or_missing_decoder_is_refused_by_name(tmp_path):
    saved(tmp_path)
    file = tmp_path / DECODER_FILE
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    for load in (load_decoder, WorldModel.load):
        with pytest.raises(BundleError, match=r"decoder\.safetensors: sha256 is"):
            load(tmp_path)
    file.unlink()
    with pytest.raises(BundleError, match=r"decoder\.safetensors: listed under files"):
        load_decoder(tmp_path)


def test_an_energy_of_pixels_needs_a_decoder(tmp_path):
    settings = planned_in_pixels(latent_planner(), latent_contract(), SOME)
    settings.save(tmp_path)
    assert PlannerSettings.load(tmp_path, saved(tmp_path)) == settings
    without = save_bundle(tmp_path / "without", encoder(), predictor(), latent_contract())
    with pytest.raises(FieldError, match=r"energy\.kind: 'pixel_summed_mse' needs decoder\.safetensors, which the"):
        settings.check(without)


def test_who_has_no_decoder_refuses_energies_of_pixels():
    with pytest.raises(ValueError, match="'pixel_summed_mse' is unknown here; energies of pixels need the model's dec"):
        latent_energy("pixel_summed_mse")


def test_predictions_that_are_drawn_alike_have_the_same_energy_whatever_their_latents():
    module = decoder()
    with torch.no_grad():
        module.expand.weight[:, 3:] = 0.0  # draws nothing of the tokens but the first
    energy = energy_of("pixel_summed_mse", module.requires_grad_(False))
    goal, other = torch.randn(4, 3), torch.randn(4, 3)
    other[0] = goal[0]
    assert energy(other[None, None], goal, torch.zeros(1, 1, 7)).item() == pytest.approx(0.0, abs=1e-9)
