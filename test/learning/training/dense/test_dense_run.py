"""Episodes go in, the bundle of an encoder alone comes out, with what its latents are worth."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_training import episodes

from jepa_planner.learning.data.episodes import write_shard
from jepa_planner.learning.training.dense import linear_probe
from jepa_planner.learning.training.dense.clips import ClipSampler, ClipSettings
from jepa_planner.learning.training.dense.dense_run import DenseRun, run_dense, train_dense
from jepa_planner.learning.training.dense.linear_probe import ProbedMoments, linear_readouts
from jepa_planner.learning.training.dense.masked_video import MaskedVideoSettings
from jepa_planner.learning.training.run_folder import RunFolderError
from jepa_planner.model.bundle import BundleError, load_bundle, load_encoder
from jepa_planner.pointing.similarity import DenseEncoder

SHORT = DenseRun(
    name="dense", iterations=3, width=64, depth=1, clips=ClipSettings(moments=3), seed=1, trust_data=True,
    objective=MaskedVideoSettings(predictor_width=64, predictor_depth=1),
)  # fmt: skip


@pytest.fixture(autouse=True)
def few_frames_are_probed(monkeypatch):
    monkeypatch.setattr(linear_probe, "TRAIN_FRAMES", 60)
    monkeypatch.setattr(linear_probe, "HELD_OUT_FRAMES", 20)


@pytest.fixture
def data(tmp_path):
    write_shard(tmp_path / "data" / "episodes-000000.h5", episodes(8))
    return tmp_path / "data"


def test_the_bundle_is_an_encoder_that_points_and_the_report_says_what_it_is_worth(tmp_path, data):
    report = run_dense(data, tmp_path / "bundle", tmp_path / "run", SHORT)
    encoder, contract = load_encoder(tmp_path / "bundle")
    assert contract.predictor is None and contract.training.steps == {"encoder": 3}
    assert contract.image.height == 32 and encoder.config.patch_size == 8
    assert set(report["readouts"]) == {"tcp", "object", "gripper_width"} and report["collapse"]["numbers"] == 64
    features = DenseEncoder.load(tmp_path / "bundle").features(episodes(1).images[0, 0, 0])
    assert features.grid.shape == (8, 8, 64)
    with pytest.raises(BundleError, match="an encoder alone"):
        load_bundle(tmp_path / "bundle")


def test_a_run_that_was_cut_short_goes_on_as_if_it_had_not_been(tmp_path, data):
    whole = run_dense(data, tmp_path / "bundle", tmp_path / "run", SHORT)
    checkpointed = replace(SHORT, iterations=3)
    again = run_dense(data, tmp_path / "again", tmp_path / "run", replace(checkpointed, command="another"))
    assert whole == again
    with pytest.raises(RunFolderError, match="other iterations"):
        run_dense(data, tmp_path / "again", tmp_path / "run", replace(SHORT, iterations=4))


def test_the_same_seed_gives_the_same_weights_and_what_is_kept_is_the_teacher(tmp_path):
    one, same, other = (
        train_dense(episodes(6), np.arange(5), replace(SHORT, seed=seed), tmp_path / str(run)).state_dict()
        for run, seed in enumerate((1, 1, 2))
    )
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["patch_embed.proj.weight"], other["patch_embed.proj.weight"])


def test_every_other_batch_is_of_single_frames_and_clips_stay_within_an_episode():
    shown = episodes(4, steps=6)
    shown = replace(shown, lengths=np.array([6, 6, 2, 2]))
    marked = shown.images.copy()
    marked[..., 0] = np.arange(4)[:, None, None, None, None]  # red says which episode
    marked[..., 1] = np.arange(7)[None, :, None, None, None]  # green, which moment
    sampler = ClipSampler(replace(shown, images=marked), np.arange(4), ClipSettings(moments=16), 0)
    views = marked.shape[2]
    for iteration in range(0, 20, 2):
        clips = sampler.draw(iteration).numpy()
        assert clips.shape[:2] == (16 * views, 2) and sampler.draw(iteration + 1).shape[:2] == (32 * views, 1)
        number, moment = clips[:, :, 0, 0, 0], clips[:, :, 0, 0, 1].astype(int)
        assert np.array_equal(number[:, 0], number[:, 1])
        apart = moment[:, 1] - moment[:, 0]
        assert apart.min() >= 1 and apart.max() <= 4
        assert np.all(moment[:, 1] <= np.array([6, 6, 2, 2])[number[:, 0]])
    assert torch.equal(sampler.draw(4), sampler.draw(4))


def test_episodes_of_a_single_frame_make_no_clips():
    lone = replace(episodes(4), lengths=np.array([8, 8, 0, 8]))
    with pytest.raises(ValueError, match="an episode has 1 frames; clips have 2"):
        ClipSampler(lone, np.arange(4), ClipSettings(), 0)


def test_a_linear_readout_finds_what_stands_in_the_features_linearly_and_nothing_else():
    rng = np.random.default_rng(0)
    train, held_out = rng.normal(size=(200, 40)), rng.normal(size=(50, 40))
    weights = rng.normal(size=(40, 3)) / 10

    def facts(x: np.ndarray) -> dict[str, np.ndarray]:
        return {"tcp": x @ weights, "object": np.cos(9 * x[:, :3])}

    found = linear_readouts(ProbedMoments(train, held_out, facts(train), facts(held_out)))
    assert found["tcp"]["linear_cm"] < 0.1 * found["tcp"]["constant_cm"]
    assert found["object"]["linear_cm"] > 0.8 * found["object"]["constant_cm"]
