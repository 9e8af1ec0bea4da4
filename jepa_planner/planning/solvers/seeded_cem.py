"""Proposals first, then a narrow cross-entropy search around the best of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor

from jepa_planner.core.ranges import Count, CountOrZero, Range, Several, Share
from jepa_planner.planning.solvers.elites import EliteSettings, best_of, moved
from jepa_planner.planning.solvers.iterative_solver import IterativeSolver

if TYPE_CHECKING:
    from jepa_planner.planning.solvers.plan import Plan
    from jepa_planner.planning.solvers.search import Search


@dataclass(frozen=True, kw_only=True)
class SeededCemSettings(EliteSettings):
    """Settings of the search; the first iteration tries all proposals."""

    spread: Annotated[float, Range("(0, 1]")] = 0.5
    """Of the first candidates around a proposal, as a share of the action space's."""
    momentum: Share = 0.15
    """Of the old mean and spread that stays."""
    samples: Several = 16
    iterations: Count = 6
    elites: Several = 4
    kept_elites: CountOrZero = 4
    noise_correlation: Share = 0.8
    proposals: tuple[str, ...] = ("noop", "open", "close", "axes", "diagonals")
    """Sequences by name, tried with those that are given; random ones around them make up the number of samples."""

    def solver(self) -> SeededCem:
        """The solver that these settings are meant for."""
        return SeededCem(self)


class SeededCem(IterativeSolver[SeededCemSettings]):
    """Tries all proposals in a first batch, and then searches around the best.

    The first batch is larger than `samples` where there are more proposals. The best candidate met is the plan.
    """

    def solve(self, search: Search) -> Plan:
        """See `IterativeSolver.solve`."""
        settings, std = self.settings, search.std * self.settings.spread
        pool = self._first_batch(search, std)
        pool_energies = search.energies(pool)
        mean = search.best_met
        for _ in search.iterations(settings.iterations - 1):
            kept, kept_energies = best_of(pool, pool_energies, settings.kept_elites)
            candidates = search.draw(mean, std, settings.samples)
            pool = torch.cat([kept, candidates])
            pool_energies = torch.cat([kept_energies, search.energies(candidates)])
            elites, _ = best_of(pool, pool_energies, settings.elites)
            mean, std = moved(mean, std, elites, settings.momentum, settings.momentum)
            search.record(mean, std)
        return search.plan()

    def _first_batch(self, search: Search, std: Tensor) -> Tensor:
        _, batch = search.starting_points(self.settings.proposals)
        missing = self.settings.samples - len(batch)
        if missing <= 0:
            return batch
        around = batch[torch.arange(missing) % len(batch)]
        return torch.cat([batch, search.draw(around, std, missing)])
