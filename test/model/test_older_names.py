"""Bundles that were written with the names of before load as what they are."""

import shutil

import pytest
import yaml

from jepa_planner.core.shipped import shipped
from jepa_planner.model.bundle import load_bundle, load_contract, load_latent_statistics, read_planner, write_bundle
from jepa_planner.model.bundle_files import BundleError
from jepa_planner.model.contract import FORMAT
from jepa_planner.model.older_names import OLDER_FILES, present_model, present_planner

OLD_WORDS = {
    "out_of_distribution": "familiarity",
    "closure_commanded": "closedness_commanded",
    "closure_measured": "closedness_measured",
    "dclosure": "dclosedness",
    "keypoints:": "spots:",
    **OLDER_FILES,
}
OLD_PLANNING = {
    "max_observations": "max_looks",
    "settled_observations": "settled_looks",
    "unreachable_observations": "unreachable_looks",
    "back_sub_goals": "back_moments",
    "  observations: ": "  looks: ",
}


@pytest.fixture
def older(tmp_path):
    """The shipped bundle as format 4 spelt it."""
    folder = shutil.copytree(shipped("models/panda-tabletop"), tmp_path / "older")
    for new, old in OLDER_FILES.items():
        (folder / new).rename(folder / old)
    for name, words in (("model.yaml", OLD_WORDS), ("planner.yaml", OLD_PLANNING)):
        text = (folder / name).read_text()
        for new, old in words.items():
            assert new in text, new
            text = text.replace(new, old)
        for newer in ("  warps: []\n", "  rotary: tiled\n", "  rotary_grid: 0\n"):
            text = text.replace(newer, "")
        (folder / name).write_text(text.replace(f"\nformat: {FORMAT}\n", "\nformat: 4\n"))
    return folder


def test_a_bundle_with_the_names_of_before_loads_as_the_same_model(older):
    present = shipped("models/panda-tabletop")
    contract, now = load_contract(older), load_contract(present)
    assert contract.format == 4 and contract.files == now.files
    assert contract.out_of_distribution == now.out_of_distribution
    assert (contract.state, contract.action, contract.verdict) == (now.state, now.action, now.verdict)
    assert load_latent_statistics(older).mean.equal(load_latent_statistics(present).mean)
    assert load_bundle(older)[2] == contract and read_planner(older) == read_planner(present)


def test_a_bundle_with_the_names_of_before_is_written_anew_with_those_of_now(older):
    contract = load_contract(older)
    write_bundle(older, contract, {}, next(load_bundle(older)[0].parameters()).dtype)
    assert "familiarity" not in yaml.safe_load((older / "model.yaml").read_text())
    assert load_contract(older).format == FORMAT and load_contract(older).files == contract.files


def test_a_field_under_both_names_is_refused(older):
    plain = yaml.safe_load((older / "model.yaml").read_text())
    plain["out_of_distribution"] = plain["familiarity"]
    (older / "model.yaml").write_text(yaml.safe_dump(plain))
    with pytest.raises(BundleError, match="unknown field familiarity"):
        load_contract(older)


@pytest.mark.parametrize(
    "value", [None, 7, [], {"head": 3}, {"head": {"scene": []}}, {"channels": {"x": 1}}, {"channels": [1]}]
)
def test_what_is_no_mapping_where_one_belongs_stays_for_others_to_refuse(value):
    for section in ("files", "state", "action", "sub_goals", "verdict"):
        assert present_model({section: value}) == {section: value}
    assert present_planner({"progress": value})["progress"] == value and present_planner(value) == value
