"""A bundle and a few small episodes in, a bundle that tells when the work is done out."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_planner import small_planner
from tiny_training import encoder, episodes, predictor

from jepa_planner.learning.data.episodes import Episodes, write_shard
from jepa_planner.learning.training import add_verdict as stage
from jepa_planner.learning.training import verdict_calibration
from jepa_planner.learning.training.add_sub_goals import SubGoalRun, add_sub_goals
from jepa_planner.learning.training.add_verdict import VerdictRun, add_verdict, in_words
from jepa_planner.learning.training.recipe import Recipe, contract
from jepa_planner.learning.training.run_folder import RunFolderError
from jepa_planner.model.bundle import (
    load_bundle,
    load_contract,
    load_sub_goal_head,
    load_verdict_head,
    save_bundle,
)
from jepa_planner.model.bundle_files import sha256
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings

pytestmark = pytest.mark.usefixtures("few_draws")

SHORT = VerdictRun(seed=2, iterations=3, command="jepa-planner train --verdict-only")
SEEING = replace(SHORT, seeing=True)
HEAD = "verdict.safetensors"


@pytest.fixture
def few_draws(monkeypatch) -> None:
    monkeypatch.setattr(verdict_calibration, "DRAWS", 300)


def acting(some: Episodes) -> Episodes:
    """The same pictures, of a hand that takes something in each episode and lets it go again."""
    states = some.states.copy()
    states[..., 2], states[..., 6:] = 0.02, 0.0
    states[:, 3:7, 6], states[:, 3:7, 7] = 1.0, 0.5
    states[:, :, 0] = 0.4 + 0.02 * np.clip(np.arange(states.shape[1]) - 3, 0, 3)
    return replace(some, states=states)


SOME = acting(episodes(count=6, steps=10))


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "first"
    made = contract(encoder(), predictor(), SOME, Recipe())
    small_planner().save(folder)
    save_bundle(folder, encoder(), predictor(), made, torch.float16)
    return folder


def planner_of(bundle: Path) -> PlannerSettings:
    return PlannerSettings.load(bundle, load_contract(bundle))


def learn(
    folder: Path, init: Path, settings: VerdictRun = SHORT, some: Episodes = SOME, bundle: str = "bundle"
) -> dict[str, object]:
    write_shard(folder / "demonstrations" / "episodes-000000.h5", some)
    return add_verdict([folder / "demonstrations"], init, folder / bundle, folder / "run", settings)


def test_encoder_and_predictor_stay_and_a_head_comes_that_fits_them(tmp_path, first):
    learn(tmp_path, first)
    for name in ("encoder.safetensors", "predictor.safetensors"):
        assert sha256(first / name) == sha256(tmp_path / "bundle" / name)
    load_bundle(tmp_path / "bundle")
    head = load_verdict_head(tmp_path / "bundle")
    opinion = head(torch.zeros(1, 4, 3), torch.zeros(1, 8), torch.zeros(1, 4, 3))
    assert opinion.logits.shape == (1, 12) and opinion.goal_states.shape == (1, 8)
    assert head.state_std.min() >= 0.02
    assert load_verdict_head(first) is None


def test_the_contract_says_what_the_head_learned_from_and_how_sure_it_must_be(tmp_path, first):
    report = learn(tmp_path, first)
    old, new = load_contract(first), load_contract(tmp_path / "bundle")
    assert new.verdict.training.data == "6 episodes of 10 steps, seeds 0 to 5"
    assert new.verdict.training.command == SHORT.command
    assert (new.verdict.training.seeds, new.verdict.training.steps) == ((2,), {"verdict": 3})
    assert planner_of(tmp_path / "bundle").verdict.certainty == report["certainty"] >= 0.5
    assert replace(new, verdict=None, files=old.files) == old


def test_an_older_head_is_replaced_and_the_rest_of_its_rule_and_the_sub_goals_stay(tmp_path, first):
    learn(tmp_path, first)
    bundle = tmp_path / "bundle"
    add_sub_goals([tmp_path / "demonstrations"], bundle, bundle, tmp_path / "sub_goals", SubGoalRun(iterations=2))
    old = planner_of(bundle)
    rule = replace(old.verdict, clear_m=0.07, certainty=0.999, kept_certainty=0.998)
    replace(old, verdict=rule).save(bundle)
    before = sha256(bundle / HEAD), sha256(bundle / "sub_goals.safetensors")
    add_verdict([tmp_path / "demonstrations"], bundle, bundle, tmp_path / "other", replace(SHORT, seed=3))
    rule = planner_of(bundle).verdict
    assert planner_of(bundle).sub_goals == old.sub_goals
    assert rule.clear_m == 0.07 and rule.kept_certainty <= rule.certainty < 0.998
    assert sha256(bundle / HEAD) != before[0] and sha256(bundle / "sub_goals.safetensors") == before[1]


def test_the_report_tells_how_often_held_out_pairs_are_called_done(tmp_path, first):
    report = learn(tmp_path, first)
    assert json.loads((tmp_path / "run" / "report.json").read_text()) == report
    assert (report["demonstrations"], report["calibrated_on"], report["held_out"]) == (6, 1, 1)
    assert set(report["called_done"]) == {"within", "between", "beyond"}
    assert sum(row["pairs"] for row in report["said_and_met"]) == report["pairs"] > 100
    words = in_words(report)
    assert "6 demonstrations; in 1 held-out" in words and "done is said from a chance of" in words


def out_of_reach(folder: Path, seed: int = 0) -> Path:
    away = folder / "out_of_reach"
    write_shard(away / "episodes-000000.h5", episodes(count=6, steps=4, seed=seed))
    return away


def test_from_episodes_with_a_thing_out_of_reach_it_learns_from_when_on_to_say_so(tmp_path, first):
    report = learn(tmp_path, first, replace(SHORT, out_of_reach=(out_of_reach(tmp_path),)))
    spec = load_contract(tmp_path / "bundle").verdict
    assert 0.5 <= planner_of(tmp_path / "bundle").verdict.unreachable <= 0.99
    assert spec.training.data.endswith("seeds 0 to 5; out of reach: 6 episodes of 4 steps, seeds 0 to 5")
    assert report["called_unreachable"] is not None and report["refused"] <= 0.1
    assert "of what is not the same or out of reach is called so" in in_words(report)
    add_verdict([tmp_path / "demonstrations"], tmp_path / "bundle", tmp_path / "bundle", tmp_path / "other", SHORT)
    assert planner_of(tmp_path / "bundle").verdict.unreachable is None, "this head has not learned it"


def test_things_out_of_reach_in_scenes_that_no_demonstration_shows_are_refused(tmp_path, first):
    with pytest.raises(ValueError, match=r"none of the scenes in .*out_of_reach is shown by a demonstration"):
        learn(tmp_path, first, replace(SHORT, out_of_reach=(out_of_reach(tmp_path, seed=7),)))


def test_a_run_goes_on_only_with_the_same_things_out_of_reach(tmp_path, first):
    learn(tmp_path, first)
    with pytest.raises(RunFolderError, match="of a run with other out_of_reach: use another --run"):
        learn(tmp_path, first, replace(SHORT, out_of_reach=(out_of_reach(tmp_path),)))


def test_a_head_may_be_gone_on_with_and_stays_as_it_was_where_nothing_is_learned(tmp_path, first, monkeypatch):
    with pytest.raises(ValueError, match="has no head of this kind to go on with"):
        learn(tmp_path / "none", first, replace(SHORT, go_on=True))
    learn(tmp_path, first)
    monkeypatch.setattr(stage, "train_verdict_head", lambda *_: None)
    learn(tmp_path / "more", tmp_path / "bundle", replace(SHORT, go_on=True))
    old, new = (load_verdict_head(folder / "bundle").state_dict() for folder in (tmp_path, tmp_path / "more"))
    assert all(torch.equal(old[name], new[name]) for name in old if name != "temperature")


def test_the_same_run_gives_the_same_head_and_another_seed_another(tmp_path, first):
    hashes = []
    for name, settings in (("one", SHORT), ("same", SHORT), ("other", replace(SHORT, seed=3))):
        learn(tmp_path / name, first, settings)
        hashes.append(sha256(tmp_path / name / "bundle" / HEAD))
    assert hashes[0] == hashes[1] != hashes[2]


def test_object_poses_and_labels_are_not_looked_at(tmp_path, first):
    learn(tmp_path / "plain", first)
    blind = replace(SOME, object_pose=np.zeros_like(SOME.object_pose), behaviour=("",) * len(SOME))
    learn(tmp_path / "blind", first, some=blind)
    assert len({sha256(tmp_path / name / "bundle" / HEAD) for name in ("plain", "blind")}) == 1


def test_a_run_cut_short_encodes_and_trains_nothing_twice(tmp_path, first, monkeypatch):
    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(stage, "add_verdict_head", power_cut)
        learn(tmp_path, first)
    assert not (tmp_path / "bundle").exists()
    log = (tmp_path / "run" / "verdict.jsonl").read_text()
    with monkeypatch.context() as patch:
        patch.setattr("jepa_planner.model.world_model.WorldModel.encode", power_cut)
        learn(tmp_path, first)
    assert (tmp_path / "run" / "verdict.jsonl").read_text() == log
    assert load_verdict_head(tmp_path / "bundle") is not None


@pytest.mark.parametrize(
    ("change", "named"),
    [({"seed": 9}, "seed"), ({"iterations": 9}, "iterations"), ({"episodes": 5}, "data"), ({"seeing": True}, "seeing")],
)
def test_a_run_folder_of_another_run_is_refused_by_what_differs(change, named, tmp_path, first):
    learn(tmp_path, first)
    with pytest.raises(RunFolderError, match=f"of a run with other {named}: use another --run"):
        learn(tmp_path, first, replace(SHORT, **change))


def test_demonstrations_in_which_nothing_is_moved_are_refused(tmp_path, first):
    still = replace(SOME, states=SOME.states[:, :1].repeat(SOME.states.shape[1], 1))
    with pytest.raises(ValueError, match="in none of 5 demonstrations does the hand move anything"):
        learn(tmp_path, first, some=still)
    assert not (tmp_path / "bundle").exists()


def test_a_head_that_sees_is_given_the_pictures_and_learns_from_them(tmp_path, first):
    hashes = []
    for name, some in (("one", SOME), ("dark", replace(SOME, images=SOME.images // 2))):
        learn(tmp_path / name, first, SEEING, some)
        hashes.append(sha256(tmp_path / name / "bundle" / HEAD))
    assert hashes[0] != hashes[1]
    bundle = tmp_path / "one" / "bundle"
    model, head = WorldModel.load(bundle), load_verdict_head(bundle)
    seen = model.observe(SOME.images[0, :2])
    assert head(seen[:1].with_state(torch.zeros(1, 8)), seen[1:]).logits.shape == (1, 12)


@pytest.mark.parametrize("of_another_bundle", [False, True])
def test_a_head_that_sees_begins_with_the_eyes_that_imagine_sub_goals(of_another_bundle, tmp_path, first, monkeypatch):
    write_shard(tmp_path / "demonstrations" / "episodes-000000.h5", SOME)
    with_eyes = tmp_path / "with_eyes"
    add_sub_goals(
        [tmp_path / "demonstrations"], first, with_eyes, tmp_path / "sub_goals", SubGoalRun(iterations=2, seeing=True)
    )
    monkeypatch.setattr(stage, "train_verdict_head", lambda *_: None)
    if of_another_bundle:
        learn(tmp_path, first, replace(SEEING, eyes_of=with_eyes))
    else:
        learn(tmp_path, with_eyes, SEEING)
    eyes, same = load_verdict_head(tmp_path / "bundle").scene, load_sub_goal_head(with_eyes).scene
    for name, weights in same.state_dict().items():
        torch.testing.assert_close(eyes.state_dict()[name].float(), weights.float(), atol=1e-3, rtol=1e-3)
