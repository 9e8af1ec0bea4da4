"""A bundle and a few small episodes in, a bundle that tells when the work is done out."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from added_heads import ACTING as SOME
from added_heads import VERDICT
from tiny_training import episodes

from jepa_planner.core.observation import Observation
from jepa_planner.core.yaml_text import read_yaml
from jepa_planner.learning.data.episodes import write_shard
from jepa_planner.learning.training import add_verdict as stage
from jepa_planner.learning.training.add_sub_goals import SubGoalRun, add_sub_goals
from jepa_planner.learning.training.add_verdict import add_verdict, in_words
from jepa_planner.learning.training.run_folder import RunFolderError
from jepa_planner.model.bundle import (
    load_contract,
    load_sub_goal_head,
    load_verdict_head,
)
from jepa_planner.model.bundle_files import sha256
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings

pytestmark = pytest.mark.usefixtures("few_draws")

SHORT, learn = VERDICT.short, VERDICT.learn
SEEING = replace(SHORT, keypoints=True)
HEAD = "verdict.safetensors"


def planner_of(bundle: Path) -> PlannerSettings:
    return PlannerSettings.load(bundle, load_contract(bundle))


def test_the_head_fits_encoder_and_predictor(tmp_path, headless):
    learn(tmp_path, headless)
    head = load_verdict_head(tmp_path / "bundle")
    opinion = head(Observation(torch.zeros(1, 4, 3), state=torch.zeros(1, 8)), Observation(torch.zeros(1, 4, 3)))
    assert opinion.logits.shape == (1, 12) and opinion.goal_states.shape == (1, 8)
    assert head.state_std.min() >= 0.02


def test_the_planner_says_how_sure_the_head_must_be(tmp_path, headless):
    report = learn(tmp_path, headless)
    assert planner_of(tmp_path / "bundle").verdict.certainty == report["certainty"] >= 0.5


def test_an_older_head_is_replaced_and_the_rest_of_its_rule_and_the_sub_goals_stay(tmp_path, headless):
    learn(tmp_path, headless)
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


def test_the_report_tells_how_often_held_out_pairs_are_called_done(tmp_path, headless):
    report = learn(tmp_path, headless)
    assert (report["demonstrations"], report["calibrated_on"], report["held_out"]) == (6, 1, 1)
    assert set(report["called_done"]) == {"within", "between", "beyond"}
    assert sum(row["pairs"] for row in report["said_and_met"]) == report["pairs"] > 100
    words = in_words(report)
    assert "6 demonstrations; in 1 held-out" in words and "done is said from a chance of" in words


def out_of_reach(folder: Path, seed: int = 0) -> Path:
    away = folder / "out_of_reach"
    write_shard(away / "episodes-000000.h5", episodes(count=6, steps=4, seed=seed))
    return away


def test_from_episodes_with_a_thing_out_of_reach_it_learns_from_when_on_to_say_so(tmp_path, headless):
    report = learn(tmp_path, headless, replace(SHORT, out_of_reach=(out_of_reach(tmp_path),)))
    spec = load_contract(tmp_path / "bundle").verdict
    assert 0.5 <= planner_of(tmp_path / "bundle").verdict.unreachable <= 0.99
    assert spec.training.data.endswith("seeds 0 to 5; out of reach: 6 episodes of 4 steps, seeds 0 to 5")
    assert report["called_unreachable"] is not None and report["refused"] <= 0.1
    (run,) = read_yaml((tmp_path / "bundle" / "manifest.yaml").read_text())["runs"]
    assert run["settings"]["out_of_reach"] == [str(tmp_path / "out_of_reach")]
    assert [run["episodes"][kind][0]["steps"] for kind in ("demonstrations", "out_of_reach")] == [10, 4]
    assert "of what is not the same or out of reach is called so" in in_words(report)
    add_verdict([tmp_path / "demonstrations"], tmp_path / "bundle", tmp_path / "bundle", tmp_path / "other", SHORT)
    assert planner_of(tmp_path / "bundle").verdict.unreachable is None, "this head has not learned it"


def test_things_out_of_reach_in_scenes_that_no_demonstration_shows_are_refused(tmp_path, headless):
    with pytest.raises(ValueError, match=r"none of the scenes in .*out_of_reach is shown by a demonstration"):
        learn(tmp_path, headless, replace(SHORT, out_of_reach=(out_of_reach(tmp_path, seed=7),)))


def test_a_run_goes_on_only_with_the_same_things_out_of_reach(tmp_path, headless):
    learn(tmp_path, headless)
    with pytest.raises(RunFolderError, match="of a run with other out_of_reach: use another --run"):
        learn(tmp_path, headless, replace(SHORT, out_of_reach=(out_of_reach(tmp_path),)))


def test_a_head_may_be_gone_on_with_and_stays_as_it_was_where_nothing_is_learned(tmp_path, headless, monkeypatch):
    with pytest.raises(ValueError, match="has no head of this kind to go on with"):
        learn(tmp_path / "none", headless, replace(SHORT, go_on=True))
    learn(tmp_path, headless)
    monkeypatch.setattr(stage, "train_verdict_head", lambda *_: None)
    learn(tmp_path / "more", tmp_path / "bundle", replace(SHORT, go_on=True))
    old, new = (load_verdict_head(folder / "bundle").state_dict() for folder in (tmp_path, tmp_path / "more"))
    assert all(torch.equal(old[name], new[name]) for name in old if name != "temperature")


def test_demonstrations_in_which_nothing_is_moved_are_refused(tmp_path, headless):
    still = replace(SOME, states=SOME.states[:, :1].repeat(SOME.states.shape[1], 1))
    with pytest.raises(ValueError, match="in none of 5 demonstrations does the hand move anything"):
        learn(tmp_path, headless, some=still)
    assert not (tmp_path / "bundle").exists()


def test_a_head_with_keypoints_is_given_the_pictures_and_learns_from_them(tmp_path, headless):
    hashes = []
    for name, some in (("one", SOME), ("dark", replace(SOME, images=SOME.images // 2))):
        learn(tmp_path / name, headless, SEEING, some)
        hashes.append(sha256(tmp_path / name / "bundle" / HEAD))
    assert hashes[0] != hashes[1]
    bundle = tmp_path / "one" / "bundle"
    model, head = WorldModel.load(bundle), load_verdict_head(bundle)
    seen = model.observe(SOME.images[0, :2])
    assert head(seen[:1].with_state(torch.zeros(1, 8)), seen[1:]).logits.shape == (1, 12)


@pytest.mark.parametrize("of_another_bundle", [False, True])
def test_a_head_with_keypoints_begins_with_the_keypoints_that_imagine_sub_goals(
    of_another_bundle, tmp_path, headless, monkeypatch
):
    write_shard(tmp_path / "demonstrations" / "episodes-000000.h5", SOME)
    with_keypoints = tmp_path / "with_keypoints"
    add_sub_goals(
        [tmp_path / "demonstrations"],
        headless,
        with_keypoints,
        tmp_path / "sub_goals",
        SubGoalRun(iterations=2, keypoints=True),
    )
    monkeypatch.setattr(stage, "train_verdict_head", lambda *_: None)
    if of_another_bundle:
        learn(tmp_path, headless, replace(SEEING, keypoints_of=with_keypoints))
    else:
        learn(tmp_path, with_keypoints, SEEING)
    eyes, same = load_verdict_head(tmp_path / "bundle").scene, load_sub_goal_head(with_keypoints).scene
    for name, weights in same.state_dict().items():
        torch.testing.assert_close(eyes.state_dict()[name].float(), weights.float(), atol=1e-3, rtol=1e-3)
