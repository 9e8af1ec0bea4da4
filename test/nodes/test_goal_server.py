"""Goals that come close together, end early or must wait: each its own end, and no thread that works for nothing."""

import os
import threading
import time
from collections.abc import Callable

import pytest
from action_msgs.msg import GoalStatus
from harness import ENDLESS, FAR, Rig, goal_of, moves, under_way
from jepa_planner.action import ReachGoalImage
from jepa_planner.msg import GoalEvent
from rclpy.executors import SingleThreadedExecutor

from jepa_planner.nodes import running
from jepa_planner.nodes.client import PlannerClient, PlannerError
from jepa_planner.nodes.conversions import seconds
from jepa_planner.nodes.encoder_node import EncoderNode
from jepa_planner.nodes.goal_executor import Outcome
from jepa_planner.nodes.mpc_node import MpcNode

EXECUTORS = [running.NodeExecutor, SingleThreadedExecutor]
BUSY = 0.25
"""Share of a core; a node on these machines takes up to 0.15 for its messages, and one that waits busily 0.9."""


def seconds_of_threads() -> dict[str, float]:
    """CPU time of every Python thread of this process, and of all others together."""
    names = {str(thread.native_id): thread.name for thread in threading.enumerate()}
    seconds: dict[str, float] = {}
    for thread in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{thread}/schedstat") as numbers:
            name = names.get(thread, "other threads")
            seconds[name] = seconds.get(name, 0.0) + int(numbers.read().split()[0]) * 1e-9
    return seconds


def while_held(rig: Rig, node: MpcNode, work: Callable[[], object]) -> None:
    """Does something while a node's thread is held, so that it then finds all that came at once."""
    holding, go_on = threading.Event(), threading.Event()
    holder = threading.Thread(target=lambda: rig.thread(node).call(lambda: (holding.set(), go_on.wait(10.0)), 10.0))
    holder.start()
    assert holding.wait(10.0)
    work()
    go_on.set()
    holder.join()


class SlowEncoder:
    """Lets an encoder node of this process begin with a picture, and go on when told to."""

    def __init__(self, encoder: EncoderNode, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.began, self.go_on = threading.Event(), threading.Event()
        self._encode = encoder.encode_goal
        monkeypatch.setattr(encoder, "encode_goal", self)

    def __call__(self, images):
        self.count += 1
        self.began.set()
        assert self.go_on.wait(10.0)
        return self._encode(images)


def send(rig: Rig, *goals):
    """Futures of the answers to goals that are sent one after another."""
    requests = [ReachGoalImage.Goal(goals=[goal]) for goal in goals]
    return [rig.ask(lambda request=request: rig.reach.send_goal_async(request)) for request in requests]


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("composed", [True, False], ids=["composed", "apart"])
def test_no_thread_is_busy_while_a_goal_waits(rig, monkeypatch, composed, executor):
    monkeypatch.setattr(running, "NodeExecutor", executor)
    rig.planner(composed, image_timeout_s=30.0)
    handle = under_way(rig)
    rig.robot.images_on = False
    rig.commands_settle()
    before, began_s = seconds_of_threads(), time.monotonic()
    time.sleep(1.5)
    after, waited_s = seconds_of_threads(), time.monotonic() - began_s
    shares = {name: (after[name] - before[name]) / waited_s for name in before}
    assert {"mpc_node", "arm_node", "encoder_node", "predictor_node", "goal_executor"} <= shares.keys()
    assert max(shares.values()) < BUSY, shares
    rig.robot.images_on = True
    sent = len(moves(rig))
    rig.until(lambda: len(moves(rig)) > sent)
    cancelled = rig.ask(handle.cancel_goal_async)
    rig.until(cancelled.done)
    assert rig.result(handle).outcome is Outcome.CANCELLED


def test_a_goal_is_executing_while_it_is_pursued(rig):
    rig.planner()
    handle = under_way(rig)
    rig.until(lambda: handle.status == GoalStatus.STATUS_EXECUTING)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_two_goals_accepted_at_once_are_pursued_with_the_pictures_of_each(rig, monkeypatch, executor):
    monkeypatch.setattr(running, "NodeExecutor", executor)
    mpc, _, _ = rig.planner()
    sent = []
    while_held(rig, mpc, lambda: sent.extend(send(rig, ENDLESS, goal_of(*rig.robot.views))))
    rig.until(lambda: all(answer.done() for answer in sent))
    first, second = (rig.result(answer.result()) for answer in sent)
    assert (first.outcome, first.steps) == (Outcome.PREEMPTED, 0)
    assert second.outcome is Outcome.REACHED
    assert moves(rig) == []


def test_cancelling_an_older_goal_leaves_the_newer_alone(rig, monkeypatch):
    _, encoder, _ = rig.planner()
    slow = SlowEncoder(encoder, monkeypatch)
    old = rig.send_goals(ENDLESS)
    assert slow.began.wait(10.0)
    new = rig.send_goals(goal_of(*FAR, budget=2, tolerance=1e-9))
    cancelled = rig.ask(old.cancel_goal_async)
    rig.until(cancelled.done)
    slow.go_on.set()
    assert rig.result(old).outcome is Outcome.PREEMPTED
    assert rig.result(new).outcome is Outcome.BUDGET_SPENT


def test_a_goal_cancelled_while_it_waits_for_its_turn_is_not_begun(rig, monkeypatch):
    _, encoder, _ = rig.planner()
    slow = SlowEncoder(encoder, monkeypatch)
    old = rig.send_goals(ENDLESS)
    assert slow.began.wait(10.0)
    new = rig.send_goals(ENDLESS)
    cancelled = rig.ask(new.cancel_goal_async)
    rig.until(cancelled.done)
    slow.go_on.set()
    assert rig.result(old).outcome is Outcome.PREEMPTED
    assert rig.result(new).outcome is Outcome.CANCELLED
    assert slow.count == 1


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("end", ["trigger_shutdown", "trigger_cleanup"])
def test_who_sent_a_goal_hears_of_its_end_when_the_planner_goes_down(rig, monkeypatch, end, executor):
    monkeypatch.setattr(running, "NodeExecutor", executor)
    mpc, _, _ = rig.planner()
    handle = under_way(rig)
    ended = rig.ask(handle.get_result_async)
    time.sleep(0.2)  # until the request for the result is with the node; nothing tells when it is

    def go_down() -> None:
        mpc.trigger_deactivate()
        getattr(mpc, end)()

    assert rig.thread(mpc).call(go_down)
    rig.until(ended.done)
    assert ended.result().result.code == Outcome.DEACTIVATED
    assert ended.result().result.message == "the planner was deactivated"
    rig.until(lambda: [event.kind for event in rig.told(handle)] == [GoalEvent.BEGAN, GoalEvent.ENDED])
    assert rig.told(handle)[-1].code == Outcome.DEACTIVATED


def test_a_goal_that_waits_for_its_turn_ends_with_the_planners_deactivation(rig, monkeypatch):
    mpc, encoder, _ = rig.planner()
    slow = SlowEncoder(encoder, monkeypatch)
    old = rig.send_goals(ENDLESS)
    assert slow.began.wait(10.0)
    new = rig.send_goals(ENDLESS)
    threading.Timer(0.2, slow.go_on.set).start()  # while the planner waits for both to end
    assert rig.thread(mpc).call(mpc.trigger_deactivate, 10.0)
    assert rig.result(old).outcome is Outcome.PREEMPTED
    assert rig.result(new).outcome is Outcome.DEACTIVATED
    assert slow.count == 1


def test_a_goal_that_its_planner_lost_is_not_taken_for_reached(rig, monkeypatch):
    """rclpy then sends an empty result, whose code is that of a goal that was reached."""
    mpc, _, _ = rig.planner()
    monkeypatch.setattr(mpc._goals, "_result", lambda *_: 1 / 0)
    with PlannerClient(rig.namespace) as client:
        client.wait_for_planner()
        with pytest.raises(PlannerError, match="lost the goal"):
            client.reach([goal_of(*FAR, budget=1, tolerance=1e-9)])


def test_the_event_of_a_beginning_holds_the_goal_as_asked_for_and_that_of_its_end_the_result(rig):
    rig.planner()
    asked = [goal_of(*FAR, budget=1, tolerance=2.0**-30), goal_of(*FAR, budget=1, tolerance=2.0**-31)]
    handle = rig.send_goals(*asked)
    result = rig.result(handle)
    began, ended = rig.told(handle)
    assert list(began.goals) == asked and list(ended.goals) == []
    assert (ended.code, ended.steps) == (result.outcome, result.steps) == (Outcome.BUDGET_SPENT, 2)
    assert ended.final_energy == pytest.approx(result.final_energy)
    assert 0.0 < seconds(began.header.stamp) < seconds(ended.header.stamp)


def test_an_event_that_cannot_be_told_leaves_the_goal_alone(rig, monkeypatch):
    mpc, _, _ = rig.planner()
    monkeypatch.setattr(mpc._goals._events._publisher, "publish", lambda _: 1 / 0)
    rig.hears_goals = False
    assert rig.result(rig.send_goals(goal_of(*FAR, budget=1, tolerance=1e-9))).outcome is Outcome.BUDGET_SPENT
