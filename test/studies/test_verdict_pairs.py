"""What a verdict is shown alone: the same scene with the object so far off, whatever the arm does."""

import json

import numpy as np
import pytest
import torch
from tiny_model import SureHead, judging, tiny_model, tiny_planner, tiny_verdict_head

from jepa_planner.model.bundle import add_verdict_head, save_bundle
from jepa_planner.planning.verdict import Judge, VerdictSettings
from jepa_planner_sim.scene import OBJECT_REGION_MAX_M, OBJECT_REGION_MIN_M
from jepa_planner_sim.scene_draws import PERTURBATIONS
from jepa_planner_sim.world import World
from studies.__main__ import main as study
from studies.verdict.verdict_pairs import ARMS, DRAWN, OFF_M, OTHERS_M, Pair, Stage, show_pairs
from studies.verdict.verdict_report import calibration, in_words, summarise_pairs

VARIED = frozenset(PERTURBATIONS)


@pytest.fixture(scope="module")
def stage():
    world = World(image_size_px=32)
    yield Stage(world, VARIED)
    world.close()


@pytest.mark.parametrize("seed", range(1_000_000, 1_000_004))
def test_the_arm_stands_as_its_row_says(stage, seed):
    stage.build(seed)
    stage.arm_anywhere()
    assert not stage.world.fingers_touch() and stage.world.closure_commanded == 0.0
    stage.build(seed)
    stage.arm_after_a_push()
    assert stage.world.fingers_touch() and stage.world.closure_measured() > 0.95
    assert stage.world.tcp_pose()[0][2] < 0.03
    stage.build(seed)
    stage.arm_holding()
    assert stage.world.fingers_touch() and stage.world.closure_commanded == 1.0
    assert stage.world.closure_measured() < 0.75


@pytest.mark.parametrize("off_m", OFF_M)
def test_the_object_is_put_so_far_off_within_its_region_and_beside_others(stage, off_m):
    for seed in range(1_000_000, 1_000_006):
        stage.build(seed)
        before = stage.object_xy_m.copy()
        stage.shift_object(off_m)
        after = stage.object_xy_m
        assert np.linalg.norm(after - before) == pytest.approx(off_m, abs=1e-6)
        assert (after > OBJECT_REGION_MIN_M - 0.005).all() and (after < OBJECT_REGION_MAX_M + 0.005).all()
        others = [stage.world.object_pose(n)[0][:2] for n in range(1, len(stage.world.scene.objects))]
        assert all(np.linalg.norm(other - after) > OTHERS_M - 0.03 for other in others)


class Notes(SureHead):
    """Keeps the arm states and what it was shown."""

    def __init__(self) -> None:
        self.states: list[torch.Tensor] = []
        self.same: list[bool] = []

    def __call__(self, now, goal):
        self.states.append(now.state[0])
        self.same.append(torch.equal(now.latent, goal.latent))
        return super().__call__(now, goal)


def test_every_scene_gives_a_pair_for_each_stand_of_the_arm_and_distance():
    model, head = judging(tiny_model()), Notes()
    judge = Judge(head, model.contract.verdict.head.edges_m, VerdictSettings())
    found = list(show_pairs(model, judge, frozenset(), pairs=2, seed=4))
    assert len(found) == 2
    fixed = [(pair.arm, pair.off_m) for pair in found[0] if not pair.drawn]
    assert fixed == [(arm, off_m) for arm in ARMS for off_m in OFF_M]
    drawn = [pair.off_m for pair in found[0] if pair.drawn]
    assert len(drawn) == DRAWN * len(ARMS) and all(0.0 < off_m < OFF_M[-1] for off_m in drawn)
    assert all(pair.called_done and pair.certainty == pytest.approx(1.0) for pair in found[0])
    assert [float(state[6]) for state in head.states[: 3 * (len(OFF_M) + DRAWN) : len(OFF_M) + DRAWN]] == [
        0.0,
        1.0,
        1.0,
    ], "closed after a push and holding"
    assert not any(head.same), "the arm stands elsewhere, so even an object that is not off is another picture"
    assert next(show_pairs(model, judge, frozenset(), pairs=1, seed=5)) == found[1], "scenes go by their seeds"


def pairs(arm: str, *called: bool, certainty: float = 0.9) -> list[Pair]:
    return [
        Pair(arm, off_m, certainty, done, 0.039 if done else 0.041) for off_m, done in zip(OFF_M, called, strict=True)
    ]


def test_shares_are_by_distance_and_near_is_told_apart_from_far():
    shown = [
        *pairs("free", True, True, True, True, False, False), *pairs("free", True, True, False, False, True, False),
        *pairs("holding", False, False, False, False, False, False),
    ]  # fmt: skip
    summary = summarise_pairs(shown, 0.03)
    assert json.loads(json.dumps(summary)) == summary
    free, holding = summary["rows"]
    assert [cell["called_done"] for cell in free["called_done"]] == [2, 2, 1, 1, 1, 0]
    assert (free["told_apart"]["right"], free["told_apart"]["pairs"]) == (9, 12)
    assert free["told_apart"]["wilson_low"] < 0.75 == free["told_apart"]["share"] < free["told_apart"]["wilson_high"]
    assert holding["told_apart"]["right"] == 2
    words = in_words(summary)
    assert "| called done; arm now | 0 cm | 1 cm | 2 cm | 3 cm | 5 cm | 10 cm | 3 cm and less apart from 5" in words
    assert "| free | 100% | 100% | 50% | 50% | 50% | 0% | 75.0% (46.8% to 91.1%) |" in words


def test_certainty_is_set_beside_what_truly_lies_there():
    shown = [Pair("free", off_m, certainty, True, 0.01, drawn=True) for off_m, certainty in
             ((0.0, 0.92), (0.03, 0.98), (0.05, 0.95), (0.0, 1.0), (0.10, 0.04))]  # fmt: skip
    bins = calibration([*shown, *pairs("free", *[True] * 6)], 0.03)
    assert len(bins) == 10 and [found["pairs"] for found in bins] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 4]
    assert (bins[9]["mean_certainty"], bins[9]["share_within"]) == (0.9625, 0.75)
    assert (bins[0]["mean_certainty"], bins[0]["share_within"]) == (0.04, 0.0)
    assert bins[5]["mean_certainty"] is None
    summary = {"rows": [], "calibration": bins, "within_m": 0.03}
    assert "| 90% to 100% | 4 | 96.2% | 75.0% |" in in_words(summary) and "| 50% to 60% | 0 |  |  |" in in_words(
        summary
    )


def test_the_verb_prints_both_tables_and_refuses_a_model_without_a_verdict(tmp_path, capsys):
    model, head = judging(tiny_model()), tiny_verdict_head()
    save_bundle(tmp_path, model.encoder, model.predictor, tiny_model().contract)
    assert study(["verdict", "--model", str(tmp_path)]) == 2
    assert (
        f"{tmp_path} has no verdict to show pairs to: its model.yaml has no section `verdict`"
        in capsys.readouterr().err
    )
    tiny_planner().save(tmp_path)
    add_verdict_head(tmp_path, tmp_path, head, model.contract.verdict)
    assert study(["verdict", "--model", str(tmp_path)]) == 2
    assert "verdict is null in its planner.yaml" in capsys.readouterr().err
    tiny_planner(verdict=VerdictSettings()).save(tmp_path)
    file = tmp_path / "deep" / "pairs.json"
    threads = torch.get_num_threads()
    assert study(["verdict", "--model", str(tmp_path), "--scenes", "varied", "--pairs", "1", "--json", str(file)]) == 0
    torch.set_num_threads(threads)
    said, found = capsys.readouterr().out, json.loads(file.read_text())
    assert "| anywhere, open |" in said and "| certainty | pairs | mean certainty | lies within 3 cm |" in said
    assert (found["scenes"], found["pairs"], len(found["rows"])) == ("varied", 1, len(ARMS))
    assert sum(part["pairs"] for part in found["calibration"]) == len(ARMS) * DRAWN
