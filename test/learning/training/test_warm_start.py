from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_training import ENCODER, PREDICTORS

from jepa_planner.learning.training.warm_start import OF_VIEWS, warm_start
from jepa_planner.model.bundle import load_bundle
from jepa_planner.model.contract import ContractError
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.predictors import make_predictor


def weights_of(bundle: Path) -> dict[str, torch.Tensor]:
    return dict(load_bundle(bundle)[0].state_dict())


def test_all_weights_are_taken_where_sizes_are_the_same(headless):
    start = warm_start(headless, ENCODER, list(PREDICTORS.values()))
    assert start.fresh == ()
    assert all(torch.equal(start.encoder[name], weight) for name, weight in weights_of(headless).items())


@pytest.mark.parametrize(
    "changes", [{"views": 3}, {"image_size": (48, 64)}, {"views": 2, "any_view": True}], ids=["views", "size", "any"]
)
def test_other_cameras_and_picture_sizes_begin_with_what_was_learned(headless, changes):
    config = replace(ENCODER, **changes)
    start, old = warm_start(headless, config, list(PREDICTORS.values())), weights_of(headless)
    encoder = VideoEncoder(config)
    encoder.load_state_dict(start.encoder)
    assert start.fresh == ()
    kept = [name for name in old if name != OF_VIEWS]
    assert all(torch.equal(start.encoder[name], old[name]) for name in kept)
    assert torch.equal(start.encoder[OF_VIEWS][:2], old[OF_VIEWS])
    pictures = torch.rand(2, config.views, 3, *config.image_size)
    assert encoder.eval()(pictures).isfinite().all()


def test_one_camera_of_two_is_an_encoder_without_cameras_to_tell_apart(headless):
    start = warm_start(headless, replace(ENCODER, views=1), list(PREDICTORS.values()))
    assert OF_VIEWS not in start.encoder and start.fresh == ()
    VideoEncoder(replace(ENCODER, views=1)).load_state_dict(start.encoder)


def test_of_an_arm_with_another_state_only_what_reads_it_begins_anew(headless):
    predictors = [replace(config, state_dim=7) for config in PREDICTORS.values()]
    start = warm_start(headless, ENCODER, predictors)
    assert start.fresh and all("state" in name or "arm" in name for name in start.fresh)
    make_predictor(start.predictor_config).load_state_dict(start.predictor)


@pytest.mark.parametrize("changes", [{"width": 36}, {"slots": 5}, {"slot_channels": 4}])
def test_encoders_of_other_blocks_or_latents_are_refused(headless, changes):
    with pytest.raises(ContractError, match=r"cannot be begun with: it holds EncoderConfig.*, expected"):
        warm_start(headless, replace(ENCODER, **changes), list(PREDICTORS.values()))


def test_a_predictor_of_other_blocks_is_refused(headless):
    kind = load_bundle(headless)[2].predictor.kind
    with pytest.raises(ContractError, match="cannot be begun with"):
        warm_start(headless, ENCODER, [replace(PREDICTORS[kind], width=48)])
