"""A grid of trials: which cells, what is kept of them, and their table."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import tiny_model, tiny_planner

from jepa_planner.learning.evaluation.spread_trials import PolicySpec
from jepa_planner.model.bundle import save_bundle
from jepa_planner.model.bundle_files import BundleError
from studies.settings.changed_bundle import changed_bundle
from studies.sweep.sweep import Cell, Result, Scenes, Sweep
from studies.sweep.table import rows_by, said, table

VARIED = Scenes(frozenset({"light", "camera"}), 1.5)
RESULT = Result(Cell("ours", "reach", "standard", "dense"), 9, 10, 0.596, 0.982, 5.0, 0.431)


def bundle(folder: Path, weight: float | None = None) -> Path:
    model = tiny_model()
    if weight is not None:
        model.encoder.slot_norm.running_var.fill_(weight)
    save_bundle(folder, model.encoder, model.predictor, model.contract)
    tiny_planner().save(folder)
    return folder


@pytest.fixture
def grid(tmp_path) -> Sweep:
    return Sweep({"ours": PolicySpec(bundle(tmp_path / "model"))}, ("push",), trials=4, seed=20)


@pytest.fixture
def tried(pretended):
    """Every second trial succeeds."""
    return pretended(lambda policy, settings, number: number % 2 == 0)


def test_every_policy_is_tried_with_every_task_kind_of_scenes_and_goal_pictures(grid, tried, tmp_path):
    both = {"ours": grid.policies["ours"], "theirs": replace(grid.policies["ours"], verdict=False)}
    wide = replace(
        grid, policies=both, tasks=("push", "reach"), scenes={"standard": Scenes(), "varied": VARIED},
        goal_images=("dense", "one"), stop_at_success=True,
    )  # fmt: skip
    results = list(wide.run(tmp_path / "out"))
    assert len(results) == len(tried) == len({result.cell.file for result in results}) == 16
    policy, settings = tried[
        results.index(next(r for r in results if r.cell == Cell("theirs", "reach", "varied", "one")))
    ]
    assert policy == both["theirs"] and settings.stop_at_success
    assert (settings.task, settings.vary, settings.strength) == ("reach", VARIED.vary, 1.5)
    assert (settings.goal_images, settings.episodes, settings.seed) == ("one", 4, 20)


def test_a_result_counts_and_says_how_sure_that_is(grid, tried, tmp_path):
    (result,) = grid.run(tmp_path / "out")
    assert (result.successes, result.trials, result.steps, result.plan_seconds) == (2, 4, 4.0, 0.25)
    assert result.wilson_low == pytest.approx(0.15, abs=0.01) and result.wilson_high == pytest.approx(0.85, abs=0.01)
    assert result.in_words() == "2/4 (15% to 85%)"
    (file,) = (tmp_path / "out").glob("*.json")
    assert file.name == "ours-standard-push-dense.json"
    kept = json.loads(file.read_text())
    assert [trial["seed"] for trial in kept["trials"]] == [1_000_020, 1_000_021, 1_000_022, 1_000_023]
    assert (kept["imagine_sub_goals"], kept["monitored"], kept["verdict"]) == ("auto", True, True)


def test_a_cell_that_is_there_is_read_and_one_of_other_trials_refused(grid, tried, tmp_path):
    out = tmp_path / "out"
    assert list(grid.run(out)) == list(grid.run(out)) and len(tried) == 1
    varied = {"standard": VARIED}
    policy = replace(grid.policies["ours"], dtype="bfloat16", imagine_sub_goals="never")
    for change, named in (
        ({"trials": 5, "seed": 3}, "episodes, seed"), ({"stop_at_success": True}, "stop_at_success"),
        ({"scenes": varied}, "vary, strength"), ({"policies": {"ours": policy}}, "imagine_sub_goals, dtype"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=rf"ours-standard-push-dense\.json was made with another {named}: choose"):
            list(replace(grid, **change).run(out))
    assert len(tried) == 1


def test_a_cell_of_another_model_is_refused(grid, tried, tmp_path):
    out, folder = tmp_path / "out", grid.policies["ours"].folder
    first = list(grid.run(out))

    def of(folder: Path) -> list[Result]:
        return list(replace(grid, policies={"ours": PolicySpec(folder)}).run(out))

    assert of(bundle(tmp_path / "moved")) == first, "of the same content"
    changed_bundle(folder, ["steps_per_sub_goal=3"], tmp_path / "waits")
    with pytest.raises(ValueError, match="was made with another planner: choose"):
        of(tmp_path / "waits")
    with pytest.raises(ValueError, match="was made with another files: choose"):
        of(bundle(tmp_path / "other", weight=0.5))
    with (folder / "encoder.safetensors").open("ab") as weights:
        weights.write(b"altered")
    with pytest.raises(BundleError, match=r"encoder\.safetensors: sha256 is"):
        of(folder)
    assert len(tried) == 1


@pytest.mark.parametrize(
    ("change", "says"), [({"tasks": ("dance",)}, "unknown task 'dance'"), ({"trials": 0}, "at least")]
)
def test_trials_that_there_are_not_are_refused_before_any_is_run(change, says, grid):
    with pytest.raises(ValueError, match=says):
        replace(grid, **change)


def test_names_that_no_file_may_have_are_kept_in_one():
    assert Cell("a.b=1+c/d e", "own:Scene", "all-2.6", "one").file == "a.b=1+c_d_e-all-2.6-own_Scene-one.json"


def test_the_table_has_a_row_for_each_name_and_a_column_for_each_task(capsys):
    results = [
        RESULT,
        replace(RESULT, cell=replace(RESULT.cell, task="push"), successes=0, wilson_low=0.0, wilson_high=0.278,
                plan_seconds=0.5),
        replace(RESULT, cell=replace(RESULT.cell, policy="theirs"), plan_seconds=None),
    ]  # fmt: skip
    rows = rows_by(said(results), lambda result: (result.cell.policy, "x"))
    assert capsys.readouterr().out.splitlines()[1] == "ours, standard, push: 0/10 (0% to 28%)"
    assert table(("model", "y"), rows, seconds=True).splitlines() == [
        "| model | y | reach | push | s per plan |",
        "|---|---|---|---|---|",
        "| ours | x | 9/10 (60% to 98%) | 0/10 (0% to 28%) | 0.50 |",
        "| theirs | x | 9/10 (60% to 98%) |  |  |",
    ]
    assert table(("model", "y"), rows, in_words=lambda result: str(result.trials)).endswith("| theirs | x | 10 |  |")
