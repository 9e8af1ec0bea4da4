import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from jepa_planner.learning.evaluation.trials import Trial
from jepa_planner.learning.training.recipe import Recipe
from jepa_planner.learning.training.training_run import Collapsed
from studies.ablation import ablation
from studies.ablation.ablation import Budget, Row, Variant, ablate, budget_in_words, table

BUDGET = Budget(encoder_iterations=7, encoder_batch=5, predictor_iterations=3, tasks=("reach", "push"), scenes=4)
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


class Training:
    """Stands in for `recipe.run` and for the trials: notes what it was asked for, collapses where it should."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, collapses: bool = False) -> None:
        self.recipes: list[Recipe] = []
        self.tried: list[tuple[str, int, int]] = []
        self._collapses = collapses
        monkeypatch.setattr(ablation, "run", self.run)
        monkeypatch.setattr(ablation.WorldModel, "load", lambda folder: SimpleNamespace(contract=None))
        monkeypatch.setattr(ablation, "WorldModelPolicy", lambda model, planner: model)
        monkeypatch.setattr(ablation.PlannerSettings, "load", lambda folder, contract: None)
        monkeypatch.setattr(ablation, "run_trials", self.trials)

    def run(self, data: Path, bundle: Path, run_folder: Path, recipe: Recipe) -> None:
        self.recipes.append(recipe)
        run_folder.mkdir(parents=True)
        report = {key: REPORT[key] for key in REPORT if not (self._collapses and key == "prediction_error")}
        (run_folder / "report.json").write_text(json.dumps(report))
        if self._collapses:
            raise Collapsed("COLLAPSED: effective rank 1.0")

    def trials(self, policy, settings):
        self.tried.append((settings.task, settings.seed, settings.episodes))
        return [Trial(seed, seed % 2 == 0, 3, 0.1, 0.01, "") for seed in range(settings.episodes)]


@pytest.fixture
def data(tmp_path) -> Path:
    """A folder with a shard that nobody reads."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "episodes-000000.h5").write_bytes(b"some episodes")
    return tmp_path / "data"


def test_a_row_holds_what_training_and_trials_found(tmp_path, data, monkeypatch):
    training = Training(monkeypatch)
    row = ablate(data, tmp_path / "out", VARIANT, BUDGET)
    (recipe,) = training.recipes
    assert (recipe.objective, recipe.episodes) == ("sigreg+inverse", 30)
    assert (recipe.encoder_iterations, recipe.encoder_batch, recipe.predictor_iterations) == (7, 5, 3)
    assert training.tried == [("reach", 500_000, 4), ("push", 500_000, 4)]
    assert row.successes == {"reach": 2, "push": 2}
    assert (row.effective_rank, row.tcp_cm, row.object_cm, row.prediction, row.copying) == (9.5, 0.44, 1.2, 0.4, 0.8)
    assert not row.collapsed


def test_a_row_that_is_there_is_not_made_again_and_one_of_another_budget_is_refused(tmp_path, data, monkeypatch):
    training = Training(monkeypatch)
    first = ablate(data, tmp_path / "out", VARIANT, BUDGET)
    assert ablate(data, tmp_path / "out", VARIANT, BUDGET) == first
    assert len(training.recipes) == 1
    for change in ({"encoder_iterations": 8}, {"seed": 1}, {"scenes": 5}, {"tasks": ("push",)}, {"encoder_batch": 6}):
        with pytest.raises(ValueError, match=rf"row\.json was made with another {next(iter(change))}: choose another"):
            ablate(data, tmp_path / "out", VARIANT, replace(BUDGET, **change))
    (data / "episodes-000000.h5").write_bytes(b"other episodes")
    with pytest.raises(ValueError, match=r"row\.json was made with another data: choose another --out"):
        ablate(data, tmp_path / "out", VARIANT, BUDGET)
    assert len(training.recipes) == 1


def test_a_collapsed_variant_is_a_row_without_trials(tmp_path, data, monkeypatch, capsys):
    training = Training(monkeypatch, collapses=True)
    row = ablate(data, tmp_path / "out", Variant("none"), BUDGET)
    assert row.collapsed and row.successes == {} and training.tried == []
    assert "COLLAPSED" in capsys.readouterr().out
    assert ablate(data, tmp_path / "out", Variant("none"), BUDGET) == row


def test_the_table_shows_each_variant_and_says_which_collapsed(tmp_path, data, monkeypatch):
    Training(monkeypatch)
    good = ablate(data, tmp_path / "out", VARIANT, BUDGET)
    bad: Row = replace(
        good, variant=Variant("none"), collapsed=True, effective_rank=1.0, prediction=None, copying=None, successes={}
    )
    head, _, first, second = table([good, bad]).splitlines()
    assert head.endswith("| reach | push |")
    assert first == "| sigreg + inverse | 30 | 9.5 of 12 | 0.98 | 0.4 | 1.2 (3.1) | 0.400 / 0.800 | 2/4 | 2/4 |"
    assert "1.0 of 12 **collapsed**" in second and second.endswith("|  |  |  |")
    assert budget_in_words(BUDGET).startswith("7 encoder iterations of 5 windows, 3 predictor iterations, seed 0; 4 ")
