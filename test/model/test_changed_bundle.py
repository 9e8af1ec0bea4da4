import pytest

from jepa_planner.core.strict_fields import FieldError
from jepa_planner.model.bundle import load_bundle, load_contract, model_folder
from jepa_planner.model.changed_bundle import changed, changed_bundle

SHIPPED = model_folder()


def test_a_setting_is_changed_and_the_others_stay():
    before = load_contract(SHIPPED)
    after = changed(before, ["energy.kind=last_step_l1", "planning.mppi.horizon=3"])
    assert (after.energy.kind, after.planning.mppi.horizon) == ("last_step_l1", 3)
    assert changed(after, ["energy.kind=summed_mse", "planning.mppi.horizon=2"]) == before


def test_a_section_that_is_null_takes_its_defaults_for_the_rest():
    search = changed(load_contract(SHIPPED), ["planning.icem.samples=48", "planning.optimiser=icem"]).planning.search()
    assert (search.samples, search.iterations) == (48, 4)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("energy.kind", r"'energy.kind' given; expected NAME=VALUE"),
        ("energy.sort=summed_mse", "energy: unknown field sort; known are kind, scale"),
        ("energies.kind=summed_mse", "energies.kind: there is no section energies; known are image, latent"),
        ("name.first=x", "there is no section name"),
        ("planning.mppi.horizon=two", "planning.mppi.horizon: expected int, got 'two'"),
        ("planning.mppi.samples=1", "samples is 1; it must be at least 2"),
    ],
)
def test_what_cannot_be_changed_is_refused_in_words(change, says):
    with pytest.raises(FieldError, match=says):
        changed(load_contract(SHIPPED), [change])


def test_the_changed_bundle_is_a_bundle_with_the_same_weights(tmp_path):
    for horizon in (2, 1):  # the second one replaces the first
        contract = changed_bundle(SHIPPED, [f"planning.mppi.horizon={horizon}"], tmp_path / "changed")
        assert load_bundle(tmp_path / "changed")[2] == contract
    assert contract.planning.search().horizon == 1
    assert contract.files == load_contract(SHIPPED).files


def test_a_bundle_is_not_changed_in_place(tmp_path):
    with pytest.raises(ValueError, match="choose another folder"):
        changed_bundle(SHIPPED, ["planning.mppi.horizon=1"], SHIPPED)
