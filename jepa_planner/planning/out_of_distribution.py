"""A controller that stops when it sees what its model does not know, instead of moving on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.context import Context
from jepa_planner.core.observation import Observation
from jepa_planner.model.contract_sections import OutOfDistributionSpec
from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.planning.controller import RecedingHorizonController
from jepa_planner.planning.decision import Decision, Reason, gave_up
from jepa_planner.planning.rollout_cost import RolloutCost


class OutOfDistributionGoalError(ValueError):
    """A goal image is unlike what the model was trained on; the message gives the number behind it."""


class MonitoredController:
    """Steps as the controller inside does, unless an observation is beyond the limits of `spec`.

    Three checks: the latent is unlike training data; it shows the arm elsewhere than the joint states (a covered, moved
    or stuck camera); or it is not what was imagined for the last action.
    """

    def __init__(
        self,
        controller: RecedingHorizonController,
        latent_statistics: LatentStatistics,
        spec: OutOfDistributionSpec,
        cost: RolloutCost,
    ) -> None:
        self._controller, self._cost = controller, cost
        self._latent_statistics, self._spec = latent_statistics, spec
        self._before: tuple[Tensor, Tensor, Tensor] | None = None
        self._last: Decision | None = None
        self._unfamiliarity = 0.0

    def step(self, observation: Observation) -> Decision:
        """As the controller's `step`; gives up with UNFAMILIAR_IMAGE or SURPRISED and the number behind it."""
        observation = observation.to("cpu")
        latent, state = observation.latent, observation.arm_state
        if (unknown := self._unknown(latent, state)) is not None:
            return self._give_up(*unknown)
        decision = replace(self._controller.step(observation), unfamiliarity=self._unfamiliarity)
        self._last = decision
        action = decision.action
        self._before = None if action is None else (latent, state, torch.from_numpy(action))
        return decision

    def note_executed(self, action: np.ndarray | Tensor) -> None:
        """As the controller's."""
        self._controller.note_executed(action)
        if self._before is not None:
            self._before = (*self._before[:2], torch.as_tensor(action, dtype=torch.float32, device="cpu"))

    def forget_last_action(self) -> None:
        """As the controller's; nothing was done that could surprise."""
        self._controller.forget_last_action()
        self._before = None
        if (last := self._last) is not None:
            steps, total = last.steps_in_sub_goal - 1, last.total_steps - 1
            self._last = replace(last, steps_in_sub_goal=steps, total_steps=total)

    def _unknown(self, latent: Tensor, state: Tensor) -> tuple[Reason, str] | None:
        """What of this the model does not know, with the number behind it; NaN is left to the controller to name."""
        distance = float(self._latent_statistics.distance(latent))
        self._unfamiliarity = distance / self._spec.latent_distance
        if distance > self._spec.latent_distance:
            return Reason.UNFAMILIAR_IMAGE, f"distance {distance:.2f}, limit {self._spec.latent_distance:.2f}"
        error_m = float(self._latent_statistics.arm_error_m(latent, state))
        if error_m > self._spec.arm_error_m:
            detail = f"it shows the tcp {error_m:.3f} m from where the joints say, limit {self._spec.arm_error_m:.3f} m"
            return Reason.UNFAMILIAR_IMAGE, detail
        if self._before is not None:
            surprise = self._surprise(latent, *self._before)
            if surprise > self._spec.surprise:
                limit = f"limit {self._spec.surprise:.3g}"
                return Reason.SURPRISED, f"energy {surprise:.3g} from what was imagined, {limit}"
        return None

    def _surprise(self, latent: Tensor, before: Tensor, state: Tensor, action: Tensor) -> float:
        """Energy between this observation and what the model imagines for the last action from the one before."""
        context = Context(before[None], state[None], action[None][:0])
        return float(self._cost.energies(context, latent, action[None, None])[0])

    def _give_up(self, reason: Reason, detail: str) -> Decision:
        decision, last = gave_up(reason, f"{reason.value}: {detail}"), self._last
        decision = replace(decision, unfamiliarity=self._unfamiliarity)
        if last is None:
            return decision
        return replace(
            decision,
            sub_goal=last.sub_goal,
            sub_goals_reached=last.sub_goals_reached,
            steps_in_sub_goal=last.steps_in_sub_goal,
            total_steps=last.total_steps,
            verdict=last.verdict,
        )


def check_goal(goal: Tensor, latent_statistics: LatentStatistics, spec: OutOfDistributionSpec, name: str) -> None:
    """Raises OutOfDistributionGoalError where a goal's latent [N, D] is not worth pursuing; `name` stands in the
    message.
    """
    distance, outside_m = float(latent_statistics.distance(goal)), float(latent_statistics.outside_m(goal))
    if distance > spec.latent_distance:
        limit = f"limit {spec.latent_distance:.2f}"
        raise OutOfDistributionGoalError(
            f"{name} is unlike what the model was trained on: distance {distance:.2f}, {limit}"
        )
    if outside_m > spec.arm_error_m:
        limit = f"limit {spec.arm_error_m:.3f} m"
        raise OutOfDistributionGoalError(
            f"{name} shows the tcp {outside_m:.3f} m outside of where the model knows it, {limit}"
        )
