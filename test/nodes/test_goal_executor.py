"""Observe, plan, act, without ROS: a clock that the test moves, hands that remember."""

import math
import threading

import numpy as np
import pytest
import torch
from small_models import small_world_model
from small_planner import ENERGY, small_planner

from jepa_planner.control.arm_executive import Mode
from jepa_planner.core.observation import Observation
from jepa_planner.nodes.goal_executor import Ended, ExecutorSettings, GoalExecutor, Outcome
from jepa_planner.nodes.state_buffer import ArmReport, StateBuffer
from jepa_planner.nodes.step_clock import StepClock, StepSeconds
from jepa_planner.planning.decision import Decision, DecisionKind, Goal, Reason
from jepa_planner.planning.factory import ControllerFactory
from jepa_planner.planning.rollout_cost import WorldModelCost

SETTINGS = ExecutorSettings(
    start_timeout_s=0.1, arm_answer_timeout_s=5.0, motion_timeout_s=0.5, goal_timeout_s=10.0, max_refusals=2
)


MAX_PLANS = 50


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def report(stamp_s: float = 100.0, **changes) -> ArmReport:
    values = {
        "mode": Mode.HOLDING, "moving": False, "reason": "a test", "rest_since_s": 0.0, "plan_id": 0,
        "refused_plan_id": 0, "pose": np.zeros(6), "commanded_pose": np.zeros(6), "closure_commanded": 0.0,
        "closure_measured": 0.0,
    }  # fmt: skip
    return ArmReport(stamp_s=stamp_s, **{**values, **changes})


class Sink:
    """Remembers plans and holds; answers a plan as an arm that moves at once and rests again."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.plans: list[Decision] = []
        self.spent: list[StepSeconds] = []
        self.wanted_from_s: list[float] = []
        self.reports: list[tuple[Decision | None, str]] = []
        self.holds = 0

    def send(self, decision: Decision, observation: Observation, arm: ArmReport, spent: StepSeconds) -> int:
        assert len(self.plans) < MAX_PLANS, "the execution has no end"
        self.plans.append(decision)
        self.spent.append(spent)
        self._world.after_plan(len(self.plans))
        return len(self.plans)

    def want_picture(self, from_s: float) -> None:
        self.wanted_from_s.append(from_s)

    def hold(self) -> None:
        self.holds += 1

    def report(self, decision: Decision | None, status: str) -> None:
        self.reports.append((decision, status))


class Controller:
    """Moves for ever; `during` is called while it thinks."""

    def __init__(self) -> None:
        self.during = lambda: None
        self.steps = 0

    def step(self, observation) -> Decision:
        self.during()
        self.steps += 1
        return Decision(
            DecisionKind.MOVE, Reason.ON_THE_WAY, "", 1.0, 0, 0, self.steps, self.steps, action=np.zeros(7, np.float32)
        )

    def forget_last_action(self) -> None:
        self.steps -= 1


class World:
    """A goal executor with all around it; senses are fresh until the test says otherwise."""

    def __init__(self, goal_stamp_s: float = 0.0) -> None:
        self.clock, self.sink, self.controller = Clock(), Sink(self), Controller()
        self.state_buffer = StateBuffer(image_timeout_s=0.5, arm_timeout_s=0.5, now_s=self.clock)
        self.executor = GoalExecutor(
            lambda: self.controller, self.state_buffer, self.sink, SETTINGS, self.clock, 8, goal_stamp_s=goal_stamp_s
        )
        self.after_plan = self.arrive

    def arrive(self, plan_id: int = 0, image: bool = True, arm: bool = True) -> None:
        """Half a second later the arm has taken the plan and rests, and after as long again there is news of both."""
        rest_since_s = self.clock.now_s + 0.5
        for now_s in (rest_since_s, rest_since_s + 0.5):
            self.clock.now_s = now_s
            if arm:
                self.state_buffer.feel(report(now_s, plan_id=plan_id, rest_since_s=rest_since_s))
        if image:
            self.state_buffer.see(Observation(torch.zeros(2, 2), stamp_s=self.clock.now_s))

    def silence_after(self, plans: int, **arrivals: bool) -> None:
        """From that plan on, only these arrive."""
        self.after_plan = lambda plan_id: self.arrive(plan_id, **(arrivals if plan_id >= plans else {}))


@pytest.fixture
def world() -> World:
    made = World()
    made.arrive()
    return made


def test_nothing_is_sent_before_the_first_image():
    world = World()
    world.arrive(image=False)
    assert world.executor.run().outcome is Outcome.STALE_IMAGE
    assert world.sink.plans == []


def test_nothing_is_sent_before_the_first_joint_state():
    world = World()
    world.arrive(arm=False)
    assert world.executor.run().outcome is Outcome.STALE_JOINT_STATE
    assert world.sink.plans == []


def test_a_picture_from_before_the_goal_is_not_planned_from(world):
    """Whoever sends a goal may have moved the scene just before."""
    world.clock.now_s += 0.2
    end = world.executor.run()
    assert end.outcome is Outcome.ARM_REFUSED and "observed within" in end.message
    assert world.sink.plans == []


def test_an_old_image_ends_the_goal_by_name(world):
    world.silence_after(2, image=False)
    end = world.executor.run()
    assert end.outcome is Outcome.STALE_IMAGE
    assert "image is stale: 1.00 s old, limit 0.50 s" in end.message
    assert len(world.sink.plans) == 2 and world.sink.holds


def test_a_latent_that_repeats_its_stamp_ends_the_goal_by_name(world):
    """A frozen camera keeps sending, with the stamp of its last picture."""

    def freeze(plan_id: int) -> None:
        world.arrive(plan_id, image=plan_id < 2)
        world.state_buffer.see(Observation(torch.zeros(2, 2), stamp_s=102.0))

    world.after_plan = freeze
    end = world.executor.run()
    assert end.outcome is Outcome.STALE_IMAGE
    assert len(world.sink.plans) == 2


def test_an_old_joint_state_ends_the_goal_by_name(world):
    def silence(plan_id: int) -> None:
        world.arrive(plan_id)
        if plan_id == 2:
            world.clock.now_s += 1.0
            world.state_buffer.see(Observation(torch.zeros(2, 2), stamp_s=world.clock.now_s))

    world.after_plan = silence
    end = world.executor.run()
    assert end.outcome is Outcome.STALE_JOINT_STATE
    assert "joint state is stale" in end.message
    assert len(world.sink.plans) == 2 and world.sink.holds


def test_an_old_goal_image_ends_the_goal_by_name():
    world = World(goal_stamp_s=95.0)
    world.arrive()
    end = world.executor.run()
    assert end.outcome is Outcome.STALE_GOAL
    assert "limit 10.00 s" in end.message
    assert 0 < len(world.sink.plans) <= 5


def test_a_goal_image_stamped_ahead_of_the_clock_ends_the_goal_by_name():
    world = World(goal_stamp_s=104.0)
    world.arrive()
    end = world.executor.run()
    assert end.outcome is Outcome.STALE_GOAL
    assert "goal image is stamped 3.00 s ahead of mpc_node's clock" in end.message


def test_no_plan_leaves_after_a_cancellation(world):
    """Not even one that was cancelled while it was thought out and already judged."""

    class Late:
        """Lets the cancellation in at the last moment: when the executor takes the lock to send."""

        def __enter__(self):
            world.executor._interruption = cancelled

        def __exit__(self, *_):
            pass

    world.executor.interrupt(Outcome.CANCELLED, "a test")
    cancelled, world.executor._interruption = world.executor._interruption, None
    world.executor._sending = Late()
    assert world.executor.run().outcome is Outcome.CANCELLED
    assert world.sink.plans == []


def test_a_cancellation_holds_the_arm_at_once(world):
    """It does not wait for the thread that thinks."""
    thinking, may_end, held = threading.Event(), threading.Event(), []

    def think() -> None:
        thinking.set()
        may_end.wait(10.0)

    world.controller.during = think
    thread = threading.Thread(target=world.executor.run)
    thread.start()
    assert thinking.wait(10.0)
    world.executor.interrupt(Outcome.CANCELLED, "a test")
    held.append(world.sink.holds)
    may_end.set()
    thread.join(10.0)
    assert held == [1]
    assert world.sink.plans == []


def test_a_stopped_arm_ends_the_goal_by_name(world):
    stopped = report(101.5, plan_id=1, mode=Mode.STOPPED, reason="button")
    world.after_plan = lambda plan_id: world.state_buffer.feel(stopped)
    end = world.executor.run()
    assert (end.outcome, end.message) == (Outcome.ARM_STOPPED, "the arm is stopped: button")


def test_a_picture_from_before_the_arm_came_to_rest_is_not_planned_on(world):
    def early(plan_id: int) -> None:
        world.arrive(plan_id)
        world.clock.now_s += 0.1
        world.state_buffer.feel(report(world.clock.now_s, plan_id=plan_id, rest_since_s=world.clock.now_s - 0.05))

    world.after_plan = early
    assert world.executor.run().outcome is Outcome.ARM_REFUSED
    assert len(world.sink.plans) == 1


def test_a_planner_that_breaks_holds_the_arm_and_says_how(world):
    world.controller.during = lambda: 1 / 0
    end = world.executor.run()
    assert end.outcome is Outcome.INTERNAL_ERROR
    assert "ZeroDivisionError" in end.message
    assert world.sink.holds == 1


def pursue_with_refusals(world: World, budget_steps: int, refused: tuple[int, ...]):
    """A goal far away, pursued by a real controller; the arm refuses the plans of these numbers, and stays."""
    model = small_world_model()
    factory = ControllerFactory(model.contract, small_planner(), WorldModelCost(model, ENERGY), ENERGY)
    world.controller = factory.controller([Goal(Observation(torch.full((3, 4), 9.0)), budget_steps, tolerance=1e-9)])

    def answer(plan_id: int) -> None:
        ids = {"refused_plan_id" if plan_id in refused else "plan_id": plan_id}
        rest_since_s = world.clock.now_s + 0.5
        for now_s in (rest_since_s, rest_since_s + 0.5):
            world.clock.now_s = now_s
            world.state_buffer.feel(report(now_s, rest_since_s=rest_since_s, **ids))
        world.state_buffer.see(Observation(torch.zeros(3, 4), stamp_s=world.clock.now_s))

    world.after_plan = answer
    answer(0)
    return world.executor.run()


@pytest.mark.parametrize(
    ("budget_steps", "refused"), [(1, ()), (1, (1,)), (2, (2,)), (3, (1, 3, 5))], ids=["never", "1st", "2nd", "often"]
)
def test_a_plan_that_the_arm_refuses_is_no_step_of_the_budget(budget_steps, refused):
    world = World()
    end = pursue_with_refusals(world, budget_steps, refused)
    assert end.outcome is Outcome.BUDGET_SPENT, end.message
    assert world.executor.steps == budget_steps
    assert len(world.sink.plans) == budget_steps + len(refused)
    assert f"after {budget_steps} steps" in end.message


def test_an_arm_that_refuses_plan_after_plan_ends_the_goal():
    world = World()
    end = pursue_with_refusals(world, 5, refused=(2, 3))
    assert end.outcome is Outcome.ARM_REFUSED and "refused 2 plans in a row" in end.message
    assert (world.executor.steps, world.sink.plans[-1].total_steps) == (1, 2)


def test_each_observation_asks_once_for_a_picture_from_when_the_arm_has_settled(world):
    world.silence_after(3, image=False)
    world.executor.run()
    rests_s = [101.5, 102.5, 103.5]
    assert world.sink.wanted_from_s[1:] == pytest.approx([rest_s + SETTINGS.settle_s for rest_s in rests_s], abs=2e-6)


def test_a_picture_taken_the_moment_the_arm_has_settled_counts(world):
    """That moment is a float, and its stamp whole nanoseconds."""

    def settle(plan_id: int) -> None:
        world.clock.now_s += 0.5
        rest_since_s = world.clock.now_s
        stamp_s = rest_since_s + SETTINGS.settle_s - 1e-9
        world.state_buffer.feel(report(rest_since_s, plan_id=plan_id, rest_since_s=rest_since_s))
        world.clock.now_s += SETTINGS.settle_s
        world.state_buffer.feel(report(stamp_s, plan_id=plan_id, rest_since_s=rest_since_s))
        world.state_buffer.see(Observation(torch.zeros(2, 2), stamp_s=stamp_s))
        if plan_id == 3:
            raise Ended(Outcome.CANCELLED, "enough")

    world.after_plan = settle
    assert world.executor.run().outcome is Outcome.CANCELLED
    assert len(world.sink.plans) == 3


def test_the_seconds_of_each_step_go_with_the_plan_after_it(world):
    world.executor._clock = StepClock(world.clock)

    def arrive(plan_id: int) -> None:
        world.arrive(plan_id)
        if plan_id == 3:
            raise Ended(Outcome.CANCELLED, "enough")

    world.after_plan = arrive
    world.executor.run()
    first, *later = world.sink.spent
    assert math.isnan(first.step)
    assert [spent.step for spent in later] == pytest.approx([1.0, 1.0])


def test_the_last_observation_is_told_as_well():
    world = World()
    pursue_with_refusals(world, 1, refused=())
    decision, status = world.sink.reports[-1]
    assert (decision.kind, decision.total_steps, status) == (DecisionKind.GAVE_UP, 1, "the steps allowed are spent")
