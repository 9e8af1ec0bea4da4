from dataclasses import replace

import numpy as np
import pytest
from tiny_training import PREDICTOR, episodes, predictor

from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.training.probes import prediction_error, probe_latents
from jepa_planner.learning.training.windows import Split

SOME = episodes(count=12, steps=20, size_px=16)
SPLIT = Split(np.arange(9), np.arange(9, 12))


def moving_object(some: Episodes) -> Episodes:
    """The object wanders over the table in all episodes."""
    rng = np.random.default_rng(5)
    poses = rng.uniform([0.4, -0.15, 0.0, -0.3], [0.6, 0.15, 0.1, 0.3], some.object_pose.shape)
    return replace(some, object_pose=poses.astype(np.float32))


def planted(some: Episodes) -> np.ndarray:
    """Latents [E, T+1, 4, 6] that are a linear code of all that is asked for, and some noise."""
    rng = np.random.default_rng(0)
    quarter = 4 * some.object_pose[..., 3:4]
    facts = [some.states[..., :3], some.states[..., 7:], some.object_pose[..., :3], np.sin(quarter), np.cos(quarter)]
    code = 20 * np.concatenate(facts, axis=-1) @ rng.normal(size=(9, 24))
    return (code + 0.01 * rng.normal(size=code.shape)).reshape(*code.shape[:2], 4, 6).astype(np.float32)


def test_what_was_planted_linearly_is_read_out_linearly():
    some = moving_object(SOME)
    readouts = probe_latents(planted(some), some, SPLIT, iterations=5)
    assert {name: readout.unit for name, readout in readouts.items()} == {
        "tcp": "cm",
        "object": "cm",
        "gripper_width": "cm",
        "object_yaw": "deg",
    }
    assert all(readouts[name].linear_median < 0.2 for name in ("tcp", "object", "gripper_width"))
    assert readouts["object_yaw"].linear_median < 1.0


def test_what_is_not_in_the_latents_is_not_read_out():
    some = moving_object(SOME)
    noise = np.random.default_rng(0).normal(size=(*some.states.shape[:2], 4, 6)).astype(np.float32)
    readouts = probe_latents(noise, some, SPLIT, iterations=50)
    for error in (readouts["object"].linear_median, readouts["object"].mlp_median):
        assert error > 5.0
    assert readouts["object_yaw"].linear_median > 5.0


def test_a_small_network_reads_what_a_linear_map_cannot():
    rng = np.random.default_rng(3)
    angle = rng.uniform(-np.pi, np.pi, (40, 21))
    some = episodes(count=40, steps=20, size_px=16)
    poses = np.zeros((40, 21, 4), np.float32)
    poses[..., 0] = 0.5 + 0.1 * np.sin(2 * angle)
    latents = np.stack([np.cos(angle), np.sin(angle)], axis=-1)[:, :, None].astype(np.float32)
    split = Split(np.arange(36), np.arange(36, 40))
    readout = probe_latents(latents, replace(some, object_pose=poses), split, iterations=100)["object"]
    assert readout.linear_median > 4.0
    assert readout.mlp_median < 0.25 * readout.linear_median


def test_probing_is_repeatable_and_leaves_the_global_generator_alone():
    import torch

    latents = planted(SOME)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = probe_latents(latents, SOME, SPLIT, seed=2, iterations=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert first == probe_latents(latents, SOME, SPLIT, seed=2, iterations=3)


def random_latents(some: Episodes) -> np.ndarray:
    shape = (*some.states.shape[:2], PREDICTOR.latent_tokens, PREDICTOR.latent_channels)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_a_predictor_that_says_nothing_changes_is_as_wrong_as_copying():
    """An untrained residual predictor is exactly that."""
    errors = prediction_error(predictor(untrained=True).eval(), random_latents(SOME), SOME, SPLIT.held_out, horizon=3)
    assert set(errors) == {"object_moves", "object_moves_copy", "arm_only", "arm_only_copy"}
    assert errors["arm_only"] == pytest.approx(errors["arm_only_copy"], abs=1e-3)
    assert len(errors["arm_only"]) == 3 and min(errors["arm_only"]) > 1.0


def test_errors_count_where_they_belong():
    still = prediction_error(predictor().eval(), random_latents(SOME), SOME, SPLIT.held_out, horizon=3)
    assert min(still["arm_only"]) > 0.0 and still["object_moves"] == still["object_moves_copy"] == [0.0] * 3
    moved = prediction_error(predictor().eval(), random_latents(SOME), moving_object(SOME), SPLIT.held_out, horizon=3)
    assert min(moved["object_moves"]) > 0.0 and moved["arm_only"] == moved["arm_only_copy"] == [0.0] * 3
