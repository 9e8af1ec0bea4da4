import numpy as np
import pytest
from tiny_training import encoder, episodes, predictor

from jepa_planner.training.recipe import Recipe, contract, shipped_sizes

SOME = episodes(count=8, steps=8)


def test_the_energy_scale_is_the_squared_difference_of_unrelated_frames():
    latents = np.random.default_rng(0).normal(size=(8, 9, 4, 3)).astype(np.float32)
    assert contract(encoder(), predictor(), SOME, latents, Recipe()).energy.scale == pytest.approx(2.0, rel=0.1)


def test_the_shipped_sizes_follow_the_pictures():
    encoder_sizes, predictor_sizes = shipped_sizes(episodes(1, 1, size_px=64))
    assert (encoder_sizes.image_size, encoder_sizes.views) == ((64, 64), 2)
    assert (encoder_sizes.slots, encoder_sizes.slot_channels) == (8, 16)
    assert (predictor_sizes.latent_tokens, predictor_sizes.latent_channels) == (8, 16)
