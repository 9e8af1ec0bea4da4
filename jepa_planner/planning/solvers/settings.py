"""What the settings of all solvers have in common: the size of the search, and how they are checked and resized."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, TypeVar

from jepa_planner.core.ranges import Count, Several, check_ranges
from jepa_planner.planning.solvers.proposals import NAMED

if TYPE_CHECKING:
    from jepa_planner.planning.solvers.plan import Solver

S = TypeVar("S", bound="SearchSettings")


@dataclass(frozen=True, kw_only=True)
class SearchSettings(ABC):
    """Size of a search. Raises ValueError naming what is impossible."""

    horizon: Count = 2
    """Steps that are imagined."""
    samples: Several = 400
    """Candidates per iteration."""
    iterations: Count = 10
    """Rounds of drawing candidates and learning from their energies."""
    weighs_all: ClassVar[bool] = False
    """Whether each candidate moves the plan by its energy, rather than by being among the best."""

    def __post_init__(self) -> None:
        check_ranges(self)
        self.require_known_sequences("proposals")

    @property
    def noise_correlation(self) -> float:
        """Of one step's noise with the next one's (AR(1)); a field of most solvers."""
        return 0.0

    @property
    def proposals(self) -> tuple[str, ...]:
        """Sequences by name that are tried in the first iteration; a field of most solvers."""
        return ()

    @abstractmethod
    def solver(self) -> Solver:
        """The solver that these settings are meant for."""

    def require(self, name: str, holds: bool, must: str) -> None:
        """Raises ValueError where a field is not as it must be beside the others."""
        if not holds:
            raise ValueError(f"{name} is {getattr(self, name)}; it must {must}")

    def require_known_sequences(self, name: str) -> None:
        """Checks a field that lists sequences by name."""
        unknown = [sequence for sequence in getattr(self, name) if sequence not in NAMED]
        self.require(name, not unknown, f"name sequences among {', '.join(NAMED)}")

    def sized(self: S, evaluations: int, iterations: int) -> S:
        """About so many evaluations in so many iterations."""
        return self.resized(max(2, evaluations // iterations), iterations)

    def resized(self: S, samples: int = 0, iterations: int = 0, horizon: int = 0) -> S:
        """The same search with other sizes, 0 leaving one as it is; what is a share of the samples stays one."""
        sizes = {"samples": samples, "iterations": iterations, "horizon": horizon}
        changes = {name: size for name, size in sizes.items() if size}
        return replace(self, **changes, **(self.shares_of(samples) if samples else {}))

    def shares_of(self, samples: int) -> dict[str, int]:
        """Fields that follow from another number of samples."""
        return {}
