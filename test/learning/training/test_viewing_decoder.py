"""A decoder for people learns to draw frozen latents, and a bundle gets one without losing anything."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from added_heads import write_first
from tiny_training import encoder, episodes, predictor

from jepa_planner.learning.data.episodes import write_shard
from jepa_planner.learning.training.fit import FitSettings
from jepa_planner.learning.training.recipe import Recipe, contract
from jepa_planner.learning.training.run_folder import RunFolderError
from jepa_planner.learning.training.viewing_decoder import ViewingDecoderRun, draw_latents, train_viewing_decoder
from jepa_planner.model.bundle import (
    BundleError,
    add_viewing_decoder,
    load_bundle,
    load_contract,
    load_decoder,
    load_viewing_decoder,
)
from jepa_planner.model.bundle_files import sha256
from jepa_planner.model.pixel_decoder import PixelDecoder
from jepa_planner.model.preprocess import preprocess
from jepa_planner.model.world_model import WorldModel

SOME = episodes(count=3, steps=8)
SHORT = ViewingDecoderRun(iterations=4, trust_data=True, command="jepa-planner train --viewing-decoder-only")


@pytest.fixture
def data(tmp_path) -> Path:
    write_shard(tmp_path / "data" / "episodes-000000.h5", episodes(8))
    return tmp_path / "data"


def test_a_decoder_for_looking_learns_to_draw_and_leaves_the_model_alone(tmp_path):
    shades = np.random.default_rng(0).integers(0, 256, (3, 9, 1, 1, 1, 1), dtype=np.uint8)
    shaded = replace(SOME, images=np.broadcast_to(shades, SOME.images.shape).copy())
    world = WorldModel(contract(encoder(), predictor(), SOME, Recipe()), encoder(), predictor())
    with torch.no_grad():  # as after training: frames that differ have latents that differ
        world.encoder.slot_norm.momentum = 1.0
        world.encoder.train()(preprocess(torch.from_numpy(shaded.images).flatten(0, 1), (32, 32)))
        world.encoder.eval()
    before = {name: tensor.clone() for name, tensor in world.encoder.state_dict().items()}
    latents = torch.stack([world.encode(images) for images in shaded.images])
    true = preprocess(torch.from_numpy(shaded.images), (32, 32))
    settings = FitSettings(iterations=80, learning_rate=5e-3, warm_up=3)
    module = train_viewing_decoder(world, shaded, tmp_path, settings, batch=12)
    one_for_all = (true - true.mean(dim=(0, 1))).square().mean()
    assert (module(latents) - true).square().mean() < 0.3 * one_for_all
    assert all(torch.equal(tensor, before[name]) for name, tensor in world.encoder.state_dict().items())
    again = train_viewing_decoder(world, shaded, tmp_path, settings, batch=12)
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in module.state_dict().items())
    with pytest.raises(RunFolderError, match="is of a run with other episodes: use another --run"):
        train_viewing_decoder(world, episodes(count=3, steps=8, seed=1), tmp_path, settings, batch=12)


def test_a_bundle_gets_a_decoder_and_all_else_in_it_stays(tmp_path, data):
    first = write_first(tmp_path / "first")
    report = draw_latents([data], first, tmp_path / "drawing", tmp_path / "run", SHORT)
    assert report["episodes"] + report["held_out"] == 8 and report["drawn"] > 0.0 and report["mean_picture"] > 0.0
    kept = ("encoder.safetensors", "predictor.safetensors", "planner.yaml")
    assert all(sha256(tmp_path / "drawing" / name) == sha256(first / name) for name in kept)
    assert "train --viewing-decoder-only" in (tmp_path / "drawing" / "manifest.yaml").read_text()
    load_bundle(tmp_path / "drawing")
    assert load_viewing_decoder(tmp_path / "drawing") is not None
    assert load_viewing_decoder(first) is None
    assert load_decoder(tmp_path / "drawing") is None, "nothing is planned with it"


def test_a_decoder_is_learned_anew_in_place(tmp_path, data):
    bundle = write_first(tmp_path / "bundle")
    draw_latents([data], bundle, bundle, tmp_path / "run", SHORT)
    before = load_contract(bundle).files["viewing_decoder.safetensors"]
    draw_latents([data], bundle, bundle, tmp_path / "other", replace(SHORT, seed=1))
    assert load_contract(bundle).files["viewing_decoder.safetensors"] != before


def test_one_of_another_encoder_is_refused(tmp_path):
    bundle = write_first(tmp_path / "bundle")
    other = replace(load_contract(bundle).encoder, image_size=(64, 64))
    with pytest.raises(BundleError, match="viewing_decoder: it is of another encoder's latents"):
        add_viewing_decoder(bundle, bundle, PixelDecoder(other))


def test_one_that_was_altered_is_refused(tmp_path, data):
    bundle = write_first(tmp_path / "bundle")
    draw_latents([data], bundle, bundle, tmp_path / "run", SHORT)
    with (bundle / "viewing_decoder.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match=r"viewing_decoder\.safetensors: sha256 is"):
        load_viewing_decoder(bundle)
