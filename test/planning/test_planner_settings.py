from dataclasses import replace

import pytest
import torch
import yaml
from small_models import (
    mlp_predictor_config,
    small_contract,
    small_sub_goal_spec,
    small_verdict_spec,
    small_world_model,
)
from small_planner import small_planner

from jepa_planner.core.strict_fields import FieldError, from_plain, to_plain
from jepa_planner.model.bundle import load_contract, save_bundle, write_bundle, write_latent_statistics
from jepa_planner.model.bundle_files import BundleError
from jepa_planner.model.contract import FORMAT
from jepa_planner.model.contract_sections import OutOfDistributionSpec
from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.progress import ProgressSettings
from jepa_planner.planning.solvers.cem import CemSettings
from jepa_planner.planning.solvers.icem import IcemSettings
from jepa_planner.planning.solvers.mppi import MppiSettings
from jepa_planner.planning.sub_goals import SubGoalSettings
from jepa_planner.planning.verdict import VerdictSettings

GOOD = small_planner()
HEADS = small_contract(sub_goals=small_sub_goal_spec(), verdict=small_verdict_spec())


@pytest.fixture
def bundle(tmp_path):
    model = small_world_model()
    save_bundle(tmp_path / "small", model.encoder, model.predictor, model.contract)
    GOOD.save(tmp_path / "small")
    return tmp_path / "small"


def make_old(bundle, **sections) -> None:
    """Rewrites a bundle as format 3 had it: how to plan with it stands in model.yaml."""
    plain = yaml.safe_load((bundle / "model.yaml").read_text())
    settings = to_plain(GOOD)
    plain |= {"format": 3, "energy": settings.pop("energy")}
    for section, part in (("sub_goals", "pursuit"), ("verdict", "rule")):
        given = settings.pop(section)
        if plain[section] is not None:
            plain[section] |= {} if given is None else {part: given}
    plain |= {"planning": settings, **sections}
    (bundle / "model.yaml").write_text(yaml.safe_dump(plain))
    (bundle / "planner.yaml").unlink()


def test_what_is_saved_in_a_bundle_is_loaded_from_it(bundle):
    assert PlannerSettings.load(bundle, load_contract(bundle)) == GOOD


def test_what_is_saved_again_keeps_its_comments_and_its_bytes_but_for_the_values_that_change(bundle):
    path = bundle / "planner.yaml"
    text = f"# of the kitchen\n{path.read_text()}".replace("gripper_deadband: ", "gripper_deadband:   ")
    text = text.replace("deadline_s: null\n", "")  # and is null without a word
    path.write_text(text)
    assert GOOD.save(bundle) == [] and path.read_text() == text
    assert replace(GOOD, steps_per_sub_goal=9).save(bundle) == [f"steps_per_sub_goal: {GOOD.steps_per_sub_goal}, now 9"]
    old, new = (f"steps_per_sub_goal: {steps}\n" for steps in (GOOD.steps_per_sub_goal, 9))
    assert path.read_text() == text.replace(old, new)


def test_nothing_is_saved_over_a_file_that_cannot_be_read(bundle):
    (bundle / "planner.yaml").write_text("# broken\ncem: [")
    with pytest.raises(BundleError, match=r"planner\.yaml"):
        GOOD.save(bundle)
    assert (bundle / "planner.yaml").read_text() == "# broken\ncem: ["


def test_what_stands_under_a_name_of_before_is_replaced_and_not_written_twice(bundle):
    path = bundle / "planner.yaml"
    path.write_text(path.read_text().replace("solver:", "optimiser:"))
    other = replace(GOOD, solver="icem" if GOOD.solver != "icem" else "cem")
    assert other.save(bundle) == [f"solver: {GOOD.solver}, now {other.solver}"]
    assert PlannerSettings.load(bundle, load_contract(bundle)) == other


def test_a_bundle_that_does_not_say_how_to_plan_with_it_is_refused_by_name(bundle):
    (bundle / "planner.yaml").unlink()
    with pytest.raises(BundleError, match=r"planner\.yaml: no such file; it tells how to plan"):
        PlannerSettings.load(bundle, load_contract(bundle))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("reached_energy: 1.0\nreached_energy: 2.0\n", "reached_energy stands twice"),
        ("[1, 2", "planner.yaml: while parsing"),
        ("7", "the top level: expected a mapping, got 7"),
        ("energy: {kind: summed_mse, scale: 2.0}", "missing field reached_energy, steps_per_sub_goal"),
    ],
)
def test_a_planner_file_that_is_none_is_refused_by_name(bundle, text, says):
    (bundle / "planner.yaml").write_text(text)
    with pytest.raises(BundleError, match=says):
        PlannerSettings.load(bundle, load_contract(bundle))


def test_bundles_in_whose_model_file_planning_stood_still_load(bundle):
    make_old(bundle)
    contract = load_contract(bundle)
    assert contract.format == 3 and PlannerSettings.load(bundle, contract) == GOOD


def test_what_an_old_bundle_says_of_planning_is_not_lost_where_it_is_written_anew(bundle):
    make_old(bundle)
    generator = torch.Generator().manual_seed(0)
    statistics = LatentStatistics.of(
        torch.randn(500, 3, 4, generator=generator), torch.randn(500, 8, generator=generator)
    )
    spec = OutOfDistributionSpec(latent_distance=1.0, arm_error_m=1.0, surprise=1.0, data="a test")
    contract = write_latent_statistics(bundle, statistics, spec)
    assert load_contract(bundle) == contract and contract.format == FORMAT
    assert PlannerSettings.load(bundle, contract) == GOOD


def test_the_oldest_planning_has_the_defaults_of_what_was_added_since(bundle):
    make_old(bundle)
    plain = yaml.safe_load((bundle / "model.yaml").read_text())
    for name in ("progress", "solver", "deadline_s", "icem", "mppi", "gradient", "seeded_cem"):
        del plain["planning"][name]
    del plain["verdict"], plain["sub_goals"]
    (bundle / "model.yaml").write_text(yaml.safe_dump({**plain, "format": 1}))
    settings = PlannerSettings.load(bundle, load_contract(bundle))
    assert settings.progress == ProgressSettings() and settings.search() == GOOD.cem and settings.deadline_s is None


def test_heads_of_an_old_bundle_are_used_as_it_says_or_by_default(bundle):
    write_bundle(bundle, load_contract(bundle), {}, torch.float32)
    make_old(bundle)
    plain = yaml.safe_load((bundle / "model.yaml").read_text())
    plain["verdict"] = {**to_plain(small_verdict_spec()), "rule": {"within_m": 0.02}}
    plain["sub_goals"] = to_plain(small_sub_goal_spec())
    (bundle / "model.yaml").write_text(yaml.safe_dump(plain))
    settings = PlannerSettings.load(bundle, load_contract(bundle))
    assert settings.verdict == VerdictSettings(within_m=0.02) and settings.sub_goals == SubGoalSettings()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"initial_std": (0.1,)}, "initial_std: 1 given; actions have 7 channels"),
        ({"sub_goals": SubGoalSettings()}, "sub_goals: the model has no head for it"),
        ({"verdict": VerdictSettings()}, "verdict: the model has no head for it"),
        ({"cem": CemSettings(horizon=40)}, "cem.horizon: 41 steps with the context; the model predicts 8"),
    ],
)
def test_what_the_model_cannot_do_is_refused_by_name(changes, says):
    with pytest.raises(FieldError, match=says):
        small_planner(**changes).check(small_contract())


def test_heads_that_are_there_need_not_be_used():
    small_planner().check(HEADS)
    assert not GOOD.imagines("auto", 1)
    assert small_planner(sub_goals=SubGoalSettings()).imagines("auto", 1)


def test_an_mlp_may_be_planned_with_as_far_ahead_as_a_search_looks():
    small_planner(cem=CemSettings(horizon=40)).check(small_contract(predictor=mlp_predictor_config()))


def test_an_impossible_search_is_refused_where_it_stands():
    plain = to_plain(GOOD)
    plain["cem"]["elites"] = 1000
    with pytest.raises(FieldError, match=r"cem: elites is 1000"):
        from_plain(PlannerSettings, plain)


def test_search_settings_left_out_are_those_of_the_reference():
    plain = to_plain(GOOD)
    del plain["cem"]
    assert from_plain(PlannerSettings, plain).cem == CemSettings()


def test_the_solver_that_is_named_is_used_with_its_settings_or_its_own_defaults():
    plain = to_plain(GOOD) | {"solver": "mppi", "deadline_s": 0.2, "mppi": {"horizon": 2, "temperature": 0.5}}
    settings = from_plain(PlannerSettings, plain)
    assert settings.search() == MppiSettings(horizon=2, temperature=0.5)
    assert settings.search("icem") == IcemSettings(horizon=GOOD.cem.horizon)
    assert settings.deadline_s == 0.2


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"solver": "anneal"}, "solver 'anneal' is unknown; known are cem, icem"),
        ({"mppi": {"temperature": -1.0}}, "mppi: temperature is -1.0"),
        ({"deadline_s": 0.0}, "deadline_s is 0.0"),
        ({"verdict": {"certainty": 1.5}}, r"verdict: certainty is 1\.5; it must be in \(0, 1\)"),
    ],
)
def test_impossible_planning_is_refused_by_name(changes, name):
    with pytest.raises(FieldError, match=name):
        from_plain(PlannerSettings, to_plain(GOOD) | changes)


def test_what_planner_files_of_older_formats_call_optimiser_is_the_solver(bundle):
    file = bundle / "planner.yaml"
    plain = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({name.replace("solver", "optimiser"): given for name, given in plain.items()}))
    assert "optimiser: cem" in file.read_text()
    assert PlannerSettings.load(bundle, load_contract(bundle)) == GOOD
    file.write_text(yaml.safe_dump({**plain, "optimiser": "mppi"}))
    with pytest.raises(BundleError, match="unknown field optimiser"):
        PlannerSettings.load(bundle, load_contract(bundle))


def test_the_solvers_come_last_in_the_file(bundle):
    names = list(yaml.safe_load((bundle / "planner.yaml").read_text()))
    assert names[0] == "energy" and names[-6:] == ["solver", "cem", "icem", "mppi", "gradient", "seeded_cem"]


def test_an_unknown_solver_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'anneal' is unknown; known are cem, icem, mppi, gradient, seeded_cem"):
        GOOD.search("anneal")
