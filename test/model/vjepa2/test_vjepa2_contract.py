from dataclasses import replace

import pytest
from reference_vectors import CHECKPOINT, SIZE, reference_bundle, vectors

from jepa_planner.core.strict_fields import FieldError, from_plain, to_plain
from jepa_planner.model.bundle import load_contract
from jepa_planner.model.contract import Contract
from jepa_planner.model.vjepa2.ac_checkpoint import find_vjepa2_ac
from jepa_planner.model.vjepa2.contract import ImportSettings, vjepa2_contract
from jepa_planner.planning.vjepa2_planner import vjepa2_planner


def contract(**settings) -> Contract:
    return vjepa2_contract(find_vjepa2_ac(CHECKPOINT, SIZE), ImportSettings(name="tiny", **settings), "none")


def test_the_defaults_are_those_of_the_published_planner():
    given = contract()
    assert (given.image.crop, given.image.crop_aspect, given.context_frames) == ("centre", None, 1)
    assert (given.state.frame, given.state.tcp_frame) == ("panda_link0", "panda_link8")
    assert given.state.channels[-1] == "closure_measured"
    planner_settings = vjepa2_planner()
    assert (given.action.time_step_s, planner_settings.energy.kind) == (0.25, "last_step_l1")
    search = planner_settings.cem
    assert (search.samples, search.elites, search.iterations, search.horizon) == (400, 10, 10, 2)
    assert (search.momentum_mean, search.momentum_std, search.answer) == (0.15, 0.15, "mean")
    space = planner_settings.action_space(given)
    assert (space.max_abs, space.gripper_deadband) == ((0.05, 0.05, 0.05, 0.0, 0.0, 0.0, 0.75), 0.25)
    assert space.std.tolist() == pytest.approx([0.05, 0.05, 0.05, 0.0, 0.0, 0.0, 1.0])


def test_unrelated_latents_differ_by_about_the_energy_scale():
    first, second = vectors()["latents"]
    assert (first - second).abs().mean().item() == pytest.approx(vjepa2_planner().energy.scale, rel=0.15)


def test_every_doubt_stands_in_the_contract_with_a_switch_to_try():
    notes = load_contract(reference_bundle()).notes
    topics = [note.split(":")[0] for note in notes]
    assert topics == ["crop", "time step", "action size", "state", "camera", "reached energy"]
    for switch in ("--crop", "--time-step", "--max-step", "--tcp-frame", "--reached-energy"):
        assert any(switch in note for note in notes), switch


def test_the_switches_change_what_they_are_named_after():
    given = contract(
        view="front", crop_aspect=1.35, frame="base_link", tcp_frame="tool0", time_step_s=1.0, max_step_m=0.075,
    )  # fmt: skip
    planner_settings = vjepa2_planner(0.075, reached_energy=0.4)
    assert (given.image.views, given.image.crop_aspect) == (("front",), 1.35)
    assert (given.state.frame, given.state.tcp_frame) == ("base_link", "tool0")
    assert (given.action.time_step_s, planner_settings.reached_energy) == (1.0, 0.4)
    assert given.action.max_abs[:3] == planner_settings.initial_std[:3] == (0.075, 0.075, 0.075)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"crop_aspect": 0.0}, "image.crop_aspect"),
        ({"time_step_s": 0.0}, "action.time_step_s"),
        ({"max_step_m": -0.1}, "action.max_abs"),
    ],
)
def test_impossible_settings_are_refused_by_name(settings, name):
    with pytest.raises(FieldError, match=name):
        contract(**settings)


def test_a_contract_without_predictor_survives_the_way_through_plain_data():
    alone = replace(contract(), predictor=None)
    assert from_plain(Contract, to_plain(alone)) == alone
