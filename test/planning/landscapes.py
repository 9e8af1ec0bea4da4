"""Energy landscapes whose optimum is known, and an imagination without a model."""

from collections.abc import Callable

import torch
from torch import Tensor

from jepa_planner.model.world_model import Context
from jepa_planner.planning.action_space import ActionSpace
from jepa_planner.planning.solvers.cem import CemSettings

SPACE = ActionSpace(max_abs=(0.1, 0.1, 0.1, 0.0, 0.0, 0.0, 1.0))
OPTIMUM = torch.tensor([[0.05, -0.03, 0.08, 0.0, 0.0, 0.0, 0.6], [-0.02, 0.07, -0.06, 0.0, 0.0, 0.0, -0.4]])


def quadratic(optimum: Tensor = OPTIMUM) -> Callable[[Tensor], Tensor]:
    """Squared distance to the optimum, each axis in units of its bound."""
    scale = torch.tensor([bound or 1.0 for bound in SPACE.max_abs])
    return lambda actions: ((actions - optimum) / scale).square().sum(dim=(1, 2))


class ScriptedClock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Recorder:
    """A landscape that remembers the batches it was asked about; with a clock, each of them takes a second."""

    def __init__(self, energy_of: Callable[[Tensor], Tensor], clock: ScriptedClock | None = None) -> None:
        self._energy_of, self._clock = energy_of, clock
        self.batches: list[Tensor] = []

    def __call__(self, actions: Tensor) -> Tensor:
        self.batches.append(actions.detach().clone().requires_grad_(actions.requires_grad))
        if self._clock is not None:
            self._clock.now_s += 1.0
        return self._energy_of(actions)


def settings(**changes) -> CemSettings:
    return CemSettings(**{"horizon": 2, "samples": 200, "iterations": 12, "elites": 20, **changes})


class PointWorld:
    """`RolloutCost` of a latent [1, 3] that is the tcp position and follows every action; records its contexts."""

    def __init__(self) -> None:
        self.contexts: list[Context] = []

    def energies(self, context: Context, goal: Tensor, actions: Tensor) -> Tensor:
        self.contexts.append(context)
        way = context.latents[-1, 0] + actions[:, :, :3].cumsum(dim=1)
        return (way - goal[0]).square().mean(dim=2).sum(dim=1)
