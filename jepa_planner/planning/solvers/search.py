"""What every optimiser does besides searching: ask for energies, keep the best candidate, count, watch the clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from jepa_planner.planning.solvers.plan import NonFiniteEnergyError, Plan

if TYPE_CHECKING:
    from jepa_planner.planning.action_space import ActionSpace
    from jepa_planner.planning.solvers.noise import NoiseSource
    from jepa_planner.planning.solvers.plan import EnergyFunction

GRADIENT_COST = 3
"""Evaluations that one gradient counts as: a backward pass is about twice the work of the forward pass before it."""

Clock = Callable[[], float]
"""Seconds that only ever grow."""


class Search:
    """One search in progress; `best` [H, A] and `best_energy` are of the best candidate met."""

    def __init__(
        self,
        energy_of: EnergyFunction,
        action_space: ActionSpace,
        deadline_s: float = math.inf,
        clock: Clock = time.monotonic,
    ) -> None:
        self._energy_of, self._action_space = energy_of, action_space
        self._clock, self._began_s, self._deadline_s = clock, clock(), deadline_s
        self.best: Tensor | None = None
        self.best_energy = math.inf
        self.evaluations = 0

    @property
    def late(self) -> bool:
        """Whether the deadline has passed: no further batch may begin."""
        return self._clock() - self._began_s >= self._deadline_s

    def energies(self, candidates: Tensor, when: str) -> Tensor:
        """Energies [K] of a batch [K, H, A], on the CPU; raises NonFiniteEnergyError saying `when`."""
        energies = _finite(self._energy_of(candidates), when)
        self.evaluations += len(candidates)
        self._remember(candidates, energies)
        return energies

    def gradients(self, candidates: Tensor, when: str) -> tuple[Tensor, Tensor]:
        """Energies [K] and their gradients [K, H, A]; raises ValueError where the energies carry none."""
        with torch.enable_grad():
            leaf = candidates.detach().clone().requires_grad_()
            energies = self._energy_of(leaf)
            if not energies.requires_grad:
                raise ValueError("these energies carry no gradient: the predictor must run in this process, in torch")
            (gradients,) = torch.autograd.grad(energies.sum(), leaf)
        energies = _finite(energies.detach(), when)
        self.evaluations += GRADIENT_COST * len(candidates)
        self._remember(candidates, energies)
        return energies, _finite(gradients, when, "gradient entries")

    def plan(
        self,
        answer: Tensor | None = None,
        alternatives: Tensor | None = None,
        history: Sequence[tuple[Tensor, Tensor]] = (),
    ) -> Plan:
        """The plan of an answer [H, A], or of the best candidate met: always that where the deadline has passed.

        history: mean and spread after each iteration.
        """
        late = self.late
        chosen = self.best if answer is None or late else answer
        actions = self._action_space.finish(chosen.clone())
        if late or (chosen is self.best and torch.equal(actions, chosen)):
            energy = self.best_energy
        else:
            energy = self.energies(actions[None], "the final plan").item()
        means, stds = (torch.stack(part) for part in zip(*history, strict=True)) if history else (None, None)
        seconds = self._clock() - self._began_s
        return Plan(actions, energy, self.evaluations, seconds, alternatives, means, stds)

    def _remember(self, candidates: Tensor, energies: Tensor) -> None:
        least = energies.argmin()
        if energies[least].item() < self.best_energy:
            self.best, self.best_energy = candidates[least].detach().clone(), energies[least].item()


def candidates_around(
    mean: Tensor,
    std: Tensor,
    count: int,
    action_space: ActionSpace,
    noise: NoiseSource,
    correlate: Callable[[Tensor], Tensor] = lambda draws: draws,
) -> Tensor:
    """Random candidates [count, H, A] within the bounds; held axes stay at 0.

    mean: [H, A] or [count, H, A]; std [H, A]; correlate: turns independent draws [H, count, F] into correlated ones.
    """
    axes = action_space.free_axes
    draws = correlate(noise((mean.shape[-2], count, len(axes)))).transpose(0, 1)
    candidates = torch.zeros(count, *mean.shape[-2:])
    candidates[:, :, axes] = draws * std[:, axes] + mean[..., axes]
    return action_space.clip(candidates)


def _finite(values: Tensor, when: str, what: str = "energies") -> Tensor:
    broken = int((~values.isfinite()).sum())
    if broken:
        raise NonFiniteEnergyError(f"{broken} of {values.numel()} {what} are NaN or infinite in {when}")
    return values.to("cpu", torch.float32)
