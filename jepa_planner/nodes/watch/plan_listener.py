"""Plans with what they were made from, as a running planner tells them, imagined again for people."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from rclpy.node import Node

from jepa_planner.core.poses import action_between
from jepa_planner.model.rollout.threads import one_core
from jepa_planner.msg import ArmState, Latent, Plan
from jepa_planner.nodes import qos
from jepa_planner.nodes.arm_states import arm_report, xyz_rpy
from jepa_planner.nodes.conversions import ConversionError
from jepa_planner.nodes.latents import observation_from
from jepa_planner.nodes.models import model_id
from jepa_planner.nodes.state_buffer import ArmReport
from jepa_planner.nodes.watch.described import Described
from jepa_planner.nodes.watch.imagination import Imagination, Imagined

MOST_WAITING, LEAST_PRIORITY = 4, 19
NOT_YET = "what is imagined is drawn while a goal is pursued"


class PlanListener:
    """Hears plans until it is closed, and has them imagined again in a thread of its own; made and closed in the
    node's. Best effort: nobody waits for it, and of plans that come too fast the newest counts.
    """

    def __init__(self, node: Node, described: Described) -> None:
        self.newest: Imagined | None = None
        """Of the newest plan; None before the first."""
        self.trouble = NOT_YET
        """Why nothing is drawn; empty where something is."""
        self._node, self._described = node, described
        self._rest: ArmReport | None = None
        self._followed: int | None = None
        self._plan: Plan | None = None
        self._latent: Latent | None = None
        self._work: deque[Callable[[Imagination], None]] = deque()
        self._changed = threading.Condition()
        self._open = True
        self.ended = threading.Event()
        """Nothing is imagined any more, a while after it was closed."""
        self._subscriptions = [
            node.create_subscription(ArmState, "arm_state", self._on_arm_state, qos.SENSOR),
            node.create_subscription(Plan, "plan", self._on_plan, qos.SENSOR),
            node.create_subscription(Latent, "mpc_node/observation", self._on_latent, qos.SENSOR),
        ]
        threading.Thread(target=self._run, name="imagination", daemon=True).start()

    def begin(self) -> None:
        """A goal begins."""
        self._followed = None

    def close(self) -> None:
        """Hears no more; what is being imagined goes on until it is done."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        with self._changed:
            self._open = False
            self._changed.notify()

    def _on_arm_state(self, message: ArmState) -> None:
        with suppress(ConversionError):  # the planner says what is wrong with it
            if not (report := arm_report(message)).moving:
                self._rest = report  # as it was when the next plan was made: only a resting arm is planned for

    def _on_plan(self, message: Plan) -> None:
        if message.kind == Plan.KIND_MOVE:
            self._plan = message
            self._pair()

    def _on_latent(self, message: Latent) -> None:
        self._latent = message
        self._pair()

    def _pair(self) -> None:
        plan, latent, arm = self._plan, self._latent, self._rest
        if plan is None or latent is None or arm is None or plan.observed_at != latent.header.stamp:
            return
        self._plan = self._latent = None
        contract = self._described.contract
        try:
            observation = observation_from(latent, model_id(contract))
            observation = observation.with_state(arm.state(len(contract.state.channels)))
            actions = actions_of(plan, arm)
        except ConversionError as error:
            self.trouble = str(error)
            return
        follows, self._followed = arm.plan_id == self._followed, plan.id  # not where one was refused, or not heard

        def work(imagination: Imagination) -> None:
            if not follows:
                imagination.begin()
            self.newest, self.trouble = imagination.follow(observation, actions), ""

        with self._changed:
            if len(self._work) >= MOST_WAITING:
                self._work.clear()
                self._followed = None
            else:
                self._work.append(work)
            self._changed.notify()

    def _run(self) -> None:
        try:
            self._imagine()
        finally:
            self.ended.set()

    def _imagine(self) -> None:
        os.setpriority(
            os.PRIO_PROCESS, threading.get_native_id(), LEAST_PRIORITY
        )  # of this thread: planning comes first
        try:
            imagination = Imagination(self._described.folder, self._described.contract.image.views)
        except (ValueError, OSError) as error:
            self.trouble = str(error)
            return
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._work or not self._open)
                if not self._open:
                    return
                work = self._work.popleft()
            try:
                with one_core():  # the planner has better use for the others
                    work(imagination)
            except (ValueError, OSError) as error:
                self.trouble = str(error)


def actions_of(plan: Any, arm: ArmReport) -> np.ndarray:
    """The actions [H, 7] between targets of a plan, the first from where the arm was told to be."""
    steps = zip(plan.poses, plan.gripper_closure, strict=True)
    targets = [np.array([*xyz_rpy(pose), closure]) for pose, closure in steps]
    path = torch.from_numpy(np.stack([arm.commanded, *targets]))
    return action_between(path[:-1], path[1:]).numpy()
