from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_training import ENCODER, episodes

from jepa_planner.learning.training.encoder_training import encode_episodes, encode_some_alone
from jepa_planner.learning.training.view_dropout import LONE_VIEW_SHARE, draw_lone_views, encode_windows
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.preprocess import preprocess


def encoder_for_any_view() -> VideoEncoder:
    torch.manual_seed(0)
    return VideoEncoder(replace(ENCODER, any_view=True)).eval().requires_grad_(False)


def windows(count: int = 40) -> torch.Tensor:
    return preprocess(torch.from_numpy(episodes(count, 1).images), (32, 32))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_some_windows_are_seen_by_one_view_and_the_others_by_all():
    encoder, images = encoder_for_any_view(), windows()
    latents = encode_windows(encoder, images, generator())
    ways = [encoder(images.flatten(0, 1))] + [encoder.of_views([v])(images.flatten(0, 1)[:, [v]]) for v in (0, 1)]
    same = torch.stack([(latents.flatten(0, 1) - way).abs().amax((1, 2)) < 1e-5 for way in ways])
    assert torch.equal(same.sum(0), torch.ones(80, dtype=torch.long)), "each frame in exactly one of three ways"
    assert torch.equal(same[:, 0::2], same[:, 1::2]), "all frames of a window alike"
    assert same[1:].any(1).all() and same[0].float().mean() == pytest.approx(1 - LONE_VIEW_SHARE, abs=0.2)


def test_an_encoder_that_needs_all_views_sees_them_always():
    torch.manual_seed(0)
    encoder, images = VideoEncoder(ENCODER).eval(), windows(6)
    torch.testing.assert_close(
        encode_windows(encoder, images, generator()), encoder(images.flatten(0, 1)).unflatten(0, (6, 2))
    )


def test_the_predictor_learns_from_episodes_of_lone_views_as_well():
    encoder, images = encoder_for_any_view(), episodes(30, 1).images
    latents = encode_episodes(encoder, images)
    seen = encode_some_alone(encoder, images, latents, np.random.default_rng(0))
    changed = np.abs(seen - latents).max(axis=(1, 2, 3)) > 1e-4
    np.testing.assert_array_equal(changed, draw_lone_views(30, 2, np.random.default_rng(0)) >= 0)
    assert 0 < changed.sum() < 20
    assert encode_some_alone(VideoEncoder(ENCODER), images, latents, np.random.default_rng(0)) is latents
