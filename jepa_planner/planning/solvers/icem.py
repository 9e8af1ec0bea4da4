"""Improved cross-entropy method (Pinneri et al., 2020, arXiv 2008.06389): the same quality from fewer candidates."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from jepa_planner.planning.solvers.noise import colour
from jepa_planner.planning.solvers.proposals import starting_points
from jepa_planner.planning.solvers.search import Search, candidates_around
from jepa_planner.planning.solvers.settings import SearchSettings

if TYPE_CHECKING:
    from jepa_planner.planning.action_space import ActionSpace
    from jepa_planner.planning.solvers.noise import NoiseSource
    from jepa_planner.planning.solvers.plan import EnergyFunction, Plan
    from jepa_planner.planning.solvers.search import Clock


@dataclass(frozen=True, kw_only=True)
class IcemSettings(SearchSettings):
    """Settings of the search.

    Each iteration has 1/decay of the candidates of the one before, but never fewer than twice the elites.
    noise_exponent: the spectral density of the noise over time is 1/frequency**noise_exponent. kept_elites: so many
    go on to the next iteration, and, shifted by a step, to the next plan. momentum: share of the old mean and spread
    that stays. proposals: sequences by name that are tried in the first iteration.
    """

    samples: int = 32
    iterations: int = 4
    elites: int = 6
    kept_elites: int = 3
    decay: float = 1.25
    noise_exponent: float = 2.0
    momentum: float = 0.1
    proposals: tuple[str, ...] = ("noop", "open", "close")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_known_sequences("proposals")
        self.require(
            ("elites", 2 <= self.elites <= self.samples, f"be 2 to samples ({self.samples})"),
            ("kept_elites", 0 <= self.kept_elites <= self.elites, f"be 0 to elites ({self.elites})"),
            ("decay", 1.0 <= self.decay < math.inf, "be at least 1"),
            ("noise_exponent", 0.0 <= self.noise_exponent <= 10.0, "lie in 0..10"),
        )
        self.require_shares("momentum")

    def sized(self, evaluations: int, iterations: int) -> IcemSettings:
        """About so many evaluations: the first iteration has the more of them, the faster they decay."""
        of_first = sum(self.decay**-iteration for iteration in range(iterations))
        return self.resized(max(2, round(evaluations / of_first)), iterations)

    def samples_in(self, iteration: int) -> int:
        """Candidates of an iteration, counted from 0."""
        return max(int(self.samples * self.decay**-iteration), min(2 * self.elites, self.samples))


class ImprovedCem:
    """`Optimiser` with coloured noise, elites that are kept without computing them again, and fewer and fewer samples.

    The best candidate met is the plan; its runners-up are the plan's alternatives.
    """

    def __init__(self, settings: IcemSettings, clock: Clock = time.monotonic) -> None:
        self.settings, self.horizon = settings, settings.horizon
        self._clock = clock

    def plan(
        self,
        energy_of: EnergyFunction,
        action_space: ActionSpace,
        proposals: Tensor | None,
        noise: NoiseSource,
        deadline_s: float = math.inf,
    ) -> Plan:
        """See `Optimiser.plan`."""
        settings = self.settings
        search = Search(energy_of, action_space, deadline_s, self._clock)
        mean, extras = starting_points(proposals, settings.proposals, action_space, settings.horizon)
        std = action_space.std.expand(settings.horizon, -1)
        correlate = partial(colour, exponent=settings.noise_exponent)
        elites, elite_energies, history = extras[:0], torch.zeros(0), []
        for iteration in range(settings.iterations):
            count = settings.samples_in(iteration)
            candidates = candidates_around(mean, std, count, action_space, noise, correlate)
            candidates[: len(extras)] = extras[:count]
            energies = search.energies(candidates, f"iteration {iteration + 1}")
            pool = torch.cat([elites[: settings.kept_elites], candidates])
            pool_energies = torch.cat([elite_energies[: settings.kept_elites], energies])
            elite_energies, best = pool_energies.topk(settings.elites, largest=False, sorted=True)
            elites = pool[best]
            mean = elites.mean(dim=0) * (1.0 - settings.momentum) + mean * settings.momentum
            std = elites.std(dim=0) * (1.0 - settings.momentum) + std * settings.momentum
            history.append((mean, std))
            if search.late:
                break
            extras = mean[None] if iteration == settings.iterations - 2 else extras[:0]  # the mean: only in the end
        return search.plan(alternatives=elites[1 : settings.kept_elites], history=history)
