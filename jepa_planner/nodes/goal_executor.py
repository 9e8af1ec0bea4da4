"""Observe, plan, act, until the goal is reached or there is a reason to stop. No ROS: the node passes in its hands."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import NoReturn, Protocol

from jepa_planner.control.arm_executive import Mode
from jepa_planner.control.watchdog import Watchdog
from jepa_planner.core.observation import Observation
from jepa_planner.core.status import OK, Status, StatusCode
from jepa_planner.nodes.state_buffer import READER, ArmReport, StateBuffer
from jepa_planner.nodes.step_clock import StepClock, StepSeconds
from jepa_planner.planning.decision import Decision, DecisionKind
from jepa_planner.planning.factory import Controller

SAME_MOMENT_S = 1e-6
"""Stamps are whole nanoseconds and times are floats: what lies closer together is one moment."""
TELL_PERIOD_S = 1.0
"""A wait that lasts tells so often what it waits for."""


class Outcome(IntEnum):
    """How a goal ended; the numbers are those of jepa_planner/action/ReachGoalImage."""

    REACHED = 0
    BUDGET_SPENT = 1
    CANCELLED = 2
    PREEMPTED = 3
    STALE_IMAGE = 4
    STALE_JOINT_STATE = 5
    STALE_GOAL = 6
    INVALID_LATENT = 7
    INVALID_ENERGY = 8
    INVALID_PLAN = 9
    PREDICTOR_TIMEOUT = 10
    PREDICTOR_FAILED = 11
    ENCODER_FAILED = 12
    ARM_STOPPED = 13
    ARM_REFUSED = 14
    DEACTIVATED = 15
    INVALID_GOAL = 16
    INTERNAL_ERROR = 17
    INVALID_STATE = 18
    UNFAMILIAR_IMAGE = 19
    UNFAMILIAR_GOAL = 20
    SURPRISED = 21
    STALLED = 22
    ARM_NOT_FOLLOWING = 23
    GRIPPER_NOT_FOLLOWING = 24
    NOBODY_LISTENS = 25
    ARM_CONTESTED = 26


class Ended(Exception):
    """Ends the execution of a goal with a coded outcome and its explanation."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.message = message


@dataclass(frozen=True)
class ExecutorSettings:
    """What ends the execution of a goal; waits are on the wall clock."""

    start_timeout_s: float = 10.0
    """Longest wait for a goal's first observation, more than 0."""
    settle_s: float = 0.03
    """An image counts when taken so long after the arm came to rest; at least 0."""
    arm_answer_timeout_s: float = 2.0
    """Longest wait for the arm to take a plan, more than 0."""
    motion_timeout_s: float = 10.0
    """Longest wait for the arm to rest and be seen, more than 0."""
    goal_timeout_s: float = 600.0
    """Age at which a stamped goal image ends the goal, more than 0."""
    max_refusals: int = 3
    """The goal ends when the arm refuses so many plans in a row; at least 1."""


class Sink(Protocol):
    """What the execution of a goal may do; implemented by the node."""

    def send(self, decision: Decision, observation: Observation, arm: ArmReport, spent: StepSeconds) -> int:
        """Publishes the plan of a decision and returns its id; spent: what the step before it took."""
        ...

    def hold(self) -> None:
        """Tells the arm to brake."""
        ...

    def want_picture(self, from_s: float) -> None:
        """Tells cameras that can be triggered from when on a picture is wanted."""
        ...

    def report(self, decision: Decision | None, status: str) -> None:
        """Lets people know."""
        ...


class GoalExecutor:
    """Runs one goal to its end in the calling thread; any thread may interrupt it.

    `prepare` encodes the goal images and returns a controller that holds them; it may take long, and may raise Ended.
    An observation is used only when its image and its joint state are from after the arm was heard to rest.
    goal_stamp_s: of the oldest goal image, 0 where none carries one.
    """

    def __init__(
        self,
        prepare: Callable[[], Controller],
        state_buffer: StateBuffer,
        sink: Sink,
        settings: ExecutorSettings,
        now_s: Callable[[], float],
        state_channels: int,
        goal_stamp_s: float = 0.0,
    ) -> None:
        self.steps = 0
        self.last: Decision | None = None
        self._prepare = prepare
        self._buffer = state_buffer
        self._sink = sink
        self._settings = settings
        self._now_s = now_s
        self._state_channels = state_channels
        self._goal_stamp_s = goal_stamp_s
        self._clock = StepClock()
        self._goal_image = Watchdog("goal image", settings.goal_timeout_s, state_buffer.lead_tolerance_s, READER)
        self._interruption: Ended | None = None
        self._sending = threading.Lock()
        self._sent_id = 0

    def interrupt(self, outcome: Outcome, message: str) -> None:
        """Ends the execution from another thread; the arm is told at once, and no plan leaves after that.

        One that has an end already keeps it, and lets the arm alone, which may be another goal's by now.
        """
        with self._sending:
            if self._interruption is not None:
                return
            self._interruption = Ended(outcome, message)
            self._sink.hold()
        with self._buffer.changed:
            self._buffer.changed.notify_all()

    def check(self) -> None:
        """Raises Ended when the execution was interrupted or its goal has grown too old."""
        if self._interruption is not None:
            raise self._interruption
        now_s = self._now_s()
        if self._goal_stamp_s <= 0 or now_s <= 0:  # no stamp, or simulated time that has not begun
            return
        if self._goal_image.stamp_s is None:
            self._goal_image.feed(self._goal_stamp_s, now_s)
        if not (goal_image := self._goal_image.status(now_s)).ok:
            raise Ended(Outcome.STALE_GOAL, goal_image.text)

    def run(self) -> Ended:
        """Pursues the goals to their end and returns it; unless reached, the arm was then told to hold."""
        try:
            self._execute()
        except Ended as reason:
            end = reason
        except Exception as error:
            end = Ended(Outcome.INTERNAL_ERROR, f"{type(error).__name__}: {error}")
        with self._sending:
            self._interruption = self._interruption or end
            if end.outcome is not Outcome.REACHED:
                self._sink.hold()
        return end

    def decide(
        self, seen: Callable[[], tuple[Observation, ArmReport]] | None = None
    ) -> tuple[Decision, Observation, ArmReport]:
        """The first decision alone, in the calling thread: nothing is sent. Raises Ended where there can be none.

        seen: what is decided on; None: what is seen once the arm rests.
        """
        self.check()
        controller = self._prepare()
        try:
            observation, arm = (seen or self._observe)()
        finally:
            self._buffer.wanted_from_s = math.inf
        decision = controller.step(observation.with_state(arm.state(self._state_channels)))
        self.check()
        return decision, observation, arm

    def _execute(self) -> NoReturn:
        refusals = 0
        self.check()
        controller = self._prepare()
        while True:
            try:
                observation, arm = self._observe()
            finally:
                self._buffer.wanted_from_s = math.inf
            decision = controller.step(observation.with_state(arm.state(self._state_channels)))
            self.last = decision
            self.check()
            if decision.kind is not DecisionKind.MOVE:
                self._sink.report(decision, decision.reason.value)
                raise Ended(Outcome[decision.reason.name], decision.message)
            with self._sending:
                self.check()
                plan_id = self._sent_id = self._sink.send(decision, observation, arm, self._clock.plan())
            self._sink.report(decision, "moving" if decision.imagined is None else f"moving to {decision.imagined}")
            answer = self._wait_for_answer(plan_id)
            self._clock.end("answer")
            if answer.ok:
                refusals = 0
                self.steps += 1
                continue
            refusals += 1
            controller.forget_last_action()
            if refusals >= self._settings.max_refusals:
                raise Ended(Outcome.ARM_REFUSED, f"the arm refused {refusals} plans in a row; last: {answer.text}")

    def _observe(self) -> tuple[Observation, ArmReport]:
        """Waits until the arm rests and an image shows it at rest; raises Ended naming what did not come.

        Nodes find each other one by one, so the first observation of a goal, before which nothing was commanded, waits
        longest.
        """
        start_s = self._settings.start_timeout_s if self.last is None else 0.0
        asked_s = self._now_s() if self.last is None else 0.0  # before the goal came, others may have moved the scene
        blind_s = min(self._settings.settle_s + self._buffer.image_timeout_s, self._settings.motion_timeout_s)
        began_s = wanted_since_s = told_s = time.monotonic()
        while True:
            with self._buffer.changed:
                self.check()
                arm = self._heard()
                settled_s = self._want_picture(arm, asked_s)
                if not math.isfinite(settled_s):
                    wanted_since_s = time.monotonic()
                if arm is not None and arm.mode is Mode.STOPPED:
                    raise Ended(Outcome.ARM_STOPPED, f"the arm is stopped: {arm.reason}")
                waited_s = time.monotonic() - began_s
                joints, image = self._buffer.arm_status(), self._buffer.image_status()
                if not joints.ok and waited_s > max(start_s, self._buffer.arm_timeout_s):
                    raise Ended(Outcome.STALE_JOINT_STATE, joints.text)
                unseen_s = time.monotonic() - wanted_since_s
                if not image.ok and unseen_s > max(start_s, blind_s):
                    raise Ended(Outcome.STALE_IMAGE, image.text)
                rests = arm is not None and arm.mode is Mode.HOLDING and not arm.moving
                if joints.ok and image.ok and rests:
                    self._clock.end("motion")
                    observation, report = self._buffer.moment()
                    if observation.stamp_s >= settled_s and report.stamp_s >= settled_s:
                        self._clock.end("picture", ago_s=self._now_s() - observation.stamp_s)
                        self._clock.end("encoding")
                        return observation, report
                if waited_s > max(start_s, self._settings.motion_timeout_s):
                    state = "moving" if arm is not None and arm.moving else "seen at rest"
                    raise Ended(Outcome.ARM_REFUSED, f"the arm was not {state} and observed within {waited_s:.1f} s")
                self._buffer.changed.wait(0.02)
            waits_for = image if joints.ok else joints
            if not waits_for.ok and time.monotonic() - told_s > TELL_PERIOD_S:
                told_s = time.monotonic()
                self._sink.report(None, f"waiting: {waits_for.text}")

    def _heard(self) -> ArmReport | None:
        """What the arm said last; raises Ended where the last plan found it at fault, or brought it to that."""
        arm = self._buffer.arm
        if (
            arm is not None
            and not arm.fault.ok
            and self._sent_id
            and self._sent_id in (arm.plan_id, arm.refused_plan_id)
        ):
            raise Ended(Outcome[arm.fault.code.name], arm.fault.text)
        return arm

    def _want_picture(self, arm: ArmReport | None, asked_s: float) -> float:
        """From when on pictures count, infinite while the arm moves; encoder and cameras are told."""
        settled_s = math.inf
        if arm is not None and not arm.moving:
            settled_s = max(asked_s, arm.rest_since_s + self._settings.settle_s) - SAME_MOMENT_S
        if settled_s != self._buffer.wanted_from_s:
            self._buffer.wanted_from_s = settled_s
            if math.isfinite(settled_s):
                self._sink.want_picture(settled_s)
        return settled_s

    def _wait_for_answer(self, plan_id: int) -> Status:
        """Waits until the arm has taken or refused a plan."""
        deadline_s = time.monotonic() + self._settings.arm_answer_timeout_s
        with self._buffer.changed:
            while True:
                self.check()
                arm = self._heard()
                if arm is not None and arm.refused_plan_id == plan_id:
                    return Status(StatusCode.REFUSED, arm.reason)
                if arm is not None and arm.plan_id == plan_id:
                    return OK
                if time.monotonic() > deadline_s:
                    if not (joints := self._buffer.arm_status()).ok:
                        raise Ended(Outcome.STALE_JOINT_STATE, joints.text)
                    limit_s = self._settings.arm_answer_timeout_s
                    raise Ended(Outcome.ARM_REFUSED, f"the arm did not answer plan {plan_id} within {limit_s:.1f} s")
                self._buffer.changed.wait(0.02)
