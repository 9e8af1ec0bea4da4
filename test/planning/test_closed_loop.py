"""Every solver in closed loop in a small latent world whose dynamics are known, with an obstacle in the way."""

from collections.abc import Sequence

import pytest
import torch
from landscapes import SPACE
from torch import Tensor

from jepa_planner.core.observation import Observation
from jepa_planner.model.world_model import Context
from jepa_planner.planning.controller import ControllerSettings, RecedingHorizonController
from jepa_planner.planning.decision import DecisionKind, Goal
from jepa_planner.planning.energy import SummedMse
from jepa_planner.planning.solvers.table import SETTINGS, SOLVER_NAMES

SIZES = {
    "cem": {
        "samples": 64, "iterations": 3, "elites": 8, "answer": "best", "use_warm_start": True, "mean_as_candidate": True
    },
    "icem": {"samples": 64, "iterations": 3},
}  # fmt: skip
PIT_M, PIT_WIDTH_M, PIT_DEPTH = torch.tensor([0.2, 0.1, 0.0]), 0.06, 0.05


class WorldWithAPit:
    """The latent [1, 4] is the tcp and the gripper; near the pit everything is worse, so that the way leads around.

    Its gripper follows commands slowly, its tcp at once.
    """

    def after(self, latent: Tensor, actions: Tensor) -> Tensor:
        """latent [.., 4] and actions [.., H, 7] -> latents after each action [.., H, 4]."""
        way = latent[..., None, :3] + actions[..., :3].cumsum(dim=-2)
        gripper = latent[..., None, 3:] + 0.5 * actions[..., 6:].cumsum(dim=-2)
        return torch.cat([way, gripper.clamp(0.0, 1.0)], dim=-1)

    def energies(self, context: Context, goal: Tensor, actions: Tensor) -> Tensor:
        latents = self.after(context.latents[-1, 0].expand(len(actions), 4), actions)
        gap = (latents - goal[0]).square().mean(dim=2).sum(dim=1)
        depth = PIT_DEPTH * torch.exp(-((latents[..., :3] - PIT_M) / PIT_WIDTH_M).square().sum(dim=2)).sum(dim=1)
        return gap + depth


def pursue(solver: str, goals: Sequence[Goal], seed: int, most: int = 40) -> tuple[DecisionKind, list[Tensor]]:
    """Obeys every decision; returns how it ended and the latents on the way."""
    world, search = WorldWithAPit(), SETTINGS[solver](horizon=3, **SIZES.get(solver, {}))
    controller = RecedingHorizonController(world, search.solver(), SPACE, SummedMse(), ControllerSettings(), seed)
    controller.start(goals)
    latent, way = torch.zeros(1, 4), []
    for _ in range(most):
        way.append(latent[0])
        closure = latent[0, 3:].repeat(2)
        decision = controller.step(Observation(latent, state=torch.cat([latent[0, :3], torch.zeros(3), closure])))
        if decision.kind is not DecisionKind.MOVE:
            return decision.kind, way
        latent = world.after(latent[0], torch.from_numpy(decision.action)[None])
    return decision.kind, way


@pytest.mark.parametrize("solver", SOLVER_NAMES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_goals_behind_a_pit_are_reached_around_it(solver, seed):
    goals = [
        Goal(Observation(torch.tensor([[0.4, 0.1, 0.0, 0.0]])), budget_steps=15, tolerance=3e-4),
        Goal(Observation(torch.tensor([[0.4, 0.1, 0.1, 1.0]])), budget_steps=15, tolerance=3e-4),
    ]
    ended, way = pursue(solver, goals, seed)
    assert ended is DecisionKind.REACHED
    assert (way[-1] - goals[-1].latent[0]).abs().max() < 0.05
    assert min((place[:3] - PIT_M).norm() for place in way) > 0.5 * PIT_WIDTH_M
