from pathlib import Path

from jepa_planner.model.bundle import load_contract, model_folder
from jepa_planner.planning.planner_settings import PlannerSettings
from studies.__main__ import main as study
from studies.settings.verb import changed_bundles

SHIPPED = Path(model_folder())


def planner_of(folder: Path) -> PlannerSettings:
    return PlannerSettings.load(folder, load_contract(folder))


def horizon_of(policy) -> int:
    return planner_of(policy.folder).search().horizon


def test_several_changes_are_made_together(tmp_path):
    change = "energy.kind=last_step_l1+reached_energy=0.08"
    planner = planner_of(changed_bundles(SHIPPED, [change], tmp_path)[change])
    assert (planner.energy.kind, planner.reached_energy) == ("last_step_l1", 0.08)


def test_each_change_is_tried_on_tuning_scenes_beside_the_model_as_it_is(tmp_path, pretended, capsys):
    tried = pretended(lambda policy, settings, number: horizon_of(policy) > 1)
    few = ["--tasks", "push", "reach", "--scenes", "2", "--out", str(tmp_path)]
    assert study(["settings", "--change", "mppi.horizon=1", *few]) == 0
    assert [(horizon_of(policy), s.task, s.seed) for policy, s in tried] == [
        (horizon, task, 500_000) for horizon in (2, 1) for task in ("push", "reach")
    ]
    written = (tmp_path / "table-dense.md").read_text()
    assert written in capsys.readouterr().out
    assert written.splitlines() == [
        "| setting | push | reach | s per plan |",
        "|---|---|---|---|",
        "| as it is | 2/2 (34% to 100%), 4 steps | 2/2 (34% to 100%), 4 steps | 0.25 |",
        "| `mppi.horizon=1` | 0/2 (0% to 66%) | 0/2 (0% to 66%) | 0.25 |",
    ]


def test_a_change_that_cannot_be_is_refused_before_anything_is_tried(tmp_path, pretended, capsys):
    tried = pretended(lambda *_: True)
    assert study(["settings", "--change", "size=9", "--out", str(tmp_path)]) != 0
    assert "unknown field size" in capsys.readouterr().err
    assert tried == []
