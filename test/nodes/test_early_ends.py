"""What ends a goal before it is reached or its steps are spent: each by its name, the arm at rest."""

from dataclasses import replace

import torch
from harness import ENDLESS, FAR, STALE_S, TIMEOUT_S, goal_of, moves, under_way
from jepa_planner.msg import Plan
from rclpy.time import Time
from rosgraph_msgs.msg import Clock

from jepa_planner.nodes.arm_node import STATE_PERIOD_S, ArmNode
from jepa_planner.nodes.encoder_node import EncoderNode
from jepa_planner.nodes.goal_executor import Outcome
from jepa_planner.nodes.mpc_node import MpcNode
from jepa_planner.nodes.predictor_node import PredictorNode


def test_cancelling_stops_the_arm(rig):
    rig.planner()
    handle = under_way(rig)
    cancelled = rig.ask(handle.cancel_goal_async)
    rig.until(cancelled.done)
    assert rig.result(handle).outcome is Outcome.CANCELLED
    rig.assert_at_rest()
    count = len(moves(rig))
    rig.commands_settle()
    assert len(moves(rig)) == count
    assert rig.robot.plans[-1].kind == Plan.KIND_HOLD


def test_a_newer_goal_takes_the_place_of_the_one_before(rig):
    rig.planner()
    first = under_way(rig)
    second = rig.send_goals(goal_of(*FAR, budget=2, tolerance=1e-9))
    assert rig.result(first).outcome is Outcome.PREEMPTED
    assert rig.result(second).outcome is Outcome.BUDGET_SPENT


def test_silent_cameras_end_the_goal_by_name(rig):
    rig.planner()
    handle = under_way(rig)
    rig.robot.images_on = False
    result = rig.result(handle)
    assert result.outcome is Outcome.STALE_IMAGE
    assert "image is stale" in result.message
    rig.assert_at_rest()


def test_a_camera_that_repeats_one_stamp_is_stale(rig):
    rig.planner()
    handle = under_way(rig)
    rig.robot.image_stamp = rig.robot.get_clock().now()
    assert rig.result(handle).outcome is Outcome.STALE_IMAGE
    rig.assert_at_rest()


def test_a_goal_waits_for_simulated_time_to_begin(rig):
    rig.planner(use_sim_time=True, start_timeout_s=TIMEOUT_S)
    handle = rig.send_goals(goal_of(*FAR, budget=1, tolerance=1e-9))
    seen = len(rig.robot.arm_states)
    rig.until(lambda: len(rig.robot.arm_states) > seen + 2 * STALE_S / STATE_PERIOD_S)
    assert not moves(rig)
    clock = rig.robot.create_publisher(Clock, "/clock", 1)
    rig.robot.create_timer(0.02, lambda: clock.publish(Clock(clock=rig.robot.get_clock().now().to_msg())))
    assert rig.result(handle).outcome is Outcome.BUDGET_SPENT


def test_simulated_time_that_never_begins_ends_the_goal_by_name(rig):
    rig.planner(use_sim_time=True, start_timeout_s=STALE_S)
    result = rig.result(rig.send_goals(ENDLESS))
    assert result.outcome is Outcome.STALE_JOINT_STATE
    assert "nothing came on /clock" in result.message
    assert rig.commands_settle() == 0


def test_silent_joint_states_end_the_goal_by_name(rig):
    rig.planner()
    handle = under_way(rig)
    rig.robot.joint_states_on = False
    result = rig.result(handle)
    assert result.outcome is Outcome.STALE_JOINT_STATE
    assert "joint state is stale" in result.message
    rig.assert_at_rest()


def test_a_goal_image_that_grows_too_old_ends_the_goal_by_name(rig):
    rig.planner(goal_timeout_s=5.0)
    old = Time(nanoseconds=rig.robot.get_clock().now().nanoseconds - 10 * 10**9)
    result = rig.result(rig.send_goals(goal_of(*FAR, budget=100, tolerance=1e-9, stamp=old)))
    assert result.outcome is Outcome.STALE_GOAL
    assert "limit 5.00 s" in result.message
    assert rig.commands_settle() == 0


def test_an_energy_that_is_not_a_number_ends_the_goal_by_name(rig, monkeypatch):
    _, _, predictor = rig.planner()
    handle = under_way(rig)
    broken = lambda context, goal, actions: torch.full((len(actions),), float("nan"))  # noqa: E731
    monkeypatch.setattr(predictor.cost, "energies", broken)
    assert rig.result(handle).outcome is Outcome.INVALID_ENERGY
    rig.assert_at_rest()


def test_a_latent_that_is_not_finite_ends_the_goal_by_name(rig, monkeypatch):
    _, encoder, _ = rig.planner()
    handle = under_way(rig)
    observe = encoder._model.observe

    def broken(pictures):
        seen = observe(pictures)
        return replace(seen, latent=seen.latent * float("nan"))

    monkeypatch.setattr(encoder._model, "observe", broken)
    assert rig.result(handle).outcome is Outcome.INVALID_LATENT
    rig.assert_at_rest()


def test_a_predictor_that_does_not_answer_ends_the_goal_by_name(rig):
    _, _, predictor = rig.planner(composed=False, predictor_timeout_s=STALE_S)
    handle = under_way(rig, after=1)
    rig.threads.remove(thread := rig.thread(predictor))
    thread.stop()
    result = rig.result(handle)
    assert result.outcome is Outcome.PREDICTOR_TIMEOUT
    assert "predictor_node/rollout" in result.message
    rig.assert_at_rest()


def test_a_goal_waits_for_an_encoder_that_is_still_starting(rig):
    rig.arm()
    rig.run(mpc := MpcNode(**rig.options(model=rig.bundle, encoder_timeout_s=STALE_S, start_timeout_s=TIMEOUT_S)))
    rig.ready(mpc)
    handle = rig.send_goals(goal_of(*FAR, budget=1, tolerance=1e-9))
    seen = len(rig.robot.arm_states)
    rig.until(lambda: len(rig.robot.arm_states) > seen + 2 * STALE_S / STATE_PERIOD_S)
    rig.run(EncoderNode(**rig.options(model=rig.bundle)), PredictorNode(**rig.options(model=rig.bundle)))
    assert rig.result(handle).outcome is Outcome.BUDGET_SPENT


def test_an_encoder_that_never_starts_ends_the_goal_by_name(rig):
    rig.arm()
    rig.run(mpc := MpcNode(**rig.options(model=rig.bundle, start_timeout_s=STALE_S)))
    rig.ready(mpc)
    result = rig.result(rig.send_goals(ENDLESS))
    assert result.outcome is Outcome.ENCODER_FAILED
    assert "encode is not there after" in result.message
    assert rig.commands_settle() == 0


def test_a_predictor_that_is_not_active_ends_the_goal_by_name(rig):
    _, _, predictor = rig.planner(composed=False)
    rig.thread(predictor).call(predictor.trigger_deactivate)
    result = rig.result(rig.send_goals(ENDLESS))
    assert result.outcome is Outcome.PREDICTOR_FAILED
    assert "not active" in result.message
    assert rig.commands_settle() == 0


def test_deactivating_the_planner_stops_the_arm(rig):
    mpc, _, _ = rig.planner()
    handle = under_way(rig)
    assert rig.thread(mpc).call(mpc.trigger_deactivate)
    assert rig.result(handle).outcome is Outcome.DEACTIVATED
    rig.assert_at_rest()
    assert not rig.send_goals(ENDLESS).accepted


def test_a_stopped_arm_ends_the_goal_by_name(rig):
    rig.planner()
    handle = under_way(rig)
    arm = next(thread.node for thread in rig.threads if isinstance(thread.node, ArmNode))
    rig.thread(arm).call(lambda: arm.executive.stop("a test"))
    result = rig.result(handle)
    assert result.outcome is Outcome.ARM_STOPPED
    rig.assert_at_rest()


def test_an_arm_that_refuses_again_and_again_ends_the_goal_with_its_reason(rig):
    rig.planner(plan_valid_s=0.02, max_refusals=2)
    arm = next(thread.node for thread in rig.threads if isinstance(thread.node, ArmNode))
    offer = arm.executive.offer
    arm.executive.offer = lambda now_s, step: offer(now_s + 0.5, step)
    result = rig.result(rig.send_goals(ENDLESS))
    assert result.outcome is Outcome.ARM_REFUSED
    assert "2 plans in a row" in result.message and "late" in result.message
    assert rig.commands_settle() == 0
