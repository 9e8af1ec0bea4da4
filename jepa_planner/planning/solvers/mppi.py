"""Model-predictive path integral control (Williams et al., 2017): every candidate counts, the better the more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from jepa_planner.core.ranges import Count, Positive, Several, Share
from jepa_planner.planning.solvers.iterative_solver import IterativeSolver
from jepa_planner.planning.solvers.settings import SearchSettings

if TYPE_CHECKING:
    from jepa_planner.planning.solvers.plan import Plan
    from jepa_planner.planning.solvers.search import Search

SMALLEST_SPREAD = 1e-12


@dataclass(frozen=True, kw_only=True)
class MppiSettings(SearchSettings):
    """Settings of the search."""

    weighs_all: ClassVar[bool] = True
    samples: Several = 16
    iterations: Count = 6
    noise_correlation: Share = 0.6
    proposals: tuple[str, ...] = ("noop", "open", "close", "axes")
    temperature: Positive = 0.1
    """In units of how far an iteration's mean energy lies above its least: so it means the same for every energy."""
    momentum_std: Share = 0.4
    """Of the old spread that stays; the rest follows the weighted candidates."""

    def solver(self) -> PathIntegral:
        """The solver that these settings are meant for."""
        return PathIntegral(self)


class PathIntegral(IterativeSolver[MppiSettings]):
    """Moves mean and spread to those of all candidates, weighted by exp(-energy / temperature).

    The best candidate takes part in the next iteration's weights, without being computed again. The plan is the
    final mean, or the best candidate where that is better.
    """

    def solve(self, search: Search) -> Plan:
        """See `IterativeSolver.solve`."""
        settings, std = self.settings, search.std
        mean, tried = search.starting_points(settings.proposals)
        for _ in search.iterations(settings.iterations):
            best, best_energy = search.best, search.best_energy
            candidates = search.draw(mean, std, settings.samples, tried)
            energies = search.energies(candidates)
            if best is not None:
                candidates = torch.cat([candidates, best[None]])
                energies = torch.cat([energies, torch.tensor([best_energy])])
            mean, std = self._weighed(candidates, energies, std)
            tried = mean[None]
            search.record(mean, std)
        if not search.late:
            search.energies(mean[None])
        return search.plan()

    def _weighed(self, candidates: Tensor, energies: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
        above = energies - energies.min()
        temperature = self.settings.temperature * above.mean().clamp_min(SMALLEST_SPREAD)
        weights = torch.softmax(-above / temperature, dim=0)[:, None, None]
        mean = (weights * candidates).sum(dim=0)
        spread = (weights * (candidates - mean).square()).sum(dim=0).sqrt()
        return mean, spread * (1.0 - self.settings.momentum_std) + std * self.settings.momentum_std
