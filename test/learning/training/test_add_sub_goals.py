"""A bundle and a few small episodes in, a bundle with a head out."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_planner import small_planner
from tiny_training import encoder, episodes, predictor

from jepa_planner.learning.data.episodes import Episodes, write_shard
from jepa_planner.learning.training import add_sub_goals as stage
from jepa_planner.learning.training.add_sub_goals import SubGoalRun, add_sub_goals, in_words
from jepa_planner.learning.training.fine_tuning import FineTuning, fine_tune
from jepa_planner.learning.training.recipe import Recipe, contract
from jepa_planner.learning.training.run_folder import RunFolderError
from jepa_planner.model.bundle import (
    load_bundle,
    load_contract,
    load_sub_goal_head,
    save_bundle,
)
from jepa_planner.model.bundle_files import sha256
from jepa_planner.model.contract import ContractError
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings

SOME = episodes(count=6, steps=10)
SHORT = SubGoalRun(seed=2, iterations=5, command="jepa-planner train --sub-goals-only")


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "first"
    made = contract(encoder(), predictor(), SOME, Recipe())
    small_planner().save(folder)
    save_bundle(folder, encoder(), predictor(), made, torch.float16)
    return folder


def learn(
    folder: Path, init: Path, settings: SubGoalRun = SHORT, some: Episodes = SOME, bundle: str = "bundle"
) -> dict[str, object]:
    write_shard(folder / "demonstrations" / "episodes-000000.h5", some)
    return add_sub_goals([folder / "demonstrations"], init, folder / bundle, folder / "run", settings)


def test_encoder_and_predictor_stay_and_a_head_comes_that_fits_them(tmp_path, first):
    learn(tmp_path, first)
    for name in ("encoder.safetensors", "predictor.safetensors"):
        assert sha256(first / name) == sha256(tmp_path / "bundle" / name)
    load_bundle(tmp_path / "bundle")
    head = load_sub_goal_head(tmp_path / "bundle")
    guesses = head(torch.zeros(1, 4, 3), torch.zeros(1, 8), torch.zeros(1, 4, 3))
    assert guesses.latents.shape == (1, 4, 4, 3) and guesses.latents.isfinite().all()
    torch.testing.assert_close(head.state_mean, torch.from_numpy(SOME.states[:5].mean((0, 1))), rtol=1e-2, atol=1e-2)
    assert load_sub_goal_head(first) is None


def test_the_contract_says_what_the_head_learned_from(tmp_path, first):
    learn(tmp_path, first)
    old, new = load_contract(first), load_contract(tmp_path / "bundle")
    assert new.sub_goals.training.data == "6 episodes of 10 steps, seeds 0 to 5"
    assert new.sub_goals.training.command == SHORT.command
    assert (new.sub_goals.training.seeds, new.sub_goals.training.steps) == ((2,), {"sub_goals": 5})
    assert replace(new, sub_goals=None, files=old.files) == old


def test_what_was_written_beside_the_planner_s_values_stays_and_what_changes_is_told(tmp_path, first):
    copy = shutil.copytree(first, tmp_path / "commented")
    text = "# of the kitchen\n" + (copy / "planner.yaml").read_text()
    (copy / "planner.yaml").write_text(text)
    report = learn(tmp_path, copy)
    written = (tmp_path / "bundle" / "planner.yaml").read_text()
    assert report["planner"] == ["sub_goals: null, now a section"]
    assert "planner.yaml: sub_goals: null, now a section" in in_words(report)
    head, tail = text.split("sub_goals: null")
    assert written.startswith(head + "sub_goals:") and written.endswith(tail)


def test_a_bundle_is_added_to_where_it_stands_and_keeps_how_sub_goals_are_pursued(tmp_path, first):
    learn(tmp_path, first)
    bundle = tmp_path / "bundle"
    planner_settings = PlannerSettings.load(bundle, load_contract(bundle))
    pursuit = replace(planner_settings.sub_goals, max_looks=4)
    replace(planner_settings, sub_goals=pursuit).save(bundle)
    before = sha256(bundle / "sub_goals.safetensors")
    add_sub_goals([tmp_path / "demonstrations"], bundle, bundle, tmp_path / "other", replace(SHORT, seed=3))
    assert PlannerSettings.load(bundle, load_contract(bundle)).sub_goals == pursuit
    assert sha256(bundle / "sub_goals.safetensors") != before


def test_several_folders_are_learned_from_and_named_by_their_seeds(tmp_path, first):
    for number, folder in enumerate(("one", "two")):
        write_shard(tmp_path / folder / "episodes-000000.h5", episodes(count=3, steps=10, seed=number))
    report = add_sub_goals([tmp_path / "one", tmp_path / "two"], first, tmp_path / "bundle", tmp_path / "run", SHORT)
    assert report["demonstrations"] == 6
    says = "6 episodes of 10 steps, seeds 0 to 2 and 100 to 102"
    assert load_contract(tmp_path / "bundle").sub_goals.training.data == says


def test_the_report_tells_how_held_out_moments_are_foreseen(tmp_path, first):
    report = learn(tmp_path, first)
    assert json.loads((tmp_path / "run" / "report.json").read_text()) == report
    assert (report["demonstrations"], report["held_out"]) == (6, 1)
    assert 0 < report["moments_per_episode"] <= 11
    assert 0 < report["foresight"]["best"] <= report["foresight"]["most_probable"]
    words = in_words(report)
    assert "6 demonstrations" in words and "1 held-out" in words
    assert f"{report['foresight']['copy']:.4f}" in words


def test_the_same_run_gives_the_same_head_and_another_seed_another(tmp_path, first):
    hashes = []
    for name, settings in (("one", SHORT), ("same", SHORT), ("other", replace(SHORT, seed=3))):
        learn(tmp_path / name, first, settings)
        hashes.append(sha256(tmp_path / name / "bundle" / "sub_goals.safetensors"))
    assert hashes[0] == hashes[1] != hashes[2]


def test_object_poses_and_labels_are_not_looked_at(tmp_path, first):
    learn(tmp_path / "plain", first)
    blind = replace(SOME, object_pose=np.zeros_like(SOME.object_pose), behaviour=("",) * len(SOME))
    learn(tmp_path / "blind", first, some=blind)
    hashes = {sha256(tmp_path / name / "bundle" / "sub_goals.safetensors") for name in ("plain", "blind")}
    assert len(hashes) == 1


def test_a_run_cut_short_encodes_and_trains_nothing_twice(tmp_path, first, monkeypatch):
    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(stage, "add_sub_goal_head", power_cut)
        learn(tmp_path, first)
    assert not (tmp_path / "bundle").exists()
    log = (tmp_path / "run" / "sub_goals.jsonl").read_text()
    with monkeypatch.context() as patch:
        patch.setattr("jepa_planner.model.world_model.WorldModel.encode", power_cut)
        learn(tmp_path, first)
    assert (tmp_path / "run" / "sub_goals.jsonl").read_text() == log
    assert load_sub_goal_head(tmp_path / "bundle") is not None


@pytest.mark.parametrize(
    ("change", "named"), [({"seed": 9}, "seed"), ({"iterations": 9}, "iterations"), ({"episodes": 5}, "data")]
)
def test_a_run_folder_of_another_run_is_refused_by_what_differs(change, named, tmp_path, first):
    learn(tmp_path, first)
    with pytest.raises(RunFolderError, match=f"of a run with other {named}: use another --run"):
        learn(tmp_path, first, replace(SHORT, **change))


@pytest.mark.parametrize(
    ("some", "says"),
    [
        (replace(SOME, views=("front", "top")), "'side' is needed; the cameras given are front, top"),
        (replace(SOME, images=SOME.images[..., :16, :16, :]), "this model needs at least 32 x 32"),
    ],
    ids=["views", "size"],
)
def test_demonstrations_that_the_model_cannot_see_are_refused_by_name(some, says, tmp_path, first):
    with pytest.raises(ContractError, match=says):
        learn(tmp_path, first, some=some)
    assert not (tmp_path / "bundle").exists()


def test_a_head_stays_with_its_encoder_when_the_predictor_goes_on_learning(tmp_path, first):
    learn(tmp_path, first)
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


SEEING = replace(SHORT, seeing=True)


def acting(some: Episodes = SOME) -> Episodes:
    """The same pictures, of a hand that takes something in each episode and lets it go."""
    states = some.states.copy()
    states[..., 6:] = 0.0
    states[:, 2:7, 6], states[:, 2:7, 7] = 1.0, 0.5
    return replace(some, states=states)


def test_a_head_that_sees_is_given_the_pictures(tmp_path, first):
    report = learn(tmp_path, first, SEEING, acting())
    bundle = tmp_path / "bundle"
    model, head = WorldModel.load(bundle), load_sub_goal_head(bundle)
    seen = model.observe(SOME.images[0, :2])
    assert seen.latent.shape == (2, 4, 3) and seen.images.shape == (2, 2, 3, 32, 32)
    assert torch.equal(seen.latent, model.encode(SOME.images[0, :2]))
    guesses = head(seen[:1].with_state(torch.zeros(1, 8)), seen[1:])
    assert guesses.latents.shape == (1, 4, 4, 3) and guesses.latents.isfinite().all()
    assert report["foresight"]["best"] > 0
    assert WorldModel.load(first).observe(SOME.images[0, :1]).images is None, "one that does not see has none"


def test_a_head_that_sees_learns_from_the_pictures_and_the_same_again_from_the_same(tmp_path, first):
    hashes = []
    dark = replace(SOME, images=SOME.images // 2)
    for name, some in (("one", SOME), ("same", SOME), ("dark", dark)):
        learn(tmp_path / name, first, SEEING, acting(some))
        hashes.append(sha256(tmp_path / name / "bundle" / "sub_goals.safetensors"))
    assert hashes[0] == hashes[1] != hashes[2]


def test_demonstrations_in_which_no_hand_acts_teach_no_head_to_see(tmp_path, first):
    still = replace(SOME, states=SOME.states[:, :1].repeat(SOME.states.shape[1], 1))
    with pytest.raises(ValueError, match="in none of 5 demonstrations does the hand take and let go or push"):
        learn(tmp_path, first, SEEING, still)


def test_a_run_of_a_head_that_sees_is_none_of_a_head_that_does_not(tmp_path, first):
    learn(tmp_path, first, SHORT, acting())
    with pytest.raises(RunFolderError, match="other seeing"):
        learn(tmp_path, first, SEEING, acting())


def test_a_head_may_begin_with_the_eyes_of_another_bundle(tmp_path, first):
    learn(tmp_path / "eyes", first, SEEING, acting())
    for name, settings in (("own", SEEING), ("taken", replace(SEEING, eyes_of=tmp_path / "eyes" / "bundle"))):
        learn(tmp_path / name, first, replace(settings, iterations=1, seed=7), acting())
    given, own, taken = (load_sub_goal_head(tmp_path / name / "bundle") for name in ("eyes", "own", "taken"))
    off = [(head.scene.eyes[0].where.weight - given.scene.eyes[0].where.weight).abs().max() for head in (own, taken)]
    assert off[1] < 0.01 < off[0]


@pytest.mark.parametrize("blind", [False, True], ids=["no head", "a head that does not see"])
def test_eyes_that_are_not_there_are_refused(tmp_path, first, blind):
    if blind:
        learn(tmp_path / "blind", first, SHORT, acting())
    bundle = tmp_path / "blind" / "bundle" if blind else first
    with pytest.raises(ValueError, match="has no head that sees pictures of the same sizes: leave out --eyes-of"):
        learn(tmp_path, first, replace(SEEING, eyes_of=bundle), acting())
