"""Elites: the candidates of least energy, to which mean and spread of the next candidates move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jepa_planner.core.ranges import CountOrZero, Several
from jepa_planner.planning.solvers.settings import SearchSettings

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class EliteSettings(SearchSettings):
    """Settings of a search with elites."""

    elites: Several = 10
    """Candidates to which mean and spread move, at most `samples`."""
    kept_elites: CountOrZero = 0
    """The best of them, at most `elites`, take part in the next iteration too."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("elites", self.elites <= self.samples, f"be at most samples ({self.samples})")
        self.require("kept_elites", self.kept_elites <= self.elites, f"be at most elites ({self.elites})")

    def shares_of(self, samples: int) -> dict[str, int]:
        """Elites, and those of them that are kept, as the same share of another number of samples."""
        elites = max(2, round(self.elites * samples / self.samples))
        kept = max(1, round(self.kept_elites * samples / self.samples)) if self.kept_elites else 0
        return {"elites": elites, "kept_elites": min(kept, elites)}


def best_of(candidates: Tensor, energies: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """So many of candidates [K, H, A], those of least energy [K], and their energies, best first; or all there are."""
    least, chosen = energies.topk(min(count, len(energies)), largest=False)
    return candidates[chosen], least


def moved(
    mean: Tensor, std: Tensor, elites: Tensor, stay_mean: float | Tensor, stay_std: float | Tensor
) -> tuple[Tensor, Tensor]:
    """Mean and spread [H, A], moved to those of elites [E, H, A]; stay_*: share of the old ones, maybe per axis [A]."""
    mean = elites.mean(dim=0) * (1.0 - stay_mean) + mean * stay_mean
    std = elites.std(dim=0) * (1.0 - stay_std) + std * stay_std
    return mean, std
