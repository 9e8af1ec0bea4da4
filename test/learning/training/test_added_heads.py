"""What adding a head to a bundle has in common, whichever of the two: a bundle and few small episodes in, one with a
head out.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from added_heads import ACTING, SUB_GOALS, VERDICT, Head

from jepa_planner.learning.training.run_folder import RunFolderError
from jepa_planner.model.bundle import load_bundle, load_contract
from jepa_planner.model.bundle_files import sha256

pytestmark = pytest.mark.usefixtures("few_draws")


@pytest.fixture(params=[SUB_GOALS, VERDICT], ids=lambda head: head.section)
def head(request) -> Head:
    return request.param


def test_encoder_and_predictor_stay_and_a_head_comes(head, tmp_path, headless):
    head.learn(tmp_path, headless)
    for name in ("encoder.safetensors", "predictor.safetensors"):
        assert sha256(headless / name) == sha256(tmp_path / "bundle" / name)
    load_bundle(tmp_path / "bundle")
    assert head.load(tmp_path / "bundle") is not None and head.load(headless) is None


def test_the_contract_says_what_the_head_learned_from(head, tmp_path, headless):
    head.learn(tmp_path, headless)
    old, new = load_contract(headless), load_contract(tmp_path / "bundle")
    training = getattr(new, head.section).training
    assert training.data == "6 episodes of 10 steps, seeds 0 to 5"
    assert (training.command, training.seeds) == (head.short.command, (2,))
    assert training.steps == {head.section: head.short.iterations}
    assert replace(new, files=old.files, **{head.section: None}) == old


def test_the_report_is_kept_in_the_run_folder(head, tmp_path, headless):
    report = head.learn(tmp_path, headless)
    assert json.loads((tmp_path / "run" / "report.json").read_text()) == report
    assert (report["demonstrations"], report["held_out"]) == (6, 1)


def test_the_same_run_gives_the_same_head_and_another_seed_another(head, tmp_path, headless):
    hashes = []
    for name, settings in (("one", head.short), ("same", head.short), ("other", replace(head.short, seed=3))):
        head.learn(tmp_path / name, headless, settings)
        hashes.append(sha256(tmp_path / name / "bundle" / head.file))
    assert hashes[0] == hashes[1] != hashes[2]


def test_object_poses_and_labels_are_not_looked_at(head, tmp_path, headless):
    head.learn(tmp_path / "plain", headless)
    blind = replace(ACTING, object_pose=np.zeros_like(ACTING.object_pose), behaviour=("",) * len(ACTING))
    head.learn(tmp_path / "blind", headless, some=blind)
    assert len({sha256(tmp_path / name / "bundle" / head.file) for name in ("plain", "blind")}) == 1


def test_a_run_cut_short_encodes_and_trains_nothing_twice(head, tmp_path, headless, monkeypatch):
    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    adding = {"sub_goals": "add_sub_goal_head", "verdict": "add_verdict_head"}[head.section]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(head.module, adding, power_cut)
        head.learn(tmp_path, headless)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demonstrations", "run"]
    log = (tmp_path / "run" / f"{head.section}.jsonl").read_text()
    with monkeypatch.context() as patch:
        patch.setattr("jepa_planner.model.world_model.WorldModel.encode", power_cut)
        head.learn(tmp_path, headless)
    assert (tmp_path / "run" / f"{head.section}.jsonl").read_text() == log
    assert head.load(tmp_path / "bundle") is not None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 9}, "seed"),
        ({"iterations": 9}, "iterations"),
        ({"episodes": 5}, "data"),
        ({"keypoints": True}, "keypoints"),
    ],
)
def test_a_run_folder_of_another_run_is_refused_by_what_differs(change, named, head, tmp_path, headless):
    head.learn(tmp_path, headless)
    with pytest.raises(RunFolderError, match=f"of a run with other {named}: use another --run"):
        head.learn(tmp_path, headless, replace(head.short, **change))
