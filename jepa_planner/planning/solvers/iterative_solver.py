"""What solvers share that search in iterations: each adds the rule by which one iteration leads to the next."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic

from jepa_planner.planning.solvers.noise import correlate_in_time
from jepa_planner.planning.solvers.search import Search
from jepa_planner.planning.solvers.settings import S

if TYPE_CHECKING:
    from torch import Tensor

    from jepa_planner.planning.solvers.noise import NoiseSource
    from jepa_planner.planning.solvers.plan import Plan, PlanningProblem
    from jepa_planner.planning.solvers.search import Clock


class IterativeSolver(ABC, Generic[S]):
    """A `Solver` by its settings, whose `solve` is the update rule; `correlated` shapes its noise over time."""

    def __init__(self, settings: S, clock: Clock = time.monotonic) -> None:
        self.settings, self._clock = settings, clock

    @property
    def horizon(self) -> int:
        """Length of the plans."""
        return self.settings.horizon

    def plan(self, problem: PlanningProblem, noise: NoiseSource, deadline_s: float = math.inf) -> Plan:
        """See `Solver.plan`."""

        def correlated(shape: tuple[int, int, int]) -> Tensor:
            return self.correlated(noise(shape))

        return self.solve(Search(problem, self.horizon, correlated, deadline_s, self._clock))

    @abstractmethod
    def solve(self, search: Search) -> Plan:
        """The plan of a search that has just begun: `search.plan`, once `search.iterations` are over."""

    def correlated(self, draws: Tensor) -> Tensor:
        """Independent standard normal draws [H, K, F], made to depend on each other over the steps H: AR(1)."""
        return correlate_in_time(draws, self.settings.noise_correlation)
