"""Cross-entropy method: sample action sequences, keep the best, sample around those."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from jepa_planner.core.arm_layout import AXES, GRIPPER
from jepa_planner.core.ranges import Share
from jepa_planner.planning.solvers.elites import EliteSettings, best_of, moved
from jepa_planner.planning.solvers.iterative_solver import IterativeSolver
from jepa_planner.planning.solvers.proposals import best_guess_and_others, named_proposals

if TYPE_CHECKING:
    from jepa_planner.planning.solvers.plan import Plan
    from jepa_planner.planning.solvers.search import Search


@dataclass(frozen=True, kw_only=True)
class CemSettings(EliteSettings):
    """Settings of the search; the defaults are those of V-JEPA 2-AC, and every extra is off.

    The extras take the places of random samples, so they cost nothing.
    """

    momentum_mean: Share = 0.15
    """Of the old mean that stays, for the arm's axes."""
    momentum_std: Share = 0.15
    """Of the old spread that stays, for the arm's axes."""
    momentum_mean_gripper: Share = 0.15
    """Of the old mean that stays, for the gripper."""
    momentum_std_gripper: Share = 0.15
    """Of the old spread that stays, for the gripper."""
    answer: Literal["mean", "best"] = "mean"
    """The final mean, or the best candidate met."""
    noise_correlation: Share = 0.0
    use_warm_start: bool = False
    """Makes the best guess of the proposals the first mean, and tries the others."""
    mean_as_candidate: bool = False
    """Tries each iteration's mean itself."""
    seeded_candidates: tuple[str, ...] = ()
    """Sequences by name that every iteration tries."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_known_sequences("seeded_candidates")
        self.require("answer", self.answer in ("mean", "best"), "be 'mean' or 'best'")
        extras = self.kept_elites + self.mean_as_candidate + len(self.seeded_candidates)
        self.require("samples", extras < self.samples, f"exceed the {extras} candidates that are not random")

    def solver(self) -> CrossEntropyMethod:
        """The solver that these settings are meant for."""
        return CrossEntropyMethod(self)


class CrossEntropyMethod(IterativeSolver[CemSettings]):
    """Repeats: draw samples around a mean, move mean and spread toward the best of them."""

    def solve(self, search: Search) -> Plan:
        """See `IterativeSolver.solve`."""
        settings, space = self.settings, search.action_space
        warm = search.proposals if settings.use_warm_start else None
        guess, others = best_guess_and_others(warm, space, settings.horizon)
        mean, std = torch.zeros(settings.horizon, AXES) if guess is None else guess, search.std
        fixed = torch.cat([named_proposals(settings.seeded_candidates, space, settings.horizon), others])
        kept = fixed[:0]
        for _ in search.iterations(settings.iterations):
            extras = [fixed, kept] + ([mean[None]] if settings.mean_as_candidate else [])
            candidates = search.draw(mean, std, settings.samples, space.clip(torch.cat(extras)))
            elites, _ = best_of(candidates, search.energies(candidates), settings.elites)
            mean, std = moved(mean, std, elites, *self._momenta())
            kept = elites[: settings.kept_elites]
            search.record(mean, std)
        return search.plan(mean if settings.answer == "mean" else None)

    def _momenta(self) -> tuple[Tensor, Tensor]:
        """Shares [A] of the mean and of the spread that stay."""
        settings = self.settings
        of_mean, of_std = torch.full((AXES,), settings.momentum_mean), torch.full((AXES,), settings.momentum_std)
        of_mean[GRIPPER], of_std[GRIPPER] = settings.momentum_mean_gripper, settings.momentum_std_gripper
        return of_mean, of_std
