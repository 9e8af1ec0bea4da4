"""Several models in the same trials: the verb and its table."""

from pathlib import Path

import pytest
from tiny_model import tiny_model, tiny_planner

from jepa_planner.model.bundle import save_bundle
from studies.__main__ import main as study


@pytest.fixture
def bundle(tmp_path) -> Path:
    model = tiny_model()
    save_bundle(tmp_path / "model", model.encoder, model.predictor, model.contract)
    tiny_planner().save(tmp_path / "model")
    return tmp_path / "model"


def test_models_are_tried_under_each_condition_as_they_plan_alone(bundle, pretended, tmp_path, capsys):
    tried = pretended(lambda policy, settings, number: not settings.vary)
    models, few = ["--models", f"ours={bundle}"], ["--tasks", "reach", "push", "--scenes", "2", "--seed", "7"]
    conditions = ["--conditions", "clean", "moving_texture", "--out", str(tmp_path / "out")]
    assert study(["comparison", *models, *few, *conditions]) == 0
    assert [(s.task, s.vary, s.strength) for _, s in tried] == [
        (task, frozenset(vary), 1.0) for vary in ([], ["moving_texture"]) for task in ("reach", "push")
    ]
    assert {(p.imagine_sub_goals, p.monitored, p.verdict) for p, _ in tried} == {("never", False, True)}
    assert {(s.seed, s.episodes, s.goal_images, s.stop_at_success) for _, s in tried} == {(7, 2, "dense", False)}
    written = (tmp_path / "out" / "table.md").read_text()
    assert written.splitlines() == [
        "| model | planned in | scenes | reach | push | s per plan |",
        "|---|---|---|---|---|---|",
        "| ours | latents | clean | 2/2 (34% to 100%) | 2/2 (34% to 100%) | 0.25 |",
        "| ours | latents | moving texture | 0/2 (0% to 66%) | 0/2 (0% to 66%) | 0.25 |",
    ]
    assert written in capsys.readouterr().out
