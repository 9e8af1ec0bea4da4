import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_training import encoder, episodes, predictor

from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.training import encoder_training
from jepa_planner.learning.training.encoder_training import encode_episodes
from jepa_planner.learning.training.recipe import Recipe, contract
from jepa_planner.learning.training.windows import split
from jepa_planner.model.contract import ContractError
from jepa_planner.model.contract_sections import StateSpec
from jepa_planner.model.world_model import WorldModel
from studies.probe.probe_report import ProbeReport, as_plain_data, encode, in_words, probe

SOME = episodes(count=6, steps=12)


def model(untrained: bool = True) -> WorldModel:
    vision, dynamics = encoder().eval(), predictor(untrained=untrained).eval()
    made = contract(vision, dynamics, SOME, Recipe())
    return WorldModel(made, vision, dynamics)


def report(some: Episodes = SOME, of: WorldModel | None = None, difference: str = "mse") -> ProbeReport:
    return probe(of or model(), some, split(some, 0.34), difference, iterations=5)


def test_the_latents_are_those_of_training_whatever_the_order_of_the_cameras(monkeypatch):
    monkeypatch.setattr(encoder_training, "mixed_precision", lambda device: nullcontext())
    swapped = replace(SOME, images=SOME.images[:, :, ::-1].copy(), views=SOME.views[::-1])
    expected = encode_episodes(model().encoder, SOME.images)
    np.testing.assert_allclose(encode(model(), SOME), expected, atol=1e-5)
    np.testing.assert_allclose(encode(model(), swapped), expected, atol=1e-5)


def test_a_report_says_what_was_measured_on_what():
    found = report()
    assert (found.episodes, found.held_out_episodes, found.frames) == (6, 2, 6 * 13)
    assert found.collapse.numbers == 12
    assert set(found.readouts) == {"tcp", "object", "gripper_width", "object_yaw"}
    assert [len(errors) for errors in found.prediction_error.values()] == [4] * 4
    assert [len(errors) for errors in found.imagined_position_error_cm.values()] == [4] * 8
    assert json.loads(json.dumps(as_plain_data(found)))["readouts"]["tcp"]["unit"] == "cm"


def test_the_words_hold_the_numbers_and_say_what_object_poses_are_read_for():
    found = report()
    text = in_words(found)
    assert "6 episodes; read-outs learned from 4 of them" in text and "the other 2" in text
    assert "Object poses are read for this report only" in text
    assert str(found.collapse) in text
    assert f"| tcp position | cm | {found.readouts['tcp'].constant_median:.2f} |" in text
    imagined, copied = found.prediction_error["arm_only"], found.prediction_error["arm_only_copy"]
    assert f"| only the arm moves | latent | {imagined[0]:.3f} / {copied[0]:.3f} |" in text


def test_a_predictor_that_says_nothing_changes_is_read_out_as_copying_is():
    errors = report().imagined_position_error_cm
    for name in ("tcp", "object"):
        assert errors[f"arm_only_{name}"] == pytest.approx(errors[f"arm_only_copy_{name}"], abs=0.01)


def test_errors_are_of_the_kind_that_the_model_is_planned_with():
    squared, absolute = (report(of=model(untrained=False), difference=kind) for kind in ("mse", "l1"))
    assert (squared.difference, absolute.difference) == ("mse", "l1")
    assert squared.prediction_error["arm_only"] != absolute.prediction_error["arm_only"]
    assert "absolute error of the latent" in in_words(absolute)


def test_a_model_that_knows_fewer_state_channels_is_given_only_those():
    whole = model()
    channels = tuple(name for name in whole.contract.state.channels if name != "closure_commanded")
    torch.manual_seed(0)
    fewer = type(whole.predictor)(replace(whole.predictor.config, state_dim=7)).eval()
    state = StateSpec(channels=channels, frame="panda_link0", tcp_frame="tcp")
    changed = replace(whole.contract, state=state, predictor=fewer.config)
    found = report(of=WorldModel(changed, whole.encoder, fewer))
    assert len(found.prediction_error["arm_only"]) == 4


def test_foreign_cameras_and_short_episodes_are_refused_by_name():
    with pytest.raises(ContractError, match="'side' is needed; the cameras given are front, top"):
        report(replace(SOME, views=("front", "top")))
    with pytest.raises(ValueError, match=r"episodes of 5 frames are too short; 2 \+ 4"):
        report(episodes(count=6, steps=4))
