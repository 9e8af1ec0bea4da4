"""What the settings of all searches have in common: their size, and how they are checked and resized."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

from jepa_planner.planning.solvers.proposals import NAMED

S = TypeVar("S", bound="SearchSettings")


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """Steps that are imagined, candidates per iteration, iterations. Raises ValueError naming what is impossible."""

    horizon: int = 2
    samples: int = 400
    iterations: int = 10
    weighs_all: ClassVar[bool] = False
    """Whether each candidate moves the plan by its energy, rather than by being among the best."""

    def __post_init__(self) -> None:
        self.require(
            ("horizon", self.horizon >= 1, "be at least 1"),
            ("samples", self.samples >= 2, "be at least 2"),
            ("iterations", self.iterations >= 1, "be at least 1"),
        )

    def require(self, *rules: tuple[str, bool, str]) -> None:
        """Checks (field, whether it is as it must be, what it must) one after the other."""
        for name, holds, must in rules:
            if not holds:
                raise ValueError(f"{name} is {getattr(self, name)}; it must {must}")

    def require_shares(self, *names: str) -> None:
        """Checks fields that are a share of something, 1 excluded."""
        self.require(*((name, 0.0 <= getattr(self, name) < 1.0, "lie in 0..1, 1 excluded") for name in names))

    def require_known_sequences(self, name: str) -> None:
        """Checks a field that lists sequences by name."""
        unknown = [sequence for sequence in getattr(self, name) if sequence not in NAMED]
        self.require((name, not unknown, f"name sequences among {', '.join(NAMED)}"))

    def sized(self: S, evaluations: int, iterations: int) -> S:
        """About so many evaluations in so many iterations."""
        return self.resized(max(2, evaluations // iterations), iterations)

    def resized(self: S, samples: int = 0, iterations: int = 0, horizon: int = 0) -> S:
        """The same search with other sizes, 0 leaving one as it is; numbers of elites keep their share of samples."""
        sizes = {"samples": samples, "iterations": iterations, "horizon": horizon}
        changes = {name: size for name, size in sizes.items() if size}
        elites, kept = getattr(self, "elites", 0), getattr(self, "kept_elites", 0)
        if samples and elites:
            changes["elites"] = max(2, round(elites * samples / self.samples))
            if kept:
                changes["kept_elites"] = min(max(1, round(kept * samples / self.samples)), changes["elites"])
        return replace(self, **changes)
