"""Pictures of what a model imagines: of the right moment, by the right model, in a small file."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_training import ENCODER, encoder, episodes, predictor

from jepa_planner.learning.training.recipe import Recipe, contract
from jepa_planner.model.pixel_decoder import PixelDecoder
from jepa_planner.model.preprocess import as_pictures, preprocess
from jepa_planner.model.world_model import Context, WorldModel
from studies.imagined.imagined_pictures import Moment, happened, imagined, liveliest_moment, save_sheet

SOME = episodes(count=3, steps=8)


def model() -> WorldModel:
    made = contract(encoder(), predictor(), SOME, Recipe())
    return WorldModel(made, encoder(), predictor())


def decoder() -> PixelDecoder:
    torch.manual_seed(0)
    return PixelDecoder(ENCODER).eval().requires_grad_(False)


def test_pictures_come_out_of_preprocessing_as_they_went_in():
    images = torch.from_numpy(SOME.images[0])
    assert torch.equal(as_pictures(preprocess(images, (32, 32))), images)


def test_the_liveliest_moment_is_where_the_pictures_change_most_and_has_a_past_and_a_future():
    still = episodes(count=3, steps=8, blank=True)
    still.images[2, 6:] += 50
    still.images[1, :1] += 90  # before any moment that has a past
    assert liveliest_moment(still, steps=1) == Moment(2, 5, 1)
    assert liveliest_moment(SOME, steps=7).frame == 1
    with pytest.raises(ValueError, match="episodes of 9 frames are too short to imagine 8 steps"):
        liveliest_moment(SOME, steps=8)


def test_what_is_drawn_are_the_present_latent_and_the_rollout_of_the_true_actions():
    world, module, moment = model(), decoder(), Moment(1, 4, 3)
    drawn = imagined(world, module, SOME, moment, "side")
    latents = world.encode(SOME.images[1, 3:5])
    context = Context(latents, torch.from_numpy(SOME.states[1, 3:5]), torch.from_numpy(SOME.actions[1, 3:4]))
    rollout = world.rollout(context, torch.from_numpy(SOME.actions[1:2, 4:7]))[0]
    expected = as_pictures(module(torch.cat([latents[1:], rollout])))[:, 1].numpy().astype(int)
    assert drawn.shape == (4, 32, 32, 3)
    assert np.abs(drawn - expected).max() <= 1
    np.testing.assert_array_equal(happened(SOME, moment, "side"), SOME.images[1, 4:8, 1])


def test_the_sheet_is_a_small_file_with_a_row_per_name(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    save_sheet(tmp_path / "deep" / "sheet.png", {"camera": noise, "ours": noise, "pixels": noise})
    sheet = np.asarray(Image.open(tmp_path / "deep" / "sheet.png").convert("RGB"))
    assert sheet.shape[0] > 3 * 128 and sheet.shape[1] > 5 * 128
    assert (tmp_path / "deep" / "sheet.png").stat().st_size < 150_000
