"""One plan for one observation, without an arm: what the search would do now, and what it imagines of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from jepa_planner.planning.action_space import ActionSpace
from jepa_planner.planning.controller import ControllerSettings, RecedingHorizonController
from jepa_planner.planning.decision import Goal
from jepa_planner.planning.energy import distance_to_goal
from jepa_planner.planning.imagination import WorldModelImagination
from jepa_planner.planning.optimisers import optimiser_of
from jepa_planner.planning.plan import NonFiniteEnergyError
from jepa_planner.planning.settings import SearchSettings
from jepa_planner.world_model.world_model import Context, WorldModel


@dataclass(frozen=True)
class OfflinePlan:
    """actions [H, A]; energy_now of the observation; energies_after [H] imagined after each action.

    actions are empty where the pictures are the same to the model. seconds: the search alone.
    """

    actions: Tensor
    energy_now: float
    energies_after: tuple[float, ...]
    seconds: float


def plan_offline(model: WorldModel, context: Context, goal: Tensor, search: SearchSettings, seed: int) -> OfflinePlan:
    """Plans as the controller does for a goal [N, D] from a context of one observation; the same seed, the same plan.

    Raises NonFiniteEnergyError or ValueError where model or input give no plan.
    """
    energy = model.energy
    controller = RecedingHorizonController(
        WorldModelImagination(model, energy), optimiser_of(search), ActionSpace.from_contract(model.contract),
        energy, ControllerSettings(), seed,
    )  # fmt: skip
    controller.start([Goal(goal.cpu(), budget_steps=1, tolerance=0.0)])
    decision = controller.step(context.latents[-1].cpu(), context.states[-1])
    channels = len(model.contract.action.channels)
    if decision.plan is None:
        if decision.energy > 0.0 or decision.energy != decision.energy:
            raise NonFiniteEnergyError(decision.message)
        return OfflinePlan(torch.zeros(0, channels), decision.energy, (), 0.0)
    imagined = model.rollout(context, decision.plan.actions[None])[0].cpu()
    after = tuple(distance_to_goal(energy, latent, goal.cpu(), channels) for latent in imagined)
    return OfflinePlan(decision.plan.actions, decision.energy, after, decision.plan.seconds)
