from dataclasses import replace

import pytest
import torch
from small_models import (
    KEYPOINTS,
    mlp_predictor_config,
    slot_encoder_config,
    slot_predictor_config,
    small_contract,
    small_sub_goal_spec,
    small_verdict_spec,
    sub_goal_head_config,
    verdict_head_config,
)

from jepa_planner.core.observation import Observation
from jepa_planner.core.strict_fields import FieldError, from_plain, to_plain
from jepa_planner.model.contract import FORMAT, Contract, ContractError
from jepa_planner.model.contract_sections import ActionSpec, ImageSpec, LatentSpec, StateSpec

GOOD = small_contract()


@pytest.mark.parametrize(
    "contract",
    [
        GOOD,
        small_contract(sub_goals=small_sub_goal_spec()),
        small_contract(verdict=small_verdict_spec()),
        small_contract(predictor=mlp_predictor_config()),
    ],
    ids=["plain", "sub-goals", "verdict", "mlp"],
)
def test_a_contract_survives_the_way_through_plain_data(contract):
    assert from_plain(Contract, to_plain(contract)) == contract


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"format": FORMAT + 1}, "format"),
        ({"format": 0}, "format"),
        ({"image": ImageSpec(height=64, width=64, views=("front", "side"))}, "image.height and image.width"),
        ({"image": ImageSpec(height=32, width=32, views=("front",))}, "image.views"),
        ({"latent": LatentSpec(tokens=5, channels=4, grid=(1, 3))}, "latent.tokens"),
        ({"latent": LatentSpec(tokens=3, channels=5, grid=(1, 3))}, "latent.channels"),
        ({"latent": LatentSpec(tokens=3, channels=4, grid=(3, 1))}, "latent.grid"),
        ({"predictor": slot_predictor_config(latent_channels=5)}, "predictor.latent_channels"),
        ({"predictor": slot_predictor_config(grid=(3, 1))}, "predictor.grid"),
        ({"predictor": slot_predictor_config(state_dim=7)}, "predictor.state_dim"),
        ({"predictor": slot_predictor_config(action_dim=6)}, "predictor.action_dim"),
        ({"predictor": slot_predictor_config(max_steps=1)}, "predictor.max_steps"),
        ({"predictor": mlp_predictor_config(latent_channels=5)}, "predictor.latent_channels"),
        ({"predictor": mlp_predictor_config(grid=(3, 1))}, "predictor.grid"),
        ({"predictor": mlp_predictor_config(state_dim=7)}, "predictor.state_dim"),
        ({"predictor": mlp_predictor_config(action_dim=6)}, "predictor.action_dim"),
        ({"encoder": slot_encoder_config(slots=4)}, "latent.tokens"),
        ({"action": ActionSpec(max_abs=(0.1,) * 6, time_step_s=0.25)}, "action.max_abs"),
        ({"action": ActionSpec(max_abs=(-0.1,) * 7, time_step_s=0.25)}, "action.max_abs"),
        ({"action": ActionSpec(max_abs=(0.1,) * 7, time_step_s=0.0)}, "action.time_step_s"),
        ({"action": ActionSpec(max_abs=(0.1,) * 7, time_step_s=0.25, channels=tuple("abcdefg"))}, "action.channels"),
        ({"state": StateSpec(channels=tuple("abcdefgh"), frame="base", tcp_frame="tcp")}, "state.channels"),
        ({"context_frames": 0}, "context_frames"),
        (
            {"sub_goals": small_sub_goal_spec(head=sub_goal_head_config(latent_tokens=9))},
            "sub_goals.head.latent_tokens",
        ),
        ({"sub_goals": small_sub_goal_spec(head=sub_goal_head_config(latent_channels=9))}, "head.latent_channels"),
        ({"sub_goals": small_sub_goal_spec(head=sub_goal_head_config(state_dim=7))}, "sub_goals.head.state_dim"),
        ({"verdict": small_verdict_spec(head=verdict_head_config(latent_tokens=9))}, "verdict.head.latent_tokens"),
        ({"verdict": small_verdict_spec(head=verdict_head_config(state_dim=7))}, "verdict.head.state_dim"),
        (
            {"verdict": small_verdict_spec(head=verdict_head_config(scene=replace(KEYPOINTS, image_size=(64, 64))))},
            "verdict.head.scene.image_size",
        ),
        (
            {"verdict": small_verdict_spec(head=verdict_head_config(scene=replace(KEYPOINTS, views=1)))},
            "head.scene.views",
        ),
    ],
)
def test_sections_that_contradict_each_other_are_refused_by_name(changes, name):
    with pytest.raises(FieldError, match=name):
        small_contract(**changes)


def test_a_verdict_that_is_not_there_is_none():
    assert GOOD.verdict is None and not GOOD.looks_at_images


def test_pictures_are_observed_where_any_head_looks_at_them():
    with_keypoints = small_verdict_spec(head=verdict_head_config(scene=KEYPOINTS))
    contract = small_contract(sub_goals=small_sub_goal_spec(), verdict=with_keypoints)
    assert contract.looks_at_images
    latent, images = (
        torch.zeros(contract.latent.tokens, contract.latent.channels),
        torch.zeros(2, 3, *KEYPOINTS.image_size),
    )
    contract.check_observation(Observation(latent, images))
    for given in (None, images[:1], images[:, :, 1:]):
        with pytest.raises(ContractError, match="this model's observations have"):
            contract.check_observation(Observation(latent, given))
    with pytest.raises(ContractError, match="this model's observations have none"):
        GOOD.check_observation(Observation(latent, images))


def test_a_predictor_of_which_no_kind_is_said_is_a_transformer():
    plain = to_plain(GOOD)
    assert plain["predictor"].pop("kind") == "transformer"
    assert from_plain(Contract, plain) == GOOD


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "rnn"}, "predictor.kind: expected one of 'transformer', 'mlp', got 'rnn'"),
        ({"kind": "mlp"}, "predictor: unknown field heads, max_steps, .*; known are kind, latent_channels"),
        ({"kind": 3}, "predictor.kind: expected one of 'transformer', 'mlp', got 3"),
        ({"depth": "two"}, "predictor.depth: expected int, got 'two'"),
    ],
)
def test_a_predictor_of_no_known_kind_or_with_fields_of_another_is_refused_by_name(changes, message):
    plain = to_plain(GOOD)
    plain["predictor"] |= changes
    with pytest.raises(FieldError, match=message):
        from_plain(Contract, plain)


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        ((2, 32, 32, 3), "image: shape"),
        ((1, 2, 32, 32, 4), "image: shape"),
        ((1, 1, 32, 32, 3), "image.views: 1 given; this model needs 2, in order: front, side"),
        ((1, 2, 16, 32, 3), "image.height and image.width: 16 x 32 pixels given"),
    ],
)
def test_images_that_do_not_fit_are_refused_by_name(shape, name):
    with pytest.raises(ContractError, match=name):
        GOOD.check_images(shape)


def test_larger_images_fit():
    GOOD.check_images((1, 2, 480, 640, 3))


def test_views_are_found_among_other_cameras_in_any_order():
    assert GOOD.pick_views(("wrist", "side", "front")) == [2, 1]
    with pytest.raises(ContractError, match=r"image\.views: 'side' is needed; the cameras given are front, wrist"):
        GOOD.pick_views(("front", "wrist"))


def test_a_wrong_action_width_is_refused_by_name():
    GOOD.check_action(7)
    with pytest.raises(ContractError, match=r"action\.channels: 4 given; this model needs 7: dx_m"):
        GOOD.check_action(4)


def test_a_wrong_state_width_is_refused_by_name():
    GOOD.check_state(8)
    with pytest.raises(ContractError, match=r"state\.channels: 7 given; this model needs 8: x_m"):
        GOOD.check_state(7)


def test_a_wrong_latent_is_refused_by_name():
    GOOD.check_latent((9, 3, 4))
    with pytest.raises(ContractError, match="goal: shape"):
        GOOD.check_latent((9, 4, 3), "goal")


@pytest.mark.parametrize(
    ("frames", "name"), [(("world",), "state.frame"), (("panda_link0", "panda_hand"), "state.tcp_frame")]
)
def test_poses_in_another_frame_are_refused_by_name(frames, name):
    GOOD.check_frame("panda_link0", "tcp")
    with pytest.raises(ContractError, match=name):
        GOOD.check_frame(*frames)
