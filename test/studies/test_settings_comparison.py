from pathlib import Path

import pytest

from jepa_planner.learning.evaluation.trials import Trial, TrialSettings
from jepa_planner.model.bundle import load_contract, model_folder
from jepa_planner.planning.planner_settings import PlannerSettings
from studies.__main__ import main as study
from studies.settings import settings_comparison
from studies.settings.settings_comparison import UNCHANGED, Cell, changed_bundles, table, try_change

SHIPPED = Path(model_folder())


def planner_of(folder: Path) -> PlannerSettings:
    return PlannerSettings.load(folder, load_contract(folder))


@pytest.fixture
def tried(monkeypatch) -> list[int]:
    """Horizons of the searches that were tried; a trial takes twice as many steps, and horizon 1 never succeeds."""
    asked = []

    def pretend(policy_spec, settings, seconds, processes):
        asked.append(horizon := planner_of(policy_spec.folder).search().horizon)
        seconds.append(0.1)
        return iter([Trial(settings.scene_seed(n), horizon > 1, 2 * horizon, 0.1, 0.0, "") for n in range(2)])

    monkeypatch.setattr(settings_comparison, "spread_trials", pretend)
    return asked


def test_each_change_is_tried_once_and_then_read(tmp_path, tried):
    settings = TrialSettings("push", 2)
    folders = changed_bundles(SHIPPED, ["mppi.horizon=3"], tmp_path)
    for _ in range(2):
        cells = [try_change(change, folder, settings, tmp_path) for change, folder in folders.items()]
    assert cells == [
        Cell(UNCHANGED, "push", 2, 2, 4.0, 0.1),
        Cell("mppi.horizon=3", "push", 2, 2, 6.0, 0.1),
    ]
    assert tried == [2, 3]
    with pytest.raises(ValueError, match="made with another episodes"):
        try_change(UNCHANGED, SHIPPED, TrialSettings("push", 3), tmp_path)
    with pytest.raises(ValueError, match="made with another vary, strength"):
        try_change(UNCHANGED, SHIPPED, TrialSettings("push", 2, vary=frozenset({"light"}), strength=2.0), tmp_path)
    with pytest.raises(ValueError, match="made with another planner"):
        try_change(UNCHANGED, folders["mppi.horizon=3"], settings, tmp_path)


def test_several_changes_are_made_together(tmp_path):
    change = "energy.kind=last_step_l1+reached_energy=0.08"
    planner_settings = planner_of(changed_bundles(SHIPPED, [change], tmp_path)[change])
    assert (planner_settings.energy.kind, planner_settings.reached_energy) == ("last_step_l1", 0.08)


def test_the_table_has_a_row_per_change_and_a_column_per_task():
    cells = [
        Cell(UNCHANGED, "push", 29, 30, 12.0, 0.2), Cell(UNCHANGED, "reach", 30, 30, 5.0, 0.3),
        Cell("a.b=1", "push", 0, 30, None, 0.1),
    ]  # fmt: skip
    assert table(cells).splitlines() == [
        "| setting | push | reach | s per plan |",
        "|---|---|---|---|",
        "| as it is | 29/30, 12 steps | 30/30, 5 steps | 0.30 |",
        "| `a.b=1` | 0/30 |  | 0.10 |",
    ]


def test_the_verb_prints_and_keeps_the_table(tmp_path, tried, capsys):
    assert study(["settings", "--change", "mppi.horizon=1", "--scenes", "2", "--out", str(tmp_path)]) == 0
    assert "| `mppi.horizon=1` | 0/2 | 0.10 |" in capsys.readouterr().out
    assert "| as it is | 2/2, 4 steps | 0.10 |" in (tmp_path / "table-dense.md").read_text()


def test_a_change_that_cannot_be_is_refused_before_anything_is_tried(tmp_path, tried, capsys):
    assert study(["settings", "--change", "size=9", "--out", str(tmp_path)]) != 0
    assert "unknown field size" in capsys.readouterr().err
    assert tried == []
