"""Model-predictive path integral control (Williams et al., 2017): every candidate counts, the better the more."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

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

SMALLEST_SPREAD = 1e-12


@dataclass(frozen=True, kw_only=True)
class MppiSettings(SearchSettings):
    """Settings of the search.

    temperature: in units of how far the mean energy of an iteration lies above its least, so that it means the same for
    every energy. momentum_std: share of the old spread that stays; the rest follows the weighted candidates.
    noise_correlation over time (AR(1)). proposals: sequences by name that are tried in the first iteration.
    """

    samples: int = 16
    iterations: int = 6
    temperature: float = 0.1
    momentum_std: float = 0.4
    noise_correlation: float = 0.6
    proposals: tuple[str, ...] = ("noop", "open", "close", "axes")
    weighs_all: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_known_sequences("proposals")
        self.require(("temperature", 0.0 < self.temperature < math.inf, "be positive"))
        self.require_shares("momentum_std", "noise_correlation")


class PathIntegral:
    """`Optimiser` that moves mean and spread to those of all candidates, weighted by exp(-energy / temperature).

    The best candidate takes part in the next iteration's weights, without being computed again. The plan is the
    final mean, or the best candidate where that is better.
    """

    def __init__(self, settings: MppiSettings, clock: Clock = time.monotonic) -> None:
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
        correlate = partial(correlate_in_time, correlation=settings.noise_correlation)
        history = []
        for iteration in range(settings.iterations):
            candidates = candidates_around(mean, std, settings.samples, action_space, noise, correlate)
            candidates[: len(extras)] = extras[: settings.samples]
            known, known_energy = candidates[:0], torch.zeros(0)
            if search.best is not None:
                known, known_energy = search.best[None], torch.tensor([search.best_energy])
            energies = search.energies(candidates, f"iteration {iteration + 1}")
            mean, std = self._weigh(torch.cat([candidates, known]), torch.cat([energies, known_energy]), std)
            extras = mean[None]
            history.append((mean, std))
            if search.late:
                return search.plan(history=history)
        search.energies(mean[None], "the final mean")
        return search.plan(history=history)

    def _weigh(self, candidates: Tensor, energies: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
        above = energies - energies.min()
        temperature = self.settings.temperature * above.mean().clamp_min(SMALLEST_SPREAD)
        weights = torch.softmax(-above / temperature, dim=0)[:, None, None]
        mean = (weights * candidates).sum(dim=0)
        spread = (weights * (candidates - mean).square()).sum(dim=0).sqrt()
        return mean, spread * (1.0 - self.settings.momentum_std) + std * self.settings.momentum_std
