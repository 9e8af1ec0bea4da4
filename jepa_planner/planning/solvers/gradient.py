"""Gradient refinement: the best of a few candidates follow the energy's slope through the predictor."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from jepa_planner.planning.solvers.noise import correlate_in_time
from jepa_planner.planning.solvers.proposals import starting_points
from jepa_planner.planning.solvers.search import GRADIENT_COST, Search, candidates_around
from jepa_planner.planning.solvers.settings import SearchSettings

if TYPE_CHECKING:
    from jepa_planner.planning.action_space import ActionSpace
    from jepa_planner.planning.solvers.noise import NoiseSource
    from jepa_planner.planning.solvers.plan import EnergyFunction, Plan
    from jepa_planner.planning.solvers.search import Clock

MEAN_DECAY, SQUARE_DECAY = 0.7, 0.9  # of Adam's averages, short because there are few steps
SMALLEST_SLOPE = 1e-8
CANDIDATES_PER_START = 10


@dataclass(frozen=True, kw_only=True)
class GradientSettings(SearchSettings):
    """Settings of the search: `samples` first candidates, `iterations` steps along the slope.

    starts: so many of the first candidates are refined. step: of the first iteration, as a share of the action
    space's spread per axis; it falls to 0 with the last. noise_correlation over time (AR(1)). proposals: sequences by
    name among the first candidates.
    """

    samples: int = 16
    iterations: int = 10
    starts: int = 2
    step: float = 0.3
    noise_correlation: float = 0.8
    proposals: tuple[str, ...] = ("noop", "open", "close", "axes")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_known_sequences("proposals")
        self.require(
            ("starts", 1 <= self.starts <= self.samples, f"be 1 to samples ({self.samples})"),
            ("step", 0.0 < self.step < math.inf, "be positive"),
        )
        self.require_shares("noise_correlation")

    def sized(self, evaluations: int, iterations: int) -> GradientSettings:
        """About so many evaluations: of as many starts as are affordable, each chosen from some ten candidates."""
        per_start = GRADIENT_COST * iterations + 1
        starts = max(1, evaluations // (per_start + CANDIDATES_PER_START))
        samples = max(starts, 2, evaluations - starts * per_start)
        return replace(self, samples=samples, iterations=iterations, starts=starts)


class GradientRefinement:
    """`Optimiser` by Adam in units of the spread per axis, within the bounds; needs energies that carry a gradient."""

    def __init__(self, settings: GradientSettings, clock: Clock = time.monotonic) -> None:
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
        """See `Optimiser.plan`; raises ValueError where the energies carry no gradient."""
        settings = self.settings
        search = Search(energy_of, action_space, deadline_s, self._clock)
        first = self._first_candidates(action_space, proposals, noise)
        energies = search.energies(first, "the first candidates")
        actions = first[energies.topk(settings.starts, largest=False).indices]
        scale = action_space.std  # 0 on held axes, which therefore never move
        slope = square = torch.zeros_like(actions)
        for iteration in range(settings.iterations):
            if search.late:
                return search.plan()
            _, gradient = search.gradients(actions, f"step {iteration + 1}")
            gradient = gradient * scale
            slope = MEAN_DECAY * slope + (1.0 - MEAN_DECAY) * gradient
            square = SQUARE_DECAY * square + (1.0 - SQUARE_DECAY) * gradient.square()
            mean = slope / (1.0 - MEAN_DECAY ** (iteration + 1))
            size = (square / (1.0 - SQUARE_DECAY ** (iteration + 1))).sqrt() + SMALLEST_SLOPE
            step = settings.step * (1.0 - iteration / settings.iterations)
            actions = action_space.clip(actions - step * scale * mean / size)
        if not search.late:
            search.energies(actions, "the last step")
        return search.plan()

    def _first_candidates(self, action_space: ActionSpace, proposals: Tensor | None, noise: NoiseSource) -> Tensor:
        settings = self.settings
        mean, tried = starting_points(proposals, settings.proposals, action_space, settings.horizon)
        correlate = partial(correlate_in_time, correlation=settings.noise_correlation)
        std = action_space.std.expand(settings.horizon, -1)
        candidates = candidates_around(mean, std, settings.samples, action_space, noise, correlate)
        candidates[: len(tried)] = tried[: settings.samples]
        return candidates
