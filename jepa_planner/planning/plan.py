"""What planning gives and needs: a plan, and the calls that energies and optimisers answer to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from jepa_planner.planning.action_space import ActionSpace
from jepa_planner.planning.noise import NoiseSource

EnergyFunction = Callable[[Tensor], Tensor]
"""Energies [K] of candidate action sequences [K, H, A]; lower is better."""


class NonFiniteEnergyError(ValueError):
    """An energy is NaN or infinite: the model or its input is broken, and no plan can be trusted."""


@dataclass(frozen=True)
class Plan:
    """A planned action sequence.

    actions [H, A] float32; energy of exactly these actions; evaluations: candidate sequences whose energy was
    computed; seconds the search took. means and stds [iterations, H, A] are the search's history, where it
    has one.
    """

    actions: Tensor
    energy: float
    evaluations: int
    seconds: float
    means: Tensor | None = None
    stds: Tensor | None = None

    def shifted(self) -> Tensor:
        """The actions left after the first was executed, with no action at the end: the next warm start."""
        return torch.cat([self.actions[1:], torch.zeros_like(self.actions[:1])])


class Optimiser(Protocol):
    """Searches action sequences of least energy."""

    def plan(
        self,
        energy_of: EnergyFunction,
        action_space: ActionSpace,
        warm_start: Tensor | None,
        noise: NoiseSource,
    ) -> Plan:
        """Returns a plan within the action space, the same for the same noise.

        warm_start [H, A] or None: where to begin. Raises NonFiniteEnergyError.
        """
        ...
