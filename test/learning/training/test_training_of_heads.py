"""What a training run learns from work in its data: sub-goals and the verdict."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from added_heads import acting
from short_training import SHORT, SOME, run, small_and_quick  # noqa: F401, a fixture
from tiny_training import episodes

from jepa_planner.learning.data.episodes import EpisodeError, write_shard
from jepa_planner.learning.training import training_run
from jepa_planner.learning.training.recipe import Recipe
from jepa_planner.model.bundle import load_sub_goal_head
from jepa_planner.model.world_model import WorldModel


def test_demonstrations_teach_the_bundle_to_imagine_sub_goals(tmp_path, capsys):
    write_shard(tmp_path / "demonstrations" / "episodes-000000.h5", episodes(count=4, steps=6, seed=1))
    settings, paths = replace(SHORT, sub_goal_iterations=3), [tmp_path / name for name in ("data", "bundle", "run")]
    plain = run(tmp_path)
    report = training_run.run(*paths, settings, [tmp_path / "demonstrations"])
    assert report == json.loads((tmp_path / "run" / "report.json").read_text())
    assert report.keys() - plain.keys() == {"sub_goals", "verdict"} and report["sub_goals"]["demonstrations"] == 4
    assert report["verdict"] is None and "will not say that the work is done" in capsys.readouterr().err
    spec = WorldModel.load(tmp_path / "bundle").contract.sub_goals
    assert (spec.training.command, spec.training.seeds) == ("jepa-planner train tiny", (3,))
    assert spec.training.steps == {"sub_goals": 3}
    assert load_sub_goal_head(tmp_path / "bundle") is not None


def test_data_that_show_work_teach_sub_goals_and_verdict_too_unless_they_were_collected_to_explore(tmp_path):
    work = acting(episodes(count=8, steps=10))
    settings = replace(SHORT, sub_goal_iterations=3, verdict_iterations=3, trust_data=True)
    report = run(tmp_path / "shown", work, settings=settings)
    assert report["sub_goals"]["demonstrations"] == report["verdict"]["demonstrations"] == 8
    contract = WorldModel.load(tmp_path / "shown" / "bundle").contract
    assert contract.sub_goals is not None and contract.verdict is not None
    paths = [tmp_path / "explored" / name for name in ("data", "bundle", "run")]
    write_shard(paths[0] / "episodes-000000.h5", work, mix="exploration")
    assert "sub_goals" not in training_run.run(*paths, settings)


def test_work_teaches_keypoints_beginning_with_those_of_the_first_model_unless_they_are_not_wanted(tmp_path):
    settings = replace(SHORT, sub_goal_iterations=2, verdict_iterations=2, trust_data=True)
    work, first = acting(episodes(count=8, steps=10)), tmp_path / "first" / "bundle"
    run(tmp_path / "first", work, settings=settings)
    for name, chosen in (("second", replace(settings, init=first)), ("without", replace(settings, keypoints=False))):
        run(tmp_path / name, work, settings=chosen)
    heads = [load_sub_goal_head(tmp_path / name / "bundle") for name in ("first", "second", "without")]
    assert heads[2].config.scene is None
    given, taken = (head.scene.eyes[0].where.weight for head in heads[:2])
    assert (given - taken).abs().max() < 0.01, "two iterations change little"


def test_an_encoder_that_begins_with_another_goes_on_for_a_shorter_time():
    assert Recipe().first_stage_iterations == 2200 and Recipe(init=Path("some")).first_stage_iterations == 700
    assert Recipe(init=Path("some"), encoder_iterations=9).first_stage_iterations == 9


def test_keypoints_without_any_work_to_learn_them_from_are_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(EpisodeError, match=r"none of these show that.*leave out --keypoints"):
        run(tmp_path, settings=replace(SHORT, keypoints=True))
    assert not (tmp_path / "run").exists()


def test_demonstrations_that_are_not_there_are_missed_at_once_and_not_after_hours(tmp_path):
    write_shard(tmp_path / "data" / "episodes-000000.h5", SOME)
    paths = [tmp_path / name for name in ("data", "bundle", "run")]
    with pytest.raises(EpisodeError, match=r"no episodes-\*\.h5 in .*nowhere"):
        training_run.run(*paths, SHORT, [tmp_path / "data", tmp_path / "nowhere"])
    assert not (tmp_path / "run").exists()
