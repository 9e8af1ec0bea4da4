import json
from dataclasses import replace
from pathlib import Path

import pytest

from jepa_planner.learning.evaluation.spread_trials import PolicySpec
from jepa_planner.learning.evaluation.trials import Trial, TrialSettings
from jepa_planner.model.bundle import model_folder
from studies.__main__ import main as study
from studies.robustness import robustness
from studies.robustness.robustness import ALL, Cell, table, try_strength

CONTESTANT = PolicySpec(Path(model_folder()))


@pytest.fixture
def tried(monkeypatch) -> list[TrialSettings]:
    """Settings of the trials that were asked for; all of them succeed where nothing varies."""
    asked = []

    def pretend(policy_spec, settings, seconds, processes, cluster):
        asked.append(settings)
        seeds = range(settings.episodes)
        return iter([Trial(settings.scene_seed(n), not settings.vary, 3, 0.1, 0.0, "") for n in seeds])

    monkeypatch.setattr(robustness, "spread_trials", pretend)
    return asked


def test_a_cell_is_tried_once_and_then_read(tmp_path, tried):
    settings = TrialSettings("grasp", 2, strength=1.5)
    for _ in range(2):
        cell = try_strength(CONTESTANT, settings, "camera", ("camera", "light"), tmp_path)
        assert cell == Cell("camera", 1.5, 0, 2)
    assert [(s.vary, s.strength) for s in tried] == [(frozenset({"camera"}), 1.5)]
    for change, named in (
        ({"episodes": 3}, "episodes"), ({"seed": 1}, "seed"), ({"goal_images": "one"}, "goal_images"),
        ({"strength": 1.5000001}, "strength"), ({"stop_at_success": True}, "stop_at_success"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=rf"grasp-camera-1\.5\.json was made with another {named}: choose"):
            try_strength(CONTESTANT, replace(settings, **change), "camera", ("camera",), tmp_path)
    for change, named in (({"dtype": "bfloat16"}, "dtype"), ({"imagine_sub_goals": "never"}, "imagine_sub_goals")):
        with pytest.raises(ValueError, match=f"made with another {named}: choose"):
            try_strength(replace(CONTESTANT, **change), settings, "camera", ("camera",), tmp_path)


def test_all_of_other_perturbations_is_refused(tmp_path, tried):
    settings = TrialSettings("grasp", 2)
    try_strength(CONTESTANT, settings, ALL, ("camera",), tmp_path)
    with pytest.raises(ValueError, match="made with another vary: choose"):
        try_strength(CONTESTANT, settings, ALL, ("camera", "light"), tmp_path)


def test_without_strength_the_scene_is_standard_and_shared_by_all_rows(tmp_path, tried):
    settings = TrialSettings("grasp", 2, strength=0.0)
    for name in ("camera", ALL):
        assert try_strength(CONTESTANT, settings, name, ("camera", "light"), tmp_path).successes == 2
    assert [s.vary for s in tried] == [frozenset()]


def test_all_is_everything_at_once(tmp_path, tried):
    try_strength(CONTESTANT, TrialSettings("grasp", 1), ALL, ("camera", "light"), tmp_path)
    assert tried[0].vary == {"camera", "light"}


def test_the_table_has_a_row_per_perturbation_and_a_column_per_strength():
    cells = [Cell("camera", 0.0, 9, 10), Cell("camera", 2.0, 1, 10), Cell(ALL, 2.0, 0, 10)]
    assert table(cells).splitlines() == [
        "| perturbation | 0 | 2 |", "|---|---|---|", "| camera | 9/10 | 1/10 |", "| all |  | 0/10 |",
    ]  # fmt: skip


def test_the_verb_runs_what_is_asked_and_keeps_the_table(tmp_path, tried, capsys):
    arguments = ["--perturb", "light", "--strengths", "0", "1", "--scenes", "2", "--out", str(tmp_path)]
    assert study(["robustness", *arguments]) == 0
    assert "light 1: 0/2" in capsys.readouterr().out
    assert "| light | 2/2 | 0/2 |" in (tmp_path / "table.md").read_text()
    assert json.loads((tmp_path / "grasp-light-1.json").read_text())["vary"] == ["light"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--perturb", "gravity"], "unknown perturbation gravity"),
        (["--strengths", "-1"], "-1 given; expected 0 or more"),
    ],
)
def test_what_cannot_be_tried_is_refused(arguments, says, capsys):
    assert study(["robustness", *arguments]) != 0
    assert says in capsys.readouterr().err
