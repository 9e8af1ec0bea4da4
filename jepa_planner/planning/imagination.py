"""Where a planner's energies come from; a service can stand in for the model behind the same call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jepa_planner.planning.energy import Energy
    from jepa_planner.world_model.world_model import Context, WorldModel


class Imagination(Protocol):
    """Energies of candidate actions after a context, toward a goal."""

    def energies(self, context: Context, goal: Tensor, actions: Tensor) -> Tensor:
        """actions [K, H, A], goal [N, D] -> energies [K]."""
        ...


class WorldModelImagination:
    """A world model in this process; only one chunk of imagined latents is held at a time."""

    def __init__(self, model: WorldModel, energy: Energy) -> None:
        self._model, self._energy = model, energy

    def energies(self, context: Context, goal: Tensor, actions: Tensor) -> Tensor:
        device = self._model.device
        goal, actions = goal.to(device), actions.to(device)
        parts, first = [], 0
        for predicted in self._model.rollout_chunks(context, actions):
            last = first + len(predicted)
            parts.append(self._energy(predicted, goal, actions[first:last]))
            first = last
        return torch.cat(parts)
