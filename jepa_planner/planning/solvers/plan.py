"""What planning needs and gives: a problem, a plan, and the calls that energies and solvers answer to."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jepa_planner.planning.action_space import ActionSpace
    from jepa_planner.planning.solvers.noise import NoiseSource

EnergyFunction = Callable[[Tensor], Tensor]
"""Energies [K] of candidate action sequences [K, H, A]; lower is better.

Where the candidates require a gradient, the energies carry it, if the function knows how.
"""


class NonFiniteEnergyError(ValueError):
    """An energy is NaN or infinite: the model or its input is broken, and no plan can be trusted."""


@dataclass(frozen=True)
class PlanningProblem:
    """What a solver is asked: the sequence of least energy within an action space."""

    energy_of: EnergyFunction
    action_space: ActionSpace
    proposals: Tensor | None = None
    """Sequences [P, H, A] worth trying, the best guess first, see `proposals.py`."""


@dataclass(frozen=True)
class Plan:
    """A planned action sequence."""

    actions: Tensor
    """[H, A] float32."""
    energy: float
    """Of exactly these actions; where a deadline cut the search short: of the best candidate, before the gripper's dead
    band.
    """
    evaluations: int
    """Candidate sequences whose energy was computed, a gradient counting as GRADIENT_COST of them."""
    seconds: float
    """That the search took."""
    alternatives: Tensor | None = None
    """[E, H, A], the next best candidates, for searches that begin with those of the plan before."""
    means: Tensor | None = None
    """[iterations, H, A], the search's history, where it has one."""
    stds: Tensor | None = None
    """[iterations, H, A], as means."""

    def shifted(self) -> Tensor:
        """What is left after the first action was executed, no action at the end: the next proposals [1 + E, H, A]."""
        sequences = self.actions[None]
        if self.alternatives is not None:
            sequences = torch.cat([sequences, self.alternatives])
        return torch.cat([sequences[:, 1:], torch.zeros_like(sequences[:, :1])], dim=1)


class Solver(Protocol):
    """Searches action sequences of least energy."""

    @property
    def horizon(self) -> int:
        """Length of the plans."""
        ...

    def plan(self, problem: PlanningProblem, noise: NoiseSource, deadline_s: float = math.inf) -> Plan:
        """Returns a plan within the action space, the same for the same noise.

        deadline_s: when so many seconds have passed the best plan so far is returned, at the latest after the batch of
        candidates that is being computed then. Raises NonFiniteEnergyError, and ValueError for proposals of another
        length.
        """
        ...
