import json
from dataclasses import replace
from pathlib import Path

import pytest

from jepa_planner.learning.training.recipe import Recipe
from jepa_planner.learning.training.training_run import Collapsed
from studies.ablation import training
from studies.ablation.training import Budget, Measures, Variant, train
from studies.ablation.verb import names_of, reading
from studies.sweep.sweep import Cell, Result

BUDGET = Budget(encoder_iterations=7, encoder_batch=5, predictor_iterations=3)
REPORT = {
    "episodes": 30,
    "collapse": {"effective_rank": 9.5, "numbers": 12, "std_mean": 0.98},
    "readouts": {
        "tcp": {"mlp_median": 0.44, "linear_median": 0.6},
        "object": {"mlp_median": 1.2, "linear_median": 3.1},
    },
    "prediction_error": {"object_moves": [0.1, 0.2, 0.3, 0.4], "object_moves_copy": [0.5, 0.6, 0.7, 0.8]},
}
VARIANT = Variant("sigreg+inverse", 30)
MEASURES = Measures(30, False, 9.5, 12, 0.98, 0.44, 1.2, 3.1, 0.4, 0.8, 2.0)


@pytest.fixture
def recipes(monkeypatch) -> list[Recipe]:
    """What training was asked for; the objective "none" collapses."""
    asked: list[Recipe] = []

    def run(data: Path, bundle: Path, run_folder: Path, recipe: Recipe) -> None:
        asked.append(recipe)
        run_folder.mkdir(parents=True)
        collapses = recipe.objective == "none"
        report = {key: REPORT[key] for key in REPORT if not (collapses and key == "prediction_error")}
        (run_folder / "report.json").write_text(json.dumps(report))
        if collapses:
            raise Collapsed("COLLAPSED: effective rank 1.0")

    monkeypatch.setattr(training, "run", run)
    return asked


@pytest.fixture
def data(tmp_path) -> Path:
    """A folder with a shard that nobody reads."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "episodes-000000.h5").write_bytes(b"some episodes")
    return tmp_path / "data"


def test_a_variant_is_trained_as_the_budget_says_and_measured(tmp_path, data, recipes):
    measures = train(data, tmp_path / "out", VARIANT, BUDGET)
    (recipe,) = recipes
    assert (recipe.objective, recipe.episodes) == ("sigreg+inverse", 30)
    assert (recipe.encoder_iterations, recipe.encoder_batch, recipe.predictor_iterations) == (7, 5, 3)
    assert replace(measures, seconds=2.0) == MEASURES


def test_what_was_trained_is_not_trained_again_and_what_is_of_another_budget_is_refused(tmp_path, data, recipes):
    first = train(data, tmp_path / "out", VARIANT, BUDGET)
    assert train(data, tmp_path / "out", VARIANT, BUDGET) == first
    assert len(recipes) == 1
    for change in ({"encoder_iterations": 8}, {"seed": 1}, {"encoder_batch": 6}, {"predictor_iterations": 4}):
        (name,) = change
        with pytest.raises(ValueError, match=rf"training\.json was made with another {name}: choose another"):
            train(data, tmp_path / "out", VARIANT, replace(BUDGET, **change))
    (data / "episodes-000000.h5").write_bytes(b"other episodes")
    with pytest.raises(ValueError, match=r"training\.json was made with another data: choose another --out"):
        train(data, tmp_path / "out", VARIANT, BUDGET)
    assert len(recipes) == 1


def test_a_collapsed_variant_is_measured_all_the_same(tmp_path, data, recipes, capsys):
    measures = train(data, tmp_path / "out", Variant("none"), BUDGET)
    assert measures.collapsed and measures.prediction is None and measures.effective_rank == 9.5
    assert "COLLAPSED" in capsys.readouterr().out
    assert train(data, tmp_path / "out", Variant("none"), BUDGET) == measures


def test_the_table_shows_each_variant_and_says_which_collapsed():
    bad = replace(MEASURES, collapsed=True, effective_rank=1.0, prediction=None, copying=None)
    solved = {
        task: Result(Cell("", task, "standard", "dense"), 2, 4, 0.15, 0.85, 4.0, 0.1) for task in ("reach", "push")
    }
    head, _, first, second = reading(
        {names_of(VARIANT, MEASURES): solved, names_of(Variant("none"), bad): {}}
    ).splitlines()
    assert head.endswith("| imagined / copied | reach | push |")
    assert first == (
        "| sigreg + inverse | 30 | 9.5 of 12 | 0.98 | 0.4 | 1.2 (3.1) | 0.400 / 0.800 | 2/4 (15% to 85%) | "
        "2/4 (15% to 85%) |"
    )
    assert "1.0 of 12 **collapsed**" in second and second.endswith("|  |  |  |")
    assert BUDGET.in_words() == "7 encoder iterations of 5 windows, 3 predictor iterations, seed 0"
