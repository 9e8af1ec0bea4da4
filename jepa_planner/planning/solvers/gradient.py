"""Gradient refinement: the best of a few candidates follow the energy's slope through the predictor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from jepa_planner.core.ranges import Count, Positive, Several, Share
from jepa_planner.planning.solvers.elites import best_of
from jepa_planner.planning.solvers.iterative_solver import IterativeSolver
from jepa_planner.planning.solvers.search import GRADIENT_COST
from jepa_planner.planning.solvers.settings import SearchSettings

if TYPE_CHECKING:
    from jepa_planner.planning.solvers.plan import Plan
    from jepa_planner.planning.solvers.search import Search

MEAN_DECAY, SQUARE_DECAY = 0.7, 0.9
"""Of Adam's averages, short because there are few steps."""
SMALLEST_SLOPE = 1e-8
CANDIDATES_PER_START = 10


@dataclass(frozen=True, kw_only=True)
class GradientSettings(SearchSettings):
    """Settings of the search: `samples` first candidates, `iterations` steps along the slope."""

    samples: Several = 16
    starts: Count = 2
    """So many of the first candidates are refined, at most `samples`."""
    iterations: Count = 10
    step: Positive = 0.3
    """Of the first iteration, as a share of the action space's spread per axis; it falls to 0 with the last."""
    noise_correlation: Share = 0.8
    proposals: tuple[str, ...] = ("noop", "open", "close", "axes")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("starts", self.starts <= self.samples, f"be at most samples ({self.samples})")

    def solver(self) -> GradientRefinement:
        """The solver that these settings are meant for."""
        return GradientRefinement(self)

    def sized(self, evaluations: int, iterations: int) -> GradientSettings:
        """About so many evaluations: of as many starts as are affordable, each chosen from some ten candidates."""
        per_start = GRADIENT_COST * iterations + 1
        starts = max(1, evaluations // (per_start + CANDIDATES_PER_START))
        samples = max(starts, 2, evaluations - starts * per_start)
        return replace(self, samples=samples, iterations=iterations, starts=starts)


class GradientRefinement(IterativeSolver[GradientSettings]):
    """Adam in units of the spread per axis, within the bounds; needs energies that carry a gradient."""

    def solve(self, search: Search) -> Plan:
        """See `IterativeSolver.solve`; raises ValueError where the energies carry no gradient."""
        settings, space = self.settings, search.action_space
        mean, tried = search.starting_points(settings.proposals)
        first = search.draw(mean, search.std, settings.samples, tried)
        actions, _ = best_of(first, search.energies(first), settings.starts)
        scale = space.std  # 0 on held axes, which therefore never move
        slope = square = torch.zeros_like(actions)
        for iteration in search.iterations(settings.iterations):
            gradient = search.gradients(actions) * scale
            slope = MEAN_DECAY * slope + (1.0 - MEAN_DECAY) * gradient
            square = SQUARE_DECAY * square + (1.0 - SQUARE_DECAY) * gradient.square()
            mean = slope / (1.0 - MEAN_DECAY ** (iteration + 1))
            size = (square / (1.0 - SQUARE_DECAY ** (iteration + 1))).sqrt() + SMALLEST_SLOPE
            step = settings.step * (1.0 - iteration / settings.iterations)
            actions = space.clip(actions - step * scale * mean / size)
        if not search.late:
            search.energies(actions)
        return search.plan()
