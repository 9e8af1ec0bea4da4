"""Improved cross-entropy method (Pinneri et al., 2020, arXiv 2008.06389): the same quality from fewer candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor

from jepa_planner.core.ranges import Count, CountOrZero, Range, Several, Share
from jepa_planner.planning.solvers.elites import EliteSettings, best_of, moved
from jepa_planner.planning.solvers.iterative_solver import IterativeSolver
from jepa_planner.planning.solvers.noise import colour

if TYPE_CHECKING:
    from jepa_planner.planning.solvers.plan import Plan
    from jepa_planner.planning.solvers.search import Search


@dataclass(frozen=True, kw_only=True)
class IcemSettings(EliteSettings):
    """Settings of the search; `samples` are those of the first iteration."""

    samples: Several = 32
    iterations: Count = 4
    elites: Several = 6
    kept_elites: CountOrZero = 3
    """Of the best: so many go on to the next iteration, and, shifted by a step, to the next plan."""
    decay: Annotated[float, Range("[1, inf)")] = 1.25
    """Each iteration has 1/decay of the candidates of the one before, but never fewer than twice the elites."""
    noise_exponent: Annotated[float, Range("[0, 10]")] = 2.0
    """The spectral density of the noise over time is 1/frequency**noise_exponent."""
    momentum: Share = 0.1
    """Of the old mean and spread that stays."""
    proposals: tuple[str, ...] = ("noop", "open", "close")

    def solver(self) -> ImprovedCem:
        """The solver that these settings are meant for."""
        return ImprovedCem(self)

    def sized(self, evaluations: int, iterations: int) -> IcemSettings:
        """About so many evaluations: the first iteration has the more of them, the faster they decay."""
        of_first = sum(self.decay**-iteration for iteration in range(iterations))
        return self.resized(max(2, round(evaluations / of_first)), iterations)

    def samples_in(self, iteration: int) -> int:
        """Candidates of an iteration, counted from 0."""
        return max(int(self.samples * self.decay**-iteration), min(2 * self.elites, self.samples))


class ImprovedCem(IterativeSolver[IcemSettings]):
    """Coloured noise, elites that are kept without computing them again, and fewer and fewer samples.

    The best candidate met is the plan; its runners-up are the plan's alternatives.
    """

    def solve(self, search: Search) -> Plan:
        """See `IterativeSolver.solve`."""
        settings, std = self.settings, search.std
        mean, tried = search.starting_points(settings.proposals)
        kept, kept_energies = tried[:0], torch.zeros(0)
        for iteration in search.iterations(settings.iterations):
            candidates = search.draw(mean, std, settings.samples_in(iteration), tried)
            pool, energies = torch.cat([kept, candidates]), torch.cat([kept_energies, search.energies(candidates)])
            elites, elite_energies = best_of(pool, energies, settings.elites)
            kept, kept_energies = elites[: settings.kept_elites], elite_energies[: settings.kept_elites]
            mean, std = moved(mean, std, elites, settings.momentum, settings.momentum)
            search.record(mean, std)
            tried = mean[None] if iteration == settings.iterations - 2 else tried[:0]  # the mean: only in the end
        return search.plan(alternatives=kept[1:])

    def correlated(self, draws: Tensor) -> Tensor:
        """Coloured."""
        return colour(draws, self.settings.noise_exponent)
