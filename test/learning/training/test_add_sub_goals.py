"""A bundle and a few small episodes in, a bundle with a head out."""

import shutil
from dataclasses import replace

import pytest
import torch
from added_heads import SOME, SUB_GOALS, acting
from tiny_training import episodes

from jepa_planner.core.observation import Observation
from jepa_planner.learning.data.episodes import write_shard
from jepa_planner.learning.training.add_sub_goals import KEYPOINT_PLANNING, add_sub_goals, in_words
from jepa_planner.learning.training.fine_tuning import FineTuning, fine_tune
from jepa_planner.model.bundle import (
    load_bundle,
    load_contract,
    load_sub_goal_head,
)
from jepa_planner.model.bundle_files import sha256
from jepa_planner.model.contract import ContractError
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings

SHORT, learn = SUB_GOALS.short, SUB_GOALS.learn


def test_the_head_fits_encoder_and_predictor(tmp_path, headless):
    learn(tmp_path, headless, some=SOME)
    head = load_sub_goal_head(tmp_path / "bundle")
    guesses = head(Observation(torch.zeros(1, 4, 3), state=torch.zeros(1, 8)), Observation(torch.zeros(1, 4, 3)))
    assert guesses.latents.shape == (1, 4, 4, 3) and guesses.latents.isfinite().all()
    torch.testing.assert_close(head.state_mean, torch.from_numpy(SOME.states[:5].mean((0, 1))), rtol=1e-2, atol=1e-2)


def test_what_was_written_beside_the_planner_s_values_stays_and_what_changes_is_told(tmp_path, headless):
    copy = shutil.copytree(headless, tmp_path / "commented")
    text = "# of the kitchen\n" + (copy / "planner.yaml").read_text()
    (copy / "planner.yaml").write_text(text)
    report = learn(tmp_path, copy)
    written = (tmp_path / "bundle" / "planner.yaml").read_text()
    assert report["planner"] == ["sub_goals: null, now a section"]
    assert "planner.yaml: sub_goals: null, now a section" in in_words(report)
    head, tail = text.split("sub_goals: null")
    assert written.startswith(head + "sub_goals:") and written.endswith(tail)


def test_a_bundle_is_added_to_where_it_stands_and_keeps_how_sub_goals_are_pursued(tmp_path, headless):
    learn(tmp_path, headless)
    bundle = tmp_path / "bundle"
    planner_settings = PlannerSettings.load(bundle, load_contract(bundle))
    sub_goal_settings = replace(planner_settings.sub_goals, max_observations=4)
    replace(planner_settings, sub_goals=sub_goal_settings).save(bundle)
    before = sha256(bundle / "sub_goals.safetensors")
    add_sub_goals([tmp_path / "demonstrations"], bundle, bundle, tmp_path / "other", replace(SHORT, seed=3))
    assert PlannerSettings.load(bundle, load_contract(bundle)).sub_goals == sub_goal_settings
    assert sha256(bundle / "sub_goals.safetensors") != before


def test_several_folders_are_learned_from_and_named_by_their_seeds(tmp_path, headless):
    for number, folder in enumerate(("one", "two")):
        write_shard(tmp_path / folder / "episodes-000000.h5", episodes(count=3, steps=10, seed=number))
    report = add_sub_goals([tmp_path / "one", tmp_path / "two"], headless, tmp_path / "bundle", tmp_path / "run", SHORT)
    assert report["demonstrations"] == 6
    says = "6 episodes of 10 steps, seeds 0 to 2 and 100 to 102"
    assert load_contract(tmp_path / "bundle").sub_goals.training.data == says


def test_the_report_tells_how_held_out_keyframes_are_foreseen(tmp_path, headless):
    report = learn(tmp_path, headless)
    assert 0 < report["keyframes_per_episode"] <= 11
    assert 0 < report["foresight"]["best"] <= report["foresight"]["most_probable"]
    words = in_words(report)
    assert "6 demonstrations" in words and "1 held-out" in words
    assert f"{report['foresight']['copy']:.4f}" in words


@pytest.mark.parametrize(
    ("some", "says"),
    [
        (replace(SOME, views=("front", "top")), "'side' is needed; the cameras given are front, top"),
        (replace(SOME, images=SOME.images[..., :16, :16, :]), "this model needs at least 32 x 32"),
    ],
    ids=["views", "size"],
)
def test_demonstrations_that_the_model_cannot_see_are_refused_by_name(some, says, tmp_path, headless):
    with pytest.raises(ContractError, match=says):
        learn(tmp_path, headless, some=some)
    assert not (tmp_path / "bundle").exists()


def test_a_head_stays_with_its_encoder_when_the_predictor_goes_on_learning(tmp_path, headless):
    learn(tmp_path, headless)
    write_shard(tmp_path / "data" / "episodes-000000.h5", SOME)
    fine_tune(
        tmp_path / "data",
        tmp_path / "bundle",
        tmp_path / "tuned",
        tmp_path / "tuning",
        FineTuning(iterations=2, batch=2),
    )
    assert load_contract(tmp_path / "tuned").sub_goals == load_contract(tmp_path / "bundle").sub_goals
    same = {sha256(tmp_path / name / "sub_goals.safetensors") for name in ("bundle", "tuned")}
    assert len(same) == 1
    load_bundle(tmp_path / "tuned")


SEEING = replace(SHORT, keypoints=True)


def test_a_head_with_keypoints_is_given_the_pictures(tmp_path, headless):
    report = learn(tmp_path, headless, SEEING, acting())
    bundle = tmp_path / "bundle"
    model, head = WorldModel.load(bundle), load_sub_goal_head(bundle)
    seen = model.observe(SOME.images[0, :2])
    assert seen.latent.shape == (2, 4, 3) and seen.images.shape == (2, 2, 3, 32, 32)
    assert torch.equal(seen.latent, model.encode(SOME.images[0, :2]))
    guesses = head(seen[:1].with_state(torch.zeros(1, 8)), seen[1:])
    assert guesses.latents.shape == (1, 4, 4, 3) and guesses.latents.isfinite().all()
    assert report["foresight"]["best"] > 0
    assert WorldModel.load(headless).observe(SOME.images[0, :1]).images is None, "one that does not see has none"


def test_a_head_with_keypoints_learns_from_the_pictures_and_the_same_again_from_the_same(tmp_path, headless):
    hashes = []
    dark = replace(SOME, images=SOME.images // 2)
    for name, some in (("one", SOME), ("same", SOME), ("dark", dark)):
        learn(tmp_path / name, headless, SEEING, acting(some))
        hashes.append(sha256(tmp_path / name / "bundle" / "sub_goals.safetensors"))
    assert hashes[0] == hashes[1] != hashes[2]


def test_demonstrations_in_which_no_hand_acts_teach_no_head_its_keypoints(tmp_path, headless):
    still = replace(SOME, states=SOME.states[:, :1].repeat(SOME.states.shape[1], 1))
    with pytest.raises(ValueError, match="in none of 5 demonstrations does the hand take and let go or push"):
        learn(tmp_path, headless, SEEING, still)


def test_a_head_may_begin_with_the_keypoints_of_another_bundle(tmp_path, headless):
    learn(tmp_path / "eyes", headless, SEEING, acting())
    for name, settings in (("own", SEEING), ("taken", replace(SEEING, keypoints_of=tmp_path / "eyes" / "bundle"))):
        learn(tmp_path / name, headless, replace(settings, iterations=1, seed=7), acting())
    given, own, taken = (load_sub_goal_head(tmp_path / name / "bundle") for name in ("eyes", "own", "taken"))
    off = [(head.scene.eyes[0].where.weight - given.scene.eyes[0].where.weight).abs().max() for head in (own, taken)]
    assert off[1] < 0.01 < off[0]


def test_what_a_head_with_keypoints_imagines_is_pursued_with_the_arm_too_and_a_user_s_way_stays(tmp_path, headless):
    bundles = [headless, *(tmp_path / name / "bundle" for name in ("latents", "keypoints", "again"))]

    def planned(bundle):
        return PlannerSettings.load(bundle, load_contract(bundle))

    learn(tmp_path / "latents", bundles[0], SHORT, acting())
    assert planned(bundles[1]).sub_goals.arm_weight == 0.0
    learn(tmp_path / "keypoints", bundles[1], SEEING, acting())
    found = planned(bundles[2])
    assert found.sub_goals == replace(KEYPOINT_PLANNING, steps=found.sub_goals.steps)
    own = replace(found.sub_goals, arm_weight=70.0)
    replace(found, sub_goals=own).save(bundles[2])
    learn(tmp_path / "again", bundles[2], SEEING, acting())
    assert planned(bundles[3]).sub_goals == own


@pytest.mark.parametrize("blind", [False, True], ids=["no head", "a head that does not see"])
def test_keypoints_that_are_not_there_are_refused(tmp_path, headless, blind):
    if blind:
        learn(tmp_path / "blind", headless, SHORT, acting())
    bundle = tmp_path / "blind" / "bundle" if blind else headless
    with pytest.raises(ValueError, match="has no head with keypoints of the same sizes: leave out --keypoints-of"):
        learn(tmp_path, headless, replace(SEEING, keypoints_of=bundle), acting())
