"""One plan for one observation, without an arm: what an arm would do now, and what the model imagines of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from jepa_planner.core.context import Context
from jepa_planner.core.observation import Observation
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.decision import Reason
from jepa_planner.planning.energy import distance_to_goal
from jepa_planner.planning.factory import Asked, ControllerFactory
from jepa_planner.planning.out_of_distribution import OutOfDistributionGoalError
from jepa_planner.planning.sub_goals import SubGoal
from jepa_planner.planning.verdict import NonFiniteVerdictError, Verdict


class NoPlanError(ValueError):
    """An arm's goal would end here, for a reason that the message explains."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f"{reason.name}: {message}")
        self.reason = reason


@dataclass(frozen=True)
class OfflinePlan:
    """actions [H, A]; energy_now of the observation to the goal picture.

    imagined: what is planned for instead of the goal picture, where sub-goals are imagined. energy_ahead of the
    observation and energies_after [H], imagined after each action, are to what is planned for. actions are empty where
    the pictures are the same to the model. seconds: the search alone. verdict: on the pair, where the model has one.
    """

    actions: Tensor
    energy_now: float
    energy_ahead: float
    energies_after: tuple[float, ...]
    seconds: float
    imagined: SubGoal | None = None
    verdict: Verdict | None = None


def plan_offline(model: WorldModel, now: Observation, shown: Observation, factory: ControllerFactory) -> OfflinePlan:
    """Plans as a controller of the factory does for what a goal picture shows, even where it counts as reached.

    now: an observation with the arm's state. Raises NoPlanError where the controller would give up.
    """
    try:
        (goal_pursued,) = factory.goals([shown], [Asked(budget_steps=1)])
    except OutOfDistributionGoalError as error:
        raise NoPlanError(Reason.UNFAMILIAR_GOAL, str(error)) from error
    now = now.to("cpu")
    controller = replace(factory, verdict_head=None).controller([replace(goal_pursued, tolerance=0.0)])
    decision = controller.step(now)
    channels = len(model.contract.action.channels)
    if decision.plan is None and decision.reason is not Reason.REACHED:
        raise NoPlanError(decision.reason, decision.message)
    judge = factory.judge()
    try:
        verdict = None if judge is None else judge.observe(now, goal_pursued.shown)
    except NonFiniteVerdictError as error:
        raise NoPlanError(Reason.INVALID_ENERGY, str(error)) from error
    if decision.plan is None:
        return OfflinePlan(torch.zeros(0, channels), decision.energy, decision.energy, (), 0.0, verdict=verdict)
    target = goal_pursued.latent if decision.imagined is None else decision.imagined.latent
    context = Context(now.latent[None], now.arm_state[None], torch.zeros(0, channels))
    imagined = model.rollout(context, decision.plan.actions[None])[0].cpu()
    ahead, *after = (distance_to_goal(factory.energy, x, target, channels) for x in (now.latent, *imagined))
    return OfflinePlan(
        decision.plan.actions, decision.energy, ahead, tuple(after), decision.plan.seconds, decision.imagined, verdict
    )
