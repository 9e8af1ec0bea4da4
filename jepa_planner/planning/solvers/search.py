"""One search in progress: what every solver does besides its update rule."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from jepa_planner.planning.solvers.plan import NonFiniteEnergyError, Plan
from jepa_planner.planning.solvers.proposals import starting_points

if TYPE_CHECKING:
    from jepa_planner.planning.solvers.noise import NoiseSource
    from jepa_planner.planning.solvers.plan import PlanningProblem

GRADIENT_COST = 3
"""Evaluations that one gradient counts as: a backward pass is about twice the work of the forward pass before it."""

Clock = Callable[[], float]
"""Seconds that only ever grow."""


class Search:
    """Draws candidates, asks for their energies, keeps the best, counts, watches the clock.

    std [H, A]: spread of the first candidates. best [H, A] and best_energy: of the best candidate met.
    """

    def __init__(
        self,
        problem: PlanningProblem,
        horizon: int,
        noise: NoiseSource,
        deadline_s: float = math.inf,
        clock: Clock = time.monotonic,
    ) -> None:
        self.action_space, self.proposals, self.horizon = problem.action_space, problem.proposals, horizon
        self.std = self.action_space.std.expand(horizon, -1)
        self.best: Tensor | None = None
        self.best_energy = math.inf
        self.evaluations = 0
        self._energy_of, self._noise = problem.energy_of, noise
        self._clock, self._began_s, self._deadline_s = clock, clock(), deadline_s
        self._batches = 0
        self._history: list[tuple[Tensor, Tensor]] = []

    @property
    def late(self) -> bool:
        """Whether the deadline has passed: no further batch may begin."""
        return self._clock() - self._began_s >= self._deadline_s

    @property
    def best_met(self) -> Tensor:
        """`best`; raises RuntimeError where no energies were asked for yet."""
        if self.best is None:
            raise RuntimeError("no candidate was met yet; ask for energies first")
        return self.best

    def iterations(self, count: int) -> Iterator[int]:
        """Numbers of so many iterations, from 0, until the deadline has passed; the first batch is computed anyway."""
        for iteration in range(count):
            if self._batches and self.late:
                return
            yield iteration

    def starting_points(self, names: Sequence[str]) -> tuple[Tensor, Tensor]:
        """The best guess [H, A] and all sequences to try [P, H, A], those of the names too: see `proposals.py`."""
        return starting_points(self.proposals, names, self.action_space, self.horizon)

    def draw(self, mean: Tensor, std: Tensor, count: int, tried: Tensor | None = None) -> Tensor:
        """Candidates [count, H, A]: those to be tried [P, H, A] first, then random ones within the bounds.

        mean: [H, A] or [count, H, A]; std [H, A]. Held axes stay at 0.
        """
        axes = self.action_space.free_axes
        draws = self._noise((self.horizon, count, len(axes))).transpose(0, 1)
        candidates = torch.zeros(count, *mean.shape[-2:])
        candidates[:, :, axes] = draws * std[:, axes] + mean[..., axes]
        candidates = self.action_space.clip(candidates)
        if tried is not None:
            candidates[: len(tried)] = tried[:count]
        return candidates

    def energies(self, candidates: Tensor, when: str = "") -> Tensor:
        """Energies [K] of a batch [K, H, A], on the CPU; raises NonFiniteEnergyError saying `when` or the iteration."""
        self._batches += 1
        energies = self._finite(self._energy_of(candidates), when=when)
        self._remember(candidates, energies, len(candidates))
        return energies

    def gradients(self, candidates: Tensor) -> Tensor:
        """Gradients [K, H, A] of the energies; raises ValueError where these carry none."""
        self._batches += 1
        with torch.enable_grad():
            leaf = candidates.detach().clone().requires_grad_()
            energies = self._energy_of(leaf)
            if not energies.requires_grad:
                raise ValueError("these energies carry no gradient: the predictor must run in this process, in torch")
            (gradients,) = torch.autograd.grad(energies.sum(), leaf)
        self._remember(candidates, self._finite(energies.detach()), GRADIENT_COST * len(candidates))
        return self._finite(gradients, "gradient entries")

    def record(self, mean: Tensor, std: Tensor) -> None:
        """Notes mean and spread after an iteration, for the plan's history."""
        self._history.append((mean, std))

    def plan(self, answer: Tensor | None = None, alternatives: Tensor | None = None) -> Plan:
        """The plan of an answer [H, A], or of the best candidate met: always that where the deadline has passed."""
        late = self.late
        chosen = self.best_met if answer is None or late else answer
        actions = self.action_space.finish(chosen.clone())
        if late or (chosen is self.best and torch.equal(actions, chosen)):
            energy = self.best_energy
        else:
            energy = self.energies(actions[None], "the final plan").item()
        means, stds = map(torch.stack, zip(*self._history, strict=True)) if self._history else (None, None)
        seconds = self._clock() - self._began_s
        return Plan(actions, energy, self.evaluations, seconds, alternatives, means, stds)

    def _remember(self, candidates: Tensor, energies: Tensor, evaluations: int) -> None:
        self.evaluations += evaluations
        least = energies.argmin()
        if energies[least].item() < self.best_energy:
            self.best, self.best_energy = candidates[least].detach().clone(), energies[least].item()

    def _finite(self, values: Tensor, what: str = "energies", when: str = "") -> Tensor:
        broken = int((~values.isfinite()).sum())
        if broken:
            when = when or f"iteration {self._batches}"
            raise NonFiniteEnergyError(f"{broken} of {values.numel()} {what} are NaN or infinite in {when}")
        return values.to("cpu", torch.float32)
