import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_training import encoder, episodes, predictor

from jepa_planner.learning.training.encoder_adaptation import EncoderAdaptation, adapt_encoder, apart_loss, weights_hash
from jepa_planner.learning.training.recipe import Recipe, contract
from jepa_planner.learning.training.warp_fitting import FrozenModel, MomentSampler
from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.model.picture_warp import UNMOVED

SOME = episodes(count=6, steps=8)
QUICK = EncoderAdaptation(iterations=40, learning_rate=3e-3, moments=8)


@pytest.fixture(scope="module")
def model() -> FrozenModel:
    """One whose read-out of the arm is for other pictures than those of its encoder."""
    rng = torch.Generator().manual_seed(0)
    config = encoder().config
    latents = torch.randn(500, config.latent_tokens, config.latent_channels, generator=rng)
    states = torch.randn(500, 8, generator=rng) * 0.1
    states[:, :3] += 0.2 * latents[:, 0, :3]
    return FrozenModel(encoder(), predictor(), LatentStatistics.of(latents, states), None).frozen()


def adapted(model: FrozenModel, folder, settings=QUICK):
    made = contract(model.encoder, model.predictor, SOME, Recipe())
    train, held_out = (MomentSampler(SOME, made, np.arange(*some), seed=0) for some in ((0, 5), (5, 6)))
    return adapt_encoder(model, train, held_out, (UNMOVED,) * len(made.image.views), settings, folder)


@pytest.fixture(scope="module")
def learned(model, tmp_path_factory):
    """The folder of a run, and what it gave."""
    folder = tmp_path_factory.mktemp("run")
    return folder, *adapted(model, folder)


def test_an_encoder_learns_to_show_the_arm_where_the_frozen_read_out_finds_it(model, learned):
    _, new, change = learned
    assert change.better and change.after < 0.9 * change.before
    assert weights_hash(new) != weights_hash(model.encoder) == weights_hash(encoder())
    assert not any(parameter.requires_grad for parameter in new.parameters())


def test_moments_are_to_stay_as_far_apart_as_they_were_wherever_they_come_to_lie():
    before = torch.randn(12, 4, 3, generator=torch.Generator().manual_seed(0))
    assert apart_loss(before + 3.0, before) < 1e-6
    assert float(apart_loss(0.5 * before, before)) == pytest.approx(math.log(4.0) ** 2 * 11 / 12, rel=0.02)
    assert apart_loss(2.0 * before, before) > 1.0


def test_what_it_learned_of_the_spread_of_pictures_stays(model, learned):
    new = learned[1]
    old = dict(model.encoder.named_buffers())
    assert all(buffer.equal(old[name]) for name, buffer in new.named_buffers())


def test_an_encoder_that_does_not_get_better_stays(model, tmp_path):
    same, change = adapted(model, tmp_path, replace(QUICK, iterations=3, learning_rate=3.0))
    assert not change.better and same is model.encoder


def test_a_run_that_is_over_gives_the_same_again(model, learned):
    folder, new, change = learned
    again, same = adapted(model, folder)
    assert weights_hash(again) == weights_hash(new) and same == change


def test_without_statistics_nothing_says_what_latents_mean_and_the_encoder_stays(model, tmp_path):
    assert adapted(replace(model, statistics=None), tmp_path) is None
