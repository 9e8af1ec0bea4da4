import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from diagnostic_msgs.msg import DiagnosticArray
from harness import ENDLESS, FAR, STALE_S, Rig, goal_of, moves, picture, under_way
from jepa_planner.action import ReachGoalImage
from jepa_planner.msg import ArmState, Latent, Plan, PlanStats
from jepa_planner.srv import Rollout
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.parameter import Parameter
from small_models import KEYPOINTS, small_sub_goal_head, small_sub_goal_spec
from small_planner import small_planner
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from jepa_planner.model.bundle import (
    add_sub_goal_head,
    load_bundle,
    load_contract,
    save_bundle,
    write_latent_statistics,
)
from jepa_planner.model.contract_sections import OutOfDistributionSpec
from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.model.predictor import ActionConditionedPredictor
from jepa_planner.nodes import qos
from jepa_planner.nodes.arm_states import xyz_rpy
from jepa_planner.nodes.goal_executor import Outcome
from jepa_planner.nodes.mpc_node import MpcNode
from jepa_planner.planning.progress import ProgressSettings
from jepa_planner.planning.solvers.table import SOLVER_NAMES
from jepa_planner.planning.sub_goals import SubGoalSettings


def test_every_outcome_has_the_number_of_its_message_constant():
    assert {outcome.name: getattr(ReachGoalImage.Result, outcome.name) for outcome in Outcome} == {
        outcome.name: outcome.value for outcome in Outcome
    }


@pytest.mark.parametrize("composed", [True, False], ids=["composed", "apart"])
def test_a_goal_that_is_what_the_cameras_see_is_reached_without_a_command(rig, composed):
    rig.planner(composed)
    result = rig.result(rig.send_goals(goal_of(*rig.robot.views)))
    assert result.outcome is Outcome.REACHED
    assert (result.steps, result.sub_goals_reached) == (0, 1)
    assert result.final_energy == pytest.approx(0.0, abs=1e-6)
    assert rig.commands_settle() == 0


@pytest.mark.parametrize("composed", [True, False], ids=["composed", "apart"])
def test_a_goal_out_of_reach_ends_when_its_budget_is_spent(rig, composed):
    rig.planner(composed)
    result = rig.result(rig.send_goals(goal_of(*FAR, budget=3, tolerance=1e-9)))
    assert result.outcome is Outcome.BUDGET_SPENT
    assert result.steps == 3
    assert len({plan.id for plan in moves(rig)}) == 3
    rig.assert_at_rest()


def test_nodes_apart_plan_what_nodes_in_one_process_plan(ros, bundle):
    plans = []
    for composed in (True, False):
        rig = Rig(bundle)
        rig.planner(composed)
        rig.result(rig.send_goals(goal_of(*FAR, budget=1, tolerance=1e-9)))
        plans.append(moves(rig)[0])
        rig.close()
    for mine, other in zip(plans[0].poses, plans[1].poses, strict=True):
        np.testing.assert_allclose(xyz_rpy(mine), xyz_rpy(other), atol=1e-5)


def monitored_bundle(bundle: str, folder: Path, **limits: float) -> str:
    """The bundle with statistics of two unrelated latents, and limits that nothing exceeds but for those given."""
    shutil.copytree(bundle, folder)
    latent = load_contract(bundle).latent
    rng = torch.Generator().manual_seed(0)
    latents = torch.randn(500, latent.tokens, latent.channels, generator=rng)
    known = LatentStatistics.of(latents, torch.randn(500, 8, generator=rng))
    generous = {"latent_distance": 1e6, "arm_error_m": 1e6, "surprise": 1e6}
    write_latent_statistics(folder, known, OutOfDistributionSpec(**{**generous, **limits}, data="a test"))
    return str(folder)


@pytest.mark.parametrize(
    ("limit", "outcome", "words", "moves_first"),
    [
        ("latent_distance", Outcome.UNFAMILIAR_GOAL, "goal image 1 is unlike", False),
        ("arm_error_m", Outcome.UNFAMILIAR_IMAGE, "from where the joints say", False),
        ("surprise", Outcome.SURPRISED, "from what was imagined", True),
    ],
)
@pytest.mark.parametrize("composed", [True, False], ids=["composed", "apart"])
def test_what_the_model_does_not_know_ends_the_goal_by_name(
    rig, bundle, tmp_path, composed, limit, outcome, words, moves_first
):
    rig.bundle = monitored_bundle(bundle, tmp_path / "monitor_out_of_distribution", **{limit: 1e-9})
    rig.planner(composed)
    result = rig.result(rig.send_goals(ENDLESS))
    assert result.outcome is outcome, result.message
    assert words in result.message
    rig.assert_at_rest()
    assert bool(rig.robot.commands) == moves_first


@pytest.mark.parametrize(
    ("monitored", "knows", "says"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_planner_that_cannot_monitor_says_so_where_it_should_be(
    rig, bundle, tmp_path, monkeypatch, monitored, knows, says
):
    warnings = []
    monkeypatch.setattr(RcutilsLogger, "warning", lambda self, message, **_: warnings.append(message))
    folder = monitored_bundle(bundle, tmp_path / "monitor_out_of_distribution") if knows else bundle
    node = MpcNode(**rig.options(model=folder, monitor_out_of_distribution=monitored))
    rig.run(node)
    said = [warning for warning in warnings if "monitor_out_of_distribution does nothing" in warning]
    assert len(said) == says
    assert ("monitor_out_of_distribution does nothing" in str(node.health()[1]["monitor_out_of_distribution"])) == says


def test_a_planner_that_is_told_not_to_monitor_moves_on(rig, bundle, tmp_path):
    rig.bundle = monitored_bundle(
        bundle, tmp_path / "monitor_out_of_distribution", latent_distance=1e-9, arm_error_m=1e-9, surprise=1e-9
    )
    rig.planner(monitor_out_of_distribution=False)
    assert rig.result(rig.send_goals(goal_of(*FAR, budget=1, tolerance=1e-9))).outcome is Outcome.BUDGET_SPENT


@pytest.mark.parametrize("composed", [True, False], ids=["composed", "apart"])
def test_an_untrained_model_moves_nothing_and_says_why(ros, bundle, tmp_path, composed):
    """It predicts that nothing changes, whatever is done."""
    encoder, predictor, contract = load_bundle(bundle)
    save_bundle(tmp_path / "untrained", encoder, ActionConditionedPredictor(predictor.config), contract)
    small_planner(progress=ProgressSettings(patience=0)).save(tmp_path / "untrained")
    rig = Rig(str(tmp_path / "untrained"))
    rig.planner(composed)
    result = rig.result(rig.send_goals(ENDLESS))
    commands = rig.commands_settle()
    rig.close()
    assert (result.outcome, result.steps, commands) == (Outcome.INVALID_ENERGY, 0, 0)
    assert "the model sees no difference between actions" in result.message


def test_a_planner_whose_clock_was_set_back_is_not_taken_to_repeat_itself(rig):
    rig.planner(arm={"allow_other_publishers": True})
    an_hour_ahead = time.time_ns() // 1000 + 3_600_000_000
    rig.send_plan(an_hour_ahead)
    rig.until(lambda: rig.state().plan_id == an_hour_ahead and not rig.state().moving)
    result = rig.result(rig.send_goals(goal_of(*FAR, budget=1, tolerance=1e-9)))
    assert (result.outcome, result.steps) == (Outcome.BUDGET_SPENT, 1)
    assert rig.state().plan_id > an_hour_ahead


def test_max_steps_bounds_all_goals_together(rig):
    rig.planner()
    result = rig.result(rig.send_goals(ENDLESS, ENDLESS, max_steps=2))
    assert (result.outcome, result.steps) == (Outcome.BUDGET_SPENT, 2)


def test_feedback_tells_energy_sub_goal_and_seconds_per_plan(rig):
    rig.planner()
    heard = []
    goals = [goal_of(*FAR, budget=1, tolerance=1e-9), goal_of(*FAR, budget=1, tolerance=1e-9)]
    request = ReachGoalImage.Goal(goals=goals)
    sent = rig.ask(lambda: rig.reach.send_goal_async(request, feedback_callback=heard.append))
    rig.until(sent.done)
    rig.result(sent.result())
    moving = [message.feedback for message in heard if message.feedback.status == "moving"]
    assert [(feedback.sub_goal, feedback.sub_goals) for feedback in moving] == [(0, 2), (1, 2)]
    assert all(feedback.energy > 0 and feedback.seconds_per_plan > 0 for feedback in moving)


@pytest.fixture(scope="session")
def imagining_bundle(bundle, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("imagining")
    add_sub_goal_head(Path(bundle), folder, small_sub_goal_head(), small_sub_goal_spec())
    imagining = SubGoalSettings(steps=6, goal_distance=0.0, near_goal=0.0)
    small_planner(progress=ProgressSettings(patience=0), sub_goals=imagining).save(folder)
    return str(folder)


@pytest.mark.parametrize(
    ("composed", "goals", "mode", "imagined"),
    [(True, 1, "auto", True), (False, 1, "auto", True), (True, 4, "auto", False), (True, 1, "never", False)],
)
def test_feedback_tells_the_imagined_sub_goal_and_how_near_it_is(
    ros, imagining_bundle, composed, goals, mode, imagined
):
    rig = Rig(imagining_bundle)
    rig.planner(composed, imagine_sub_goals=mode)
    heard = []
    pictures = [goal_of(*FAR, budget=1, tolerance=1e-9)] * goals
    sent = rig.reach.send_goal_async(ReachGoalImage.Goal(goals=pictures), feedback_callback=heard.append)
    rig.until(sent.done)
    result = rig.result(sent.result())
    rig.until(lambda: any(message.feedback.step for message in heard))
    rig.close()
    status = next(message.feedback.status for message in heard if message.feedback.step)
    assert (
        status.startswith("moving to sub-goal 1 (imagined), observation 1, energy ") if imagined else status == "moving"
    )
    assert (result.outcome, result.steps) == (Outcome.BUDGET_SPENT, goals)


@pytest.mark.parametrize("composed", [True, False], ids=["in one process", "over topics"])
def test_a_head_with_keypoints_is_given_the_pictures_of_cameras_and_goals(ros, bundle, tmp_path, composed):
    head = small_sub_goal_head(scene=KEYPOINTS).eval()
    imagining = SubGoalSettings(steps=2, goal_distance=0.0, near_goal=0.0, arm_weight=10.0)
    add_sub_goal_head(Path(bundle), tmp_path / "keypoints", head, small_sub_goal_spec(head=head.config))
    small_planner(progress=ProgressSettings(patience=0), sub_goals=imagining).save(tmp_path / "keypoints")
    rig = Rig(str(tmp_path / "keypoints"))
    rig.planner(composed)
    heard = []
    goal = ReachGoalImage.Goal(goals=[goal_of(*FAR, tolerance=1e-9)])
    sent = rig.reach.send_goal_async(goal, feedback_callback=heard.append)
    rig.until(sent.done)
    result = rig.result(sent.result())
    rig.until(lambda: any(message.feedback.step for message in heard))
    rig.close()
    assert (result.outcome, result.steps) == (Outcome.BUDGET_SPENT, 2)
    assert any("(imagined)" in message.feedback.status for message in heard)


def test_goal_images_without_budget_share_the_steps_that_imagining_takes(ros, imagining_bundle):
    rig = Rig(imagining_bundle)
    rig.planner()
    results = [rig.result(rig.send_goals(*[goal_of(*FAR, tolerance=1e-9)] * 3, max_steps=most)) for most in (0, 3)]
    rig.close()
    assert [result.steps for result in results] == [6, 3]


def test_a_model_that_imagines_no_sub_goals_is_not_asked_to(ros, bundle):
    rig = Rig(bundle)
    with pytest.raises(RuntimeError, match="mpc_node could not start"):
        rig.planner(imagine_sub_goals="always")
    rig.close()


@pytest.mark.parametrize(
    "views",
    [(), (FAR[0],), (FAR[0], FAR[1], FAR[0]), (picture(1, 16), picture(2, 16)), (picture(1, 32), picture(2, 64))],
    ids=["none", "one view", "three views", "too small", "two sizes"],
)
def test_a_goal_image_that_does_not_fit_the_model_is_rejected(rig, views):
    rig.planner()
    assert not rig.send_goals(goal_of(*views)).accepted


def test_a_goal_without_images_or_with_an_unknown_encoding_is_rejected(rig):
    rig.planner()
    assert not rig.send_goals().accepted
    strange = goal_of(*FAR)
    strange.views[1].encoding = "nv24"
    assert not rig.send_goals(strange).accepted


SAME_CAMERA = "both must be whole pictures of the same camera"


def pictures_of(width: int, height: int) -> list[np.ndarray]:
    return [np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8) for seed in (1, 2)]


@pytest.mark.parametrize("composed", [True, False], ids=["composed", "apart"])
def test_a_goal_picture_of_another_aspect_than_the_cameras_ends_the_goal_as_plan_does(rig, composed):
    rig.robot.views = pictures_of(64, 48)
    _, encoder, _ = rig.planner(composed)
    rig.until(lambda: encoder.health()[0].ok)
    result = rig.result(rig.send_goals(goal_of(*pictures_of(128, 72), tolerance=1e-9)))
    assert result.outcome is Outcome.INVALID_GOAL
    assert f"the image is 64 x 48 pixels and the goal 128 x 72: {SAME_CAMERA}" in result.message
    larger = rig.result(rig.send_goals(goal_of(*pictures_of(640, 480), budget=1, tolerance=1e-9)))
    assert larger.outcome is Outcome.BUDGET_SPENT


@pytest.mark.parametrize("composed", [True, False], ids=["composed", "apart"])
def test_pictures_of_another_aspect_than_the_goal_that_came_before_them_are_not_planned_from(rig, composed):
    rig.robot.views, rig.robot.images_on = pictures_of(64, 48), False
    _, encoder, _ = rig.planner(composed, start_timeout_s=2 * STALE_S)
    handle = rig.send_goals(goal_of(*pictures_of(128, 72), tolerance=1e-9))
    rig.until(lambda: encoder._goal_sizes is not None)
    rig.robot.images_on = True
    rig.until(lambda: encoder.health()[0].text == f"the image is 64 x 48 pixels and the goal 128 x 72: {SAME_CAMERA}")
    assert rig.result(handle).outcome is Outcome.STALE_IMAGE
    assert moves(rig) == []


@pytest.mark.parametrize("composed", [True, False], ids=["composed", "apart"])
def test_cameras_that_change_their_aspect_end_the_goal_and_serve_the_next(rig, composed):
    _, encoder, _ = rig.planner(composed)
    handle = under_way(rig)
    rig.robot.views = pictures_of(64, 48)
    rig.until(lambda: encoder.health()[0].text == f"the image is 64 x 48 pixels and the goal 32 x 32: {SAME_CAMERA}")
    assert rig.result(handle).outcome is Outcome.STALE_IMAGE
    rig.assert_at_rest()
    assert rig.result(rig.send_goals(goal_of(*pictures_of(64, 48)))).outcome is Outcome.REACHED


def test_goal_pictures_of_different_aspects_are_rejected(rig):
    rig.planner()
    assert not rig.send_goals(goal_of(*pictures_of(64, 48)), goal_of(*pictures_of(128, 72))).accepted
    assert rig.send_goals(goal_of(*pictures_of(32, 32)), goal_of(*pictures_of(64, 64))).accepted


def test_search_settings_cannot_change_while_a_goal_is_pursued(rig):
    mpc, _, _ = rig.planner()
    under_way(rig)
    assert not mpc.set_parameters([Parameter("samples", value=8)])[0].successful


@pytest.mark.parametrize("solver", SOLVER_NAMES)
def test_every_solver_plans_through_the_nodes(rig, solver):
    rig.planner(solver=solver, deadline_s=30.0)
    result = rig.result(rig.send_goals(goal_of(*FAR, budget=2, tolerance=1e-9)))
    assert (result.outcome, result.steps) == (Outcome.BUDGET_SPENT, 2), result.message


def test_a_search_through_the_nodes_ends_at_its_deadline(rig):
    """A thousand iterations, and a deadline in which only the first one fits."""
    stats = []
    rig.robot.create_subscription(PlanStats, "mpc_node/stats", stats.append, qos.STATE)
    rig.planner(solver="mppi", samples=2, iterations=1000, deadline_s=1e-6)
    result = rig.result(rig.send_goals(goal_of(*FAR, budget=1, tolerance=1e-9)))
    assert result.outcome is Outcome.BUDGET_SPENT
    rig.until(lambda: stats)
    assert stats[-1].evaluations == 2


def test_a_rollout_with_the_wrong_number_of_actions_is_refused_with_what_was_expected(rig):
    rig.planner(composed=False)
    client = rig.robot.create_client(Rollout, "predictor_node/rollout")
    rig.until(client.service_is_ready)
    answer = client.call_async(Rollout.Request(candidates=2, horizon=3, actions=[0.0] * 5))
    rig.until(answer.done)
    assert not answer.result().success
    assert "context is empty" in answer.result().message


@pytest.mark.parametrize(
    ("kind", "topic"),
    [
        (Latent, "latent"),
        (ArmState, "arm_state"),
        (Plan, "plan"),
        (PlanStats, "mpc_node/stats"),
        (MarkerArray, "mpc_node/markers"),
        (DiagnosticArray, "/diagnostics"),
        (JointTrajectory, "joint_trajectory"),
    ],
)
def test_a_subscriber_of_default_quality_hears_the_planner(rig, kind, topic):
    messages = []
    rig.robot.create_subscription(kind, topic, messages.append, 10)
    rig.planner()
    rig.send_goals(ENDLESS)
    rig.until(lambda: messages)


def test_the_same_picture_has_the_same_energy_as_in_process(rig, bundle):
    """What the goal action reports is what the model computes without ROS."""
    from jepa_planner.model.world_model import WorldModel
    from jepa_planner.planning.energy import SummedMse, distance_to_goal

    rig.planner(composed=False)
    result = rig.result(rig.send_goals(goal_of(*FAR, budget=1, tolerance=1e9)))
    model = WorldModel.load(bundle)
    seen, goal = (model.encode(np.stack(views)[None])[0] for views in (rig.robot.views, FAR))
    energy = distance_to_goal(SummedMse(), seen, goal, 7)
    assert result.final_energy == pytest.approx(energy, rel=1e-5)
