"""Proposals first, then a narrow cross-entropy search around the best of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from jepa_planner.planning.solvers.noise import correlate_in_time
from jepa_planner.planning.solvers.proposals import starting_points
from jepa_planner.planning.solvers.search import Search, candidates_around
from jepa_planner.planning.solvers.settings import SearchSettings

if TYPE_CHECKING:
    from jepa_planner.planning.action_space import ActionSpace
    from jepa_planner.planning.solvers.noise import NoiseSource
    from jepa_planner.planning.solvers.plan import EnergyFunction, Plan
    from jepa_planner.planning.solvers.search import Clock


@dataclass(frozen=True, kw_only=True)
class SeededCemSettings(SearchSettings):
    """Settings of the search.

    proposals: sequences by name, tried together with those that are given; where they are fewer than samples, random
    ones around them make up the number. spread: that of the first candidates around a proposal, as a share of the
    action space's. kept_elites go on to the next iteration. momentum: share of the old mean and spread that stays.
    """

    samples: int = 16
    iterations: int = 6
    elites: int = 4
    kept_elites: int = 4
    spread: float = 0.5
    momentum: float = 0.15
    noise_correlation: float = 0.8
    proposals: tuple[str, ...] = ("noop", "open", "close", "axes", "diagonals")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_known_sequences("proposals")
        self.require(
            ("elites", 2 <= self.elites <= self.samples, f"be 2 to samples ({self.samples})"),
            ("kept_elites", 0 <= self.kept_elites <= self.elites, f"be 0 to elites ({self.elites})"),
            ("spread", 0.0 < self.spread <= 1.0, "lie in 0..1, 0 excluded"),
        )
        self.require_shares("momentum", "noise_correlation")


class SeededCem:
    """`Optimiser` whose first batch are all proposals, and which then searches around the best.

    The first batch is larger than `samples` where there are more proposals. The best candidate met is the plan.
    """

    def __init__(self, settings: SeededCemSettings, clock: Clock = time.monotonic) -> None:
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
        correlate = partial(correlate_in_time, correlation=settings.noise_correlation)
        std = (action_space.std * settings.spread).expand(settings.horizon, -1)
        pool = self._first_batch(action_space, proposals, std, noise, correlate)
        pool_energies = search.energies(pool, "the proposals")
        mean, history = search.best, []
        for iteration in range(1, settings.iterations):
            if search.late:
                break
            kept = pool_energies.topk(min(settings.kept_elites, len(pool)), largest=False).indices
            candidates = candidates_around(mean, std, settings.samples, action_space, noise, correlate)
            energies = search.energies(candidates, f"iteration {iteration + 1}")
            pool = torch.cat([pool[kept], candidates])
            pool_energies = torch.cat([pool_energies[kept], energies])
            elites = pool[pool_energies.topk(settings.elites, largest=False).indices]
            mean = elites.mean(dim=0) * (1.0 - settings.momentum) + mean * settings.momentum
            std = elites.std(dim=0) * (1.0 - settings.momentum) + std * settings.momentum
            history.append((mean, std))
        return search.plan(history=history)

    def _first_batch(
        self,
        action_space: ActionSpace,
        proposals: Tensor | None,
        std: Tensor,
        noise: NoiseSource,
        correlate: Callable[[Tensor], Tensor],
    ) -> Tensor:
        settings = self.settings
        _, batch = starting_points(proposals, settings.proposals, action_space, settings.horizon)
        missing = settings.samples - len(batch)
        if missing <= 0:
            return batch
        around = batch[torch.arange(missing) % len(batch)]
        return torch.cat([batch, candidates_around(around, std, missing, action_space, noise, correlate)])
