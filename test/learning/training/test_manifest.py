"""The list of runs that made a bundle."""

import pytest

from jepa_planner.core.yaml_text import read_yaml
from jepa_planner.learning.training.manifest import MANIFEST_FILE, Run


def stages(folder) -> list[str]:
    return [run["stage"] for run in read_yaml((folder / MANIFEST_FILE).read_text())["runs"]]


def test_a_run_is_added_to_those_before(tmp_path):
    for stage in ("train", "verdict"):
        Run(stage, {"seed": 0}).note(tmp_path, {})
    assert stages(tmp_path) == ["train", "verdict"]


@pytest.mark.parametrize("text", ["", "notes: mine\n", "runs: 3\n", "runs: [\n"])
def test_a_manifest_that_people_made_something_else_of_costs_no_bundle(text, tmp_path, capsys):
    (tmp_path / MANIFEST_FILE).write_text(text)
    Run("train", {}).note(tmp_path, {})
    assert stages(tmp_path) == ["train"]
    assert "tells of no runs" in capsys.readouterr().err
