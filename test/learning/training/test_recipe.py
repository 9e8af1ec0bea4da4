import numpy as np
import pytest
from tiny_training import encoder, episodes, predictor

from jepa_planner.learning.training.predictor_sizes import new_predictor_config
from jepa_planner.learning.training.recipe import (
    Recipe,
    contract,
    new_planner_settings,
    shipped_encoder,
    shipped_predictor,
)
from jepa_planner.model.encoder import EncoderConfig

SOME = episodes(count=8, steps=8)


def test_the_energy_scale_is_the_squared_difference_of_unrelated_frames():
    latents = np.random.default_rng(0).normal(size=(8, 9, 4, 3)).astype(np.float32)
    made = contract(encoder(), predictor(), SOME, Recipe())
    assert new_planner_settings(made, latents).energy.scale == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize("kind", ["transformer", "mlp"])
def test_the_shipped_sizes_follow_the_pictures(kind):
    encoder_sizes = shipped_encoder(episodes(1, 1, size_px=64))
    predictor_sizes = shipped_predictor(encoder_sizes, kind)
    assert (encoder_sizes.image_size, encoder_sizes.views) == ((64, 64), 2)
    assert (encoder_sizes.slots, encoder_sizes.slot_channels) == (8, 16)
    assert (predictor_sizes.latent_tokens, predictor_sizes.latent_channels) == (8, 16)
    assert (predictor_sizes.kind, predictor_sizes.state_dim, predictor_sizes.action_dim) == (kind, 8, 7)


def test_latents_of_a_few_slots_get_an_mlp_and_those_of_many_tokens_a_transformer():
    slots = shipped_encoder(episodes(1, 1, size_px=64))
    tokens = EncoderConfig(image_size=(256, 256), width=1408, depth=1, heads=2, mlp_hidden=32)
    assert [new_predictor_config(encoder, 8, 7).kind for encoder in (slots, tokens)] == ["mlp", "transformer"]
    with pytest.raises(ValueError, match="256 x 1408 numbers; this predictor is made for latents of a few slots"):
        new_predictor_config(tokens, 7, 7, "mlp")
