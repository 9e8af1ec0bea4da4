"""Several models in the same trials: which trials, what is kept, and the table."""

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import tiny_model, tiny_planner

from jepa_planner.learning.evaluation.trials import Trial, TrialSettings
from jepa_planner.model.bundle import save_bundle
from jepa_planner.model.bundle_files import BundleError
from studies.comparison import comparison
from studies.comparison.comparison import Cell, Trials, table, try_model
from studies.settings.changed_bundle import changed_bundle

TRIALS = Trials(("reach", "push"), ("clean", "flicker"), scenes=4, seed=20)
CELL = Cell("ours", "latents", "clean", "reach", 9, 10, 0.596, 0.982, 0.431)


@pytest.fixture
def tried(monkeypatch) -> list[TrialSettings]:
    """What trials were asked for; every second one succeeds."""
    asked: list[TrialSettings] = []

    def run(policy, settings):
        asked.append(settings)
        policy.plan_seconds.append(0.25)
        return [Trial(seed, seed % 2 == 0, 3, 0.1, 0.01, "") for seed in range(settings.episodes)]

    monkeypatch.setattr(comparison, "run_trials", run)
    return asked


def changed(bundle: Path, folder: Path) -> Path:
    changed_bundle(bundle, ["steps_per_sub_goal=3"], folder)
    return folder


def bundle(folder: Path, weight: float | None = None) -> Path:
    model = tiny_model()
    if weight is not None:
        model.encoder.slot_norm.running_var.fill_(weight)
    save_bundle(folder, model.encoder, model.predictor, model.contract)
    tiny_planner().save(folder)
    return folder


def test_a_cell_is_an_evaluation_under_its_condition(tmp_path, tried):
    folder = bundle(tmp_path / "model")
    cell = try_model("ours", folder, "push", "flicker", TRIALS, tmp_path / "out")
    assert (cell.model, cell.space, cell.condition, cell.task) == ("ours", "latents", "flicker", "push")
    assert (cell.successes, cell.trials, cell.plan_seconds) == (2, 4, 0.25)
    assert 0.1 < cell.wilson_low < 0.5 < cell.wilson_high < 0.9
    try_model("ours", folder, "push", "clean", TRIALS, tmp_path / "out")
    assert [settings.vary for settings in tried] == [{"flicker"}, set()]
    assert {(s.task, s.seed, s.episodes, s.goal_images, s.strength) for s in tried} == {("push", 20, 4, "dense", 1.0)}


def test_a_cell_that_is_there_is_read_and_one_of_another_model_or_other_trials_refused(tmp_path, tried):
    folder, out = bundle(tmp_path / "model"), tmp_path / "out"
    first = try_model("ours", folder, "reach", "clean", TRIALS, out)
    assert try_model("ours", folder, "reach", "clean", TRIALS, out) == first
    assert len(tried) == 1
    with pytest.raises(ValueError, match=r"ours-clean-reach\.json was made with another episodes, seed: choose"):
        try_model("ours", folder, "reach", "clean", replace(TRIALS, seed=3, scenes=5), out)
    assert try_model("ours", bundle(tmp_path / "moved"), "reach", "clean", TRIALS, out) == first, "of the same content"
    with pytest.raises(ValueError, match=r"was made with another planner: choose"):
        try_model("ours", changed(folder, tmp_path / "waits"), "reach", "clean", TRIALS, out)
    with pytest.raises(ValueError, match=r"was made with another files: choose"):
        try_model("ours", bundle(tmp_path / "other", weight=0.5), "reach", "clean", TRIALS, out)
    with (folder / "encoder.safetensors").open("ab") as weights:
        weights.write(b"altered")
    with pytest.raises(BundleError, match=r"encoder\.safetensors: sha256 is"):
        try_model("ours", folder, "reach", "clean", TRIALS, out)
    assert len(tried) == 1


def test_the_table_has_a_row_per_model_and_condition_and_a_column_per_task():
    cells = [
        CELL,
        replace(CELL, task="push", successes=0, wilson_low=0.0, wilson_high=0.278, plan_seconds=0.5),
        replace(CELL, model="theirs", space="pixels", condition="moving_texture", plan_seconds=None),
    ]
    assert table(cells).splitlines() == [
        "| model | planned in | scenes | reach | push | s per plan |",
        "|---|---|---|---|---|---|",
        "| ours | latents | clean | 9/10 (60% to 98%) | 0/10 (0% to 28%) | 0.50 |",
        "| theirs | pixels | moving texture | 9/10 (60% to 98%) |  |  |",
    ]
