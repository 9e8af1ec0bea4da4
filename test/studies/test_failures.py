"""Which step from pictures to actions failed, from numbers that show one thing at a time, and in a real scene."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tiny_model import tiny_model, tiny_planner

from jepa_planner.cli.main import main
from jepa_planner.learning.evaluation.policies import WorldModelPolicy
from jepa_planner.learning.evaluation.trials import TrialSettings
from jepa_planner.model.bundle import save_bundle
from jepa_planner_sim.collect_settings import EVALUATION_SEED_START
from studies.__main__ import main as study
from studies.failures.failures import Cause, Evidence, Examiner, is_of_verdict, most_frequent, tally

GOOD = Evidence(
    now_to_goal=1.0, success_to_goal=0.1, now_to_target=0.5, way_to_target=0.1, is_imagined=True, staying=1.5,
    expert=1.0, plan=1.4, expert_imagined=1.2, plan_imagined=1.1,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"success_to_goal": None}, Cause.OUT_OF_REACH),
        ({"success_to_goal": 0.99}, Cause.PERCEPTION),
        ({"way_to_target": 0.6}, Cause.SUB_GOAL),
        ({"way_to_target": 0.6, "is_imagined": False}, Cause.PREDICTION),
        ({"expert": 1.6}, Cause.ENERGY),
        ({"plan": 0.9}, Cause.NONE),
        ({"expert_imagined": 0.9}, Cause.SEARCH),
        ({}, Cause.PREDICTION),
    ],
)
def test_the_first_step_that_failed_is_named(changes, cause):
    assert replace(GOOD, **changes).cause is cause


def test_an_episode_fails_for_what_failed_most_often_and_observations_without_a_fault_do_not_count():
    assert most_frequent([Cause.NONE, Cause.NONE, Cause.ENERGY, Cause.SEARCH, Cause.ENERGY]) is Cause.ENERGY
    assert most_frequent([Cause.NONE]) is most_frequent([]) is Cause.NONE


def test_a_tally_has_a_row_for_every_cause():
    lines = tally([Cause.ENERGY, Cause.ENERGY, Cause.SEARCH]).splitlines()
    assert len(lines) == 2 + len(Cause)
    assert [line[-4:] for line in lines if line.startswith(("| energy", "| search", "| perception"))] == [
        " 0 |", " 2 |", " 1 |",
    ]  # fmt: skip


def test_an_examination_leaves_the_world_as_it_was(monkeypatch):
    examine, moved_m = Examiner._examine, []

    def watched(examiner, env, *rest):
        before = np.concatenate([env.world.tcp_pose()[0], env.world.object_pose()[0]])
        found = examine(examiner, env, *rest)
        after = np.concatenate([env.world.tcp_pose()[0], env.world.object_pose()[0]])
        moved_m.append(np.abs(after - before).max())
        return found

    monkeypatch.setattr(Examiner, "_examine", watched)
    policy = WorldModelPolicy(tiny_model(), tiny_planner(patience=0))
    found = Examiner(policy).episode(TrialSettings("push", 1), EVALUATION_SEED_START)
    assert len(found) == len(moved_m) == 8
    assert max(moved_m) < 1e-3
    assert all(
        np.isfinite(
            [observation.expert, observation.plan, observation.expert_imagined, observation.plan_imagined]
        ).all()
        for observation in found
    )


def test_what_the_judge_ended_is_examined_as_far_as_that(monkeypatch):
    """A world that is solved from the first step on: where the judge ends trials, that is the end."""
    monkeypatch.setattr("jepa_planner_sim.envs.achieved_now", lambda task, world, goal_m: True)
    monkeypatch.setattr("jepa_planner_sim.envs.PandaTaskEnv._far_from_solved", lambda env: True)
    observations = [
        len(Examiner(WorldModelPolicy(tiny_model(), tiny_planner(patience=0))).episode(settings, EVALUATION_SEED_START))
        for settings in (TrialSettings("reach", 1, stop_at_success=True), TrialSettings("reach", 1))
    ]
    assert observations == [1, 4]


def test_the_episodes_that_an_evaluation_lost_are_examined(tmp_path, capsys):
    model = tiny_model()
    save_bundle(tmp_path / "bundle", model.encoder, model.predictor, model.contract)
    tiny_planner().save(tmp_path / "bundle")
    file = tmp_path / "eval.json"
    evaluated = ["eval", "--task", "reach", "--episodes", "2", "--model", str(tmp_path / "bundle"), "--json", str(file)]
    assert main(evaluated) == 0
    lost = sum(not trial["success"] for trial in json.loads(file.read_text())["trials"])
    capsys.readouterr()
    gallery = tmp_path / "lost.png"
    assert study(["failures", str(file), "--gallery", str(gallery)]) == 0
    said = capsys.readouterr().out
    assert said.count("scene 10000") == lost > 0 and "| prediction |" in said
    assert gallery.is_file() and str(gallery) in said


@pytest.mark.parametrize(
    ("solved_at_end", "reason", "lost_by_it"),
    [(True, "STALLED", True), (False, "REACHED", True), (False, "STALLED", False), (True, "BUDGET_SPENT", True)],
)
def test_what_was_said_wrongly_is_a_fault_of_the_verdict(solved_at_end, reason, lost_by_it):
    assert is_of_verdict({"solved_at_end": solved_at_end, "reason": reason}) == lost_by_it


def test_where_nothing_was_lost_no_gallery_is_drawn_and_that_is_said(tmp_path, capsys):
    model = tiny_model()
    save_bundle(tmp_path / "bundle", model.encoder, model.predictor, model.contract)
    tiny_planner().save(tmp_path / "bundle")
    said = {
        "floor": "none", "task": "reach", "episodes": 1, "seed": 0, "goal_images": "dense", "vary": [],
        "strength": 1.0, "stop_at_success": False, "unreachable": "", "model": str(tmp_path / "bundle"),
        "imagine_sub_goals": "auto",
        "trials": [{"seed": 1_000_000, "success": True}],
    }  # fmt: skip
    (tmp_path / "eval.json").write_text(json.dumps(said))
    assert study(["failures", str(tmp_path / "eval.json"), "--gallery", str(tmp_path / "lost.png")]) == 0
    assert "no episode was lost" in capsys.readouterr().out and not (tmp_path / "lost.png").exists()


def test_an_evaluation_of_a_baseline_is_refused(tmp_path, capsys):
    (tmp_path / "floor.json").write_text(json.dumps({"floor": "noop"}))
    assert study(["failures", str(tmp_path / "floor.json")]) == 2
    assert "is of no model" in capsys.readouterr().err
