"""Chunks of actions for those who move the arm themselves: the plan that it would be sent, and nothing is sent."""

import copy
import time

import numpy as np
import pytest
from harness import ENDLESS, FAR, Rig, goal_of, moves, picture, under_way
from jepa_planner.msg import ArmState
from jepa_planner.srv import GetActionChunk
from test_goal_server import EXECUTORS, SlowEncoder

from jepa_planner.nodes import running
from jepa_planner.nodes.arm_states import xyz_rpy
from jepa_planner.nodes.client import PlannerClient, PlannerError
from jepa_planner.nodes.conversions import array_to_image
from jepa_planner.nodes.goal_executor import Outcome

Response = GetActionChunk.Response
GOAL = goal_of(*FAR, budget=1, tolerance=1e-9)


@pytest.fixture(scope="module")
def ready(ros, bundle):
    """A planner that stands ready, for tests that leave it so."""
    rig = Rig(bundle)
    rig.planner()
    yield rig
    rig.close()


@pytest.fixture(scope="module")
def client(ready):
    with PlannerClient(ready.namespace) as client:
        yield client


def asked(rig: Rig, **fields):
    """The future of a chunk."""
    client = rig.robot.create_client(GetActionChunk, "mpc_node/get_action_chunk")
    rig.until(client.service_is_ready)
    return rig.ask(lambda: client.call_async(GetActionChunk.Request(**{"goals": [GOAL], **fields})))


def answer(rig: Rig, **fields) -> Response:
    future = asked(rig, **fields)
    rig.until(future.done)
    return future.result()


def path(message) -> np.ndarray:
    poses = [xyz_rpy(pose) for pose in message.poses]
    return np.column_stack([np.array(poses), message.gripper_closure])


@pytest.mark.parametrize("composed", [True, False], ids=["composed", "apart"])
def test_the_chunk_is_the_plan_that_the_arm_would_be_sent_and_nothing_is_sent(rig, composed):
    mpc, *_ = rig.planner(composed)
    chunk = answer(rig)
    assert rig.robot.plans == [] and rig.robot.commands == []
    result = rig.result(rig.send_goals(GOAL))
    assert result.steps == 1
    (plan,) = moves(rig)
    assert (chunk.status, len(chunk.poses)) == (Response.CHUNK_PRODUCED, len(plan.poses))
    np.testing.assert_allclose(path(chunk), path(plan), atol=1e-5)
    time_step_s = mpc._contract.action.time_step_s
    assert chunk.native_control_period == time_step_s and chunk.header.frame_id == plan.header.frame_id
    assert chunk.energy > chunk.tolerance == pytest.approx(1e-9) and np.isfinite(chunk.planned_energy)
    assert np.isnan(chunk.certainty)


def test_a_goal_that_is_reached_needs_no_actions(ready):
    done = answer(ready, goals=[goal_of(*ready.robot.views)])
    assert (done.status, list(done.poses)) == (Response.DONE, [])
    assert done.message.startswith("the last goal image is reached")


def test_pictures_and_an_arm_that_are_given_are_planned_on_in_place_of_what_is_seen(ready, client):
    front, side = ready.robot.views
    state = copy.deepcopy(ready.state())
    seen = client.action_chunk([GOAL])
    images = [array_to_image(side), array_to_image(front)]
    given = client.action_chunk([GOAL], images=images, image_names=["side", "front"], robot_state=state)
    np.testing.assert_allclose(path(given), path(seen), atol=1e-4)
    present_arm = client.action_chunk([GOAL], images=images, image_names=["side", "front"])
    np.testing.assert_allclose(path(present_arm), path(seen), atol=1e-4)
    others = [array_to_image(picture(31)), array_to_image(picture(32))]
    assert client.action_chunk([GOAL], images=others).energy != pytest.approx(seen.energy, rel=1e-3)
    assert given.energy == present_arm.energy == pytest.approx(seen.energy, rel=1e-6)
    state.commanded_pose.position.x += 0.05
    moved = client.action_chunk([GOAL], images=images, image_names=["side", "front"], robot_state=state)
    assert path(moved)[0, 0] == pytest.approx(path(seen)[0, 0] + 0.05, abs=0.03)


IMAGES = [array_to_image(view) for view in FAR]
ARM = ArmState()
ARM.header.frame_id = "panda_link0"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"goals": []}, "no goal image was given"),
        ({"goals": [goal_of(picture(1))]}, "goal image 1: image.views"),
        ({"images": IMAGES[:1]}, "1 images came; expected one for each of the model's views: front, side"),
        ({"images": IMAGES, "image_names": ["front"]}, "1 views are named (front), and 2 pictures given"),
        ({"images": IMAGES, "image_names": ["front", "wrist"]}, "'side' is needed"),
        ({"images": IMAGES, "robot_state": ArmState(header=ARM.header, mode=9)}, "mode is 9"),
        ({"robot_state": ARM}, "robot_state is given without images"),
    ],
)
def test_a_request_that_cannot_be_planned_for_is_refused_by_name(ready, fields, words):
    refused = answer(ready, **fields)
    assert (refused.status, refused.code) == (Response.ERROR, Outcome.INVALID_GOAL), refused.message
    assert words in refused.message


def test_a_chunk_is_refused_while_a_goal_is_pursued_and_planned_after_it(ready, client):
    handle = under_way(ready)
    with pytest.raises(PlannerError, match="PREEMPTED: a goal is pursued: wait for its end, or cancel it"):
        client.action_chunk([GOAL], timeout_s=5.0)
    ready.until(ready.ask(handle.cancel_goal_async).done)
    assert ready.result(handle).outcome is Outcome.CANCELLED
    assert client.action_chunk([GOAL]).poses
    assert ready.result(ready.send_goals(GOAL)).outcome is Outcome.BUDGET_SPENT


def test_a_goal_that_comes_ends_a_chunk_that_is_being_planned(rig, monkeypatch):
    _, encoder, _ = rig.planner()
    slow = SlowEncoder(encoder, monkeypatch)
    future = asked(rig)
    assert slow.began.wait(10.0)
    handle = rig.send_goals(ENDLESS)
    slow.go_on.set()
    rig.until(future.done)
    assert (future.result().status, future.result().code) == (Response.ERROR, Outcome.PREEMPTED)
    rig.until(lambda: len(moves(rig)) >= 1)
    rig.ask(handle.cancel_goal_async)
    assert rig.result(handle).outcome is Outcome.CANCELLED


def test_what_does_not_come_is_named(rig):
    rig.robot.images_on = False
    mpc, *_ = rig.planner(start_timeout_s=0.3)
    late = answer(rig)
    assert (late.status, late.code) == (Response.ERROR, Outcome.STALE_IMAGE)
    assert f"{rig.namespace}/front/image_raw" in late.message
    rig.thread(mpc).call(mpc.trigger_deactivate)
    assert answer(rig).code == Outcome.DEACTIVATED


@pytest.mark.parametrize("executor", EXECUTORS)
def test_callers_at_once_each_get_their_own_answer_and_no_thread_is_busy(rig, monkeypatch, executor):
    monkeypatch.setattr(running, "NodeExecutor", executor)
    _, encoder, _ = rig.planner()
    slow = SlowEncoder(encoder, monkeypatch)
    futures = [asked(rig, goals=[goal]) for goal in (GOAL, goal_of(*rig.robot.views), GOAL)]
    assert slow.began.wait(10.0)
    began_s = time.thread_time()
    time.sleep(0.3)
    assert time.thread_time() - began_s < 0.2
    slow.go_on.set()
    rig.until(lambda: all(future.done() for future in futures))
    assert [future.result().status for future in futures] == [
        Response.CHUNK_PRODUCED, Response.DONE, Response.CHUNK_PRODUCED
    ]  # fmt: skip
