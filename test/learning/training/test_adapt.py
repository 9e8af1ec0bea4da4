import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from added_heads import SUB_GOALS, VERDICT, acting, write_first
from tiny_training import episodes

from jepa_planner.learning.data.episodes import EpisodeError, Episodes, write_shard
from jepa_planner.learning.training import adapt as adapting
from jepa_planner.learning.training import verdict_calibration
from jepa_planner.learning.training.adapt import Adaptation, adapt, in_words
from jepa_planner.learning.training.add_latent_statistics import add_latent_statistics
from jepa_planner.learning.training.encoder_adaptation import EncoderAdaptation
from jepa_planner.learning.training.fine_tuning import FineTuningError
from jepa_planner.learning.training.head_adaptation import HeadAdaptation
from jepa_planner.learning.training.run_folder import RunFolderError
from jepa_planner.learning.training.warp_fitting import WarpFitting
from jepa_planner.model.bundle import (
    add_viewing_decoder,
    load_bundle,
    load_contract,
    load_sub_goal_head,
    load_viewing_decoder,
)
from jepa_planner.model.contract import ContractError
from jepa_planner.model.picture_warp import UNMOVED
from jepa_planner.model.pixel_decoder import PixelDecoder
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings

SOME = acting(episodes(count=10, steps=10, seed=3))
QUICK = Adaptation(
    seed=1, command="jepa-planner train --adapt", warps=WarpFitting(starts=1, moments=4, alone=2, together=2),
    encoder=EncoderAdaptation(iterations=3, moments=4), predictor_iterations=5,
    heads=HeadAdaptation(iterations=3, batch=8),
)  # fmt: skip
ASIDE = (1.0, 0.0, 0.2, 0.0, 1.0, 0.0, 0.0, 0.0)
FILES = ("encoder", "predictor", "sub_goals", "verdict")


@pytest.fixture(scope="module")
def init(tmp_path_factory) -> Path:
    """A bundle with all that one may have."""
    folder = tmp_path_factory.mktemp("whole")
    first = write_first(folder / "first")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdict_calibration, "DRAWS", 300)
        SUB_GOALS.learn(folder / "one", first)
        VERDICT.learn(folder / "two", folder / "one" / "bundle")
    add_latent_statistics([folder / "two" / "demonstrations"], folder / "two" / "bundle")
    return folder / "two" / "bundle"


def run(folder: Path, init: Path, settings: Adaptation = QUICK, some: Episodes = SOME) -> dict:
    write_shard(folder / "data" / "episodes-000000.h5", some)
    return adapt(folder / "data", init, folder / "new", folder / "run", settings)


def test_a_bundle_is_adapted_and_how_it_is_planned_with_stays(tmp_path, init):
    report = run(tmp_path, init)
    new, old = load_contract(tmp_path / "new"), load_contract(init)
    assert (new.name, new.action, new.state) == (f"{old.name}-adapted", old.action, old.state)
    assert new.training.data.endswith("then adapted to 10 episodes of 10 steps")
    assert (tmp_path / "new" / "planner.yaml").read_bytes() == (init / "planner.yaml").read_bytes()
    assert list(report["changes"]) == ["pictures", "encoder", "predictor", "sub-goals", "verdict"]
    for part in ("encoder", "predictor", "sub-goals", "verdict"):
        change, name = report["changes"][part], f"{part.replace('-', '_')}.safetensors"
        learned = change["after"] < change["before"]
        assert (new.files[name] != old.files[name]) == learned
    assert load_sub_goal_head(tmp_path / "new") is not None
    assert "3 held-out" not in in_words(report) and "on 2 held-out episodes of 10" in in_words(report)


def test_what_does_not_get_better_on_held_out_episodes_stays_as_it_was(tmp_path, init, monkeypatch):
    monkeypatch.setattr(adapting, "fit_warps", lambda *_: (ASIDE, ASIDE))
    monkeypatch.setattr(adapting, "judge_warps", lambda *given: float(given[-1] != (UNMOVED, UNMOVED)))
    worse = replace(QUICK, heads=replace(QUICK.heads, learning_rate=1.0))
    report = run(tmp_path, init, worse)
    new, old = load_contract(tmp_path / "new"), load_contract(init)
    assert new.image == old.image and report["warps"] == {}
    assert [new.files[f"{name}.safetensors"] for name in ("sub_goals", "verdict")] == [
        old.files[f"{name}.safetensors"] for name in ("sub_goals", "verdict")
    ]
    assert in_words(report).count("no better: left as it was") >= 3


def test_pictures_are_seen_through_the_warps_that_were_found_by_all_that_looks_at_them(tmp_path, init, monkeypatch):
    monkeypatch.setattr(adapting, "fit_warps", lambda *_: (ASIDE, UNMOVED))
    monkeypatch.setattr(adapting, "judge_warps", lambda *given: float(given[-1] == (UNMOVED, UNMOVED)))
    report = run(tmp_path, init)
    assert report["warps"] == {"front": list(ASIDE), "side": list(UNMOVED)}
    model, plain = WorldModel.load(tmp_path / "new"), WorldModel.load(init)
    pictures = SOME.images[0][:3]
    assert not model.encode(pictures).equal(plain.encode(pictures))
    assert "view front: what lay in the middle now lies +10 % to the right, +0 % down" in in_words(report)


def test_limits_of_what_the_model_knows_only_grow(tmp_path, init):
    run(tmp_path, init)
    old, new = (load_contract(folder).out_of_distribution for folder in (init, tmp_path / "new"))
    assert old is not None and new is not None and new != old
    assert all(getattr(new, name) >= getattr(old, name) for name in ("latent_distance", "arm_error_m", "surprise"))


@pytest.mark.parametrize(("chance", "kept"), [(1e-6, None), (1.0, 1.0)])
def test_a_verdict_that_takes_what_the_episodes_show_for_out_of_reach_says_so_no_more(tmp_path, init, chance, kept):
    wary = tmp_path / "wary"
    shutil.copytree(init, wary)
    contract = load_contract(wary)
    planned = PlannerSettings.load(wary, contract)
    assert planned.verdict is not None
    replace(planned, verdict=replace(planned.verdict, unreachable=chance)).save(wary)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdict_calibration, "DRAWS", 300)
        report = run(tmp_path, wary)
    new = PlannerSettings.load(tmp_path / "new", contract).verdict
    assert new is not None and new.unreachable == kept
    assert (report["refused"] > 0.0) == (kept is None) == ("says that of nothing any more" in in_words(report))


def test_a_bundle_without_heads_and_statistics_is_adapted_as_far_as_it_goes(tmp_path, headless):
    add_viewing_decoder(headless, headless, PixelDecoder(load_contract(headless).encoder))
    report = run(tmp_path, headless)
    assert list(report["changes"]) == ["pictures", "predictor"]
    load_bundle(tmp_path / "new")
    assert load_viewing_decoder(tmp_path / "new") is not None


def test_episodes_that_show_no_work_leave_the_heads_as_they_are(tmp_path, init, capsys):
    still = replace(SOME, states=SOME.states[:, :1].repeat(SOME.states.shape[1], 1))
    report = run(tmp_path, init, some=still)
    assert "verdict" not in report["changes"]
    assert "the heads that were not adapted stay as they are" in capsys.readouterr().err


def test_a_run_that_is_over_gives_the_same_again_and_that_of_other_episodes_is_refused(tmp_path, init):
    first = run(tmp_path, init)
    assert run(tmp_path, init) == first
    with pytest.raises(RunFolderError, match="run with other data"):
        run(tmp_path, init, some=acting(episodes(count=10, steps=10, seed=4)))


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"time_step_s": 0.5}, FineTuningError, "a step of the episodes is 0.5 s, of .* 0.25 s; expected the same"),
        ({"views": ("front", "wrist")}, ContractError, "'side' is needed; the cameras given are front, wrist"),
        ({"tcp_frame": "flange"}, ContractError, "'flange' given"),
    ],
)
def test_episodes_of_another_robot_are_refused(changes, error, says, tmp_path, headless):
    with pytest.raises(error, match=says):
        run(tmp_path, headless, some=replace(SOME, **changes))
    assert not (tmp_path / "new").exists()


def test_few_episodes_and_the_bundle_itself_are_refused(tmp_path, headless):
    with pytest.raises(EpisodeError, match="7 episodes given; expected 8 or more, some 20 are good"):
        run(tmp_path, headless, replace(QUICK, episodes=7))
    with pytest.raises(FineTuningError, match="name another folder for the new one"):
        adapt(tmp_path / "data", headless, headless, tmp_path / "run", QUICK)
