"""What a planner thinks of the work, on its way to whoever sent the goal."""

import math
from pathlib import Path

import pytest
import torch
from harness import FAR, Rig, goal_of
from jepa_planner.action import ReachGoalImage
from jepa_planner.msg import PlanStats
from small_models import CHANNELS, SLOTS
from small_planner import small_planner

from jepa_planner.model.bundle import add_verdict_head, load_bundle, save_bundle
from jepa_planner.model.contract_sections import TrainingSpec, VerdictSpec
from jepa_planner.model.verdict_head import VerdictHead, VerdictHeadConfig
from jepa_planner.nodes import qos
from jepa_planner.nodes.goal_executor import Outcome
from jepa_planner.planning.progress import ProgressSettings
from jepa_planner.planning.verdict import VerdictSettings

EDGES_M = (0.02, 0.04)
AS_SHOWN, ELSEWHERE = 0, 3
CONFIG = VerdictHeadConfig(
    latent_tokens=SLOTS, latent_channels=CHANNELS, state_dim=8, edges_m=EDGES_M, width=16, depth=1
)


def head_that_says(answer: int, chance: float, shown: torch.Tensor) -> VerdictHead:
    """One class has that chance, the others share the rest; the goal shows the arm in that state."""
    head = VerdictHead(CONFIG)
    with torch.no_grad():
        head.logits.weight.zero_()
        head.logits.bias.fill_(math.log((1.0 - chance) / (CONFIG.classes - 1)))
        head.logits.bias[answer] = math.log(chance)
        head.goal_state[-1].weight.zero_()
        head.goal_state[-1].bias.copy_(shown)
    return head


def judging_rig(bundle: str, folder: Path, answer: int, chance: float, patience: int = 0) -> Rig:
    """Nodes of a model with such a head; the goal shows the arm 10 cm beside where it is."""
    encoder, predictor, contract = load_bundle(bundle)
    save_bundle(folder, encoder, predictor, contract)
    head = head_that_says(answer, chance, torch.tensor([0.5, 0.1, 0.13, 0.0, 0.0, 0.0, 0.0, 0.0]))
    spec = VerdictSpec(head=CONFIG, training=TrainingSpec(data="none", command="none"))
    settings = small_planner(progress=ProgressSettings(patience=patience), verdict=VerdictSettings())
    settings.save(folder)
    add_verdict_head(folder, folder, head, spec)
    return Rig(str(folder))


def pursue(rig: Rig, budget: int):
    """The result of a goal out of reach, what was fed back, and the statistics of its plans."""
    heard, stats = [], []
    rig.robot.create_subscription(PlanStats, "mpc_node/stats", stats.append, qos.STATE)
    rig.planner()
    goal = ReachGoalImage.Goal(goals=[goal_of(*FAR, budget=budget, tolerance=1e-9)])
    sent = rig.ask(lambda: rig.reach.send_goal_async(goal, feedback_callback=heard.append))
    rig.until(sent.done)
    result = rig.result(sent.result())
    rig.until(lambda: len(stats) == result.steps)
    return result, [message.feedback for message in heard], stats


def test_result_feedback_and_statistics_tell_how_sure_the_planner_is(ros, bundle, tmp_path):
    rig = judging_rig(bundle, tmp_path, AS_SHOWN, 0.8)
    try:
        result, feedback, stats = pursue(rig, budget=2)
    finally:
        rig.close()
    assert (result.outcome, result.steps) == (Outcome.BUDGET_SPENT, 2)
    observations = [told for told in feedback if told.tolerance]
    assert len(observations) == 3 and observations[-1].status == "the steps allowed are spent"
    for told in (result, *observations, *stats):
        assert told.certainty == pytest.approx(0.8 + 0.2 / 3 / 2)  # and half of the class that 3 cm is the middle of
        assert told.object_offset_m == pytest.approx(0.02 * 0.5 / 0.8)
    assert all(told.missing.startswith("the hand is ") and told.missing.endswith(" cm off") for told in observations)


def test_work_that_nothing_advances_ends_as_stalled_and_says_what_is_missing(ros, bundle, tmp_path):
    rig = judging_rig(bundle, tmp_path, ELSEWHERE, 0.9, patience=2)
    try:
        result, feedback, _ = pursue(rig, budget=50)
    finally:
        rig.close()
    assert (result.outcome, result.steps) == (Outcome.STALLED, 2)
    assert "nothing brings the goal nearer; no progress in 2 observations; objects are elsewhere" in result.message
    assert result.object_offset_m == math.inf and result.certainty == pytest.approx(0.05)
    assert feedback[-1].status == "nothing brings the goal nearer"
    assert feedback[-1].missing == "objects are elsewhere, or not the same ones"
    assert feedback[-1].object_offset_m == math.inf


def test_a_model_without_a_verdict_tells_of_none(rig):
    result, feedback, stats = pursue(rig, budget=1)
    assert all(math.isnan(told.certainty) and math.isnan(told.object_offset_m) for told in (result, *feedback, *stats))
    assert not any(told.missing for told in feedback)


def test_the_statistics_tell_where_the_seconds_of_each_step_went(rig):
    _, _, stats = pursue(rig, budget=4)
    assert math.isnan(stats[0].step_seconds) and math.isnan(stats[0].motion_seconds)
    for told in stats[1:]:
        parts = ("answer", "motion", "picture", "encoding", "decision")
        seconds = [getattr(told, f"{part}_seconds") for part in parts]
        assert sum(seconds) == pytest.approx(told.step_seconds, rel=1e-5)
        assert min(seconds) >= 0.0 and told.motion_seconds >= 0.15
        assert told.seconds <= told.decision_seconds
