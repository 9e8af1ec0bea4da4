import pytest

from jepa_planner.core.strict_fields import FieldError
from jepa_planner.model.bundle import load_bundle, load_contract, model_folder
from jepa_planner.planning.planner_settings import PlannerSettings
from studies.settings.changed_bundle import changed, changed_bundle

SHIPPED = model_folder()
PLANNER = PlannerSettings.load(SHIPPED, load_contract(SHIPPED))


def test_a_setting_is_changed_and_the_others_stay():
    after = changed(PLANNER, ["energy.kind=last_step_l1", "mppi.horizon=3"])
    assert (after.energy.kind, after.mppi.horizon) == ("last_step_l1", 3)
    assert changed(after, ["energy.kind=summed_mse", "mppi.horizon=2"]) == PLANNER


def test_a_section_that_is_null_takes_its_defaults_for_the_rest():
    search = changed(PLANNER, ["icem.samples=48", "solver=icem"]).search()
    assert (search.samples, search.iterations) == (48, 4)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("energy.kind", r"'energy.kind' given; expected NAME=VALUE"),
        ("energy.sort=summed_mse", "energy: unknown field sort; known are kind, scale"),
        ("energies.kind=summed_mse", "there is no section energies; known are cem, icem, mppi, gradient"),
        ("solver.first=x", "there is no section solver"),
        ("mppi.horizon=two", "mppi.horizon: expected int, got 'two'"),
        ("mppi.samples=1", "samples is 1; it must be at least 2"),
    ],
)
def test_what_cannot_be_changed_is_refused_in_words(change, says):
    with pytest.raises(FieldError, match=says):
        changed(PLANNER, [change])


def test_the_changed_bundle_is_a_bundle_with_the_same_weights(tmp_path):
    for horizon in (2, 1):  # the second one replaces the first
        settings = changed_bundle(SHIPPED, [f"mppi.horizon={horizon}"], tmp_path / "changed")
        contract = load_bundle(tmp_path / "changed")[2]
        assert contract == load_contract(SHIPPED) and PlannerSettings.load(tmp_path / "changed", contract) == settings
    assert settings.search().horizon == 1


def test_a_bundle_is_not_changed_in_place(tmp_path):
    with pytest.raises(ValueError, match="choose another folder"):
        changed_bundle(SHIPPED, ["mppi.horizon=1"], SHIPPED)
