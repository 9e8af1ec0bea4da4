"""Cross-entropy method: sample action sequences, keep the best, sample around those."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from jepa_planner.planning.action_space import AXES, GRIPPER
from jepa_planner.planning.solvers.noise import correlate_in_time
from jepa_planner.planning.solvers.proposals import best_guess_and_others, named_proposals
from jepa_planner.planning.solvers.search import Search, candidates_around
from jepa_planner.planning.solvers.settings import SearchSettings

if TYPE_CHECKING:
    from jepa_planner.planning.action_space import ActionSpace
    from jepa_planner.planning.solvers.noise import NoiseSource
    from jepa_planner.planning.solvers.plan import EnergyFunction, Plan
    from jepa_planner.planning.solvers.search import Clock


@dataclass(frozen=True, kw_only=True)
class CemSettings(SearchSettings):
    """Settings of the search; the defaults are those of V-JEPA 2-AC, and every extra is off.

    momentum_*: share of the old mean or spread that stays, for the arm's axes and for the gripper. answer:
    the final mean, or the best candidate met. The extras take the places of random samples, so they cost
    nothing: noise_correlation over time (AR(1)), use_warm_start, which makes the best guess of the proposals the first
    mean and tries the others, mean_as_candidate, kept_elites of the iteration before, and seeded_candidates by name.
    """

    elites: int = 10
    momentum_mean: float = 0.15
    momentum_std: float = 0.15
    momentum_mean_gripper: float = 0.15
    momentum_std_gripper: float = 0.15
    answer: Literal["mean", "best"] = "mean"
    noise_correlation: float = 0.0
    use_warm_start: bool = False
    mean_as_candidate: bool = False
    kept_elites: int = 0
    seeded_candidates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_known_sequences("seeded_candidates")
        extras = self.kept_elites + self.mean_as_candidate + len(self.seeded_candidates)
        self.require(
            ("elites", 2 <= self.elites <= self.samples, f"be 2 to samples ({self.samples})"),
            ("kept_elites", 0 <= self.kept_elites <= self.elites, f"be 0 to elites ({self.elites})"),
            ("samples", extras < self.samples, f"exceed the {extras} candidates that are not random"),
            ("answer", self.answer in ("mean", "best"), "be 'mean' or 'best'"),
        )
        self.require_shares(
            "noise_correlation", "momentum_mean", "momentum_std", "momentum_mean_gripper", "momentum_std_gripper"
        )


class CrossEntropyMethod:
    """`Optimiser` that repeats: draw samples around a mean, move mean and spread toward the best of them."""

    def __init__(self, settings: CemSettings, clock: Clock = time.monotonic) -> None:
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
        """See `Optimiser.plan`; the plan has `settings.horizon` steps."""
        settings = self.settings
        search = Search(energy_of, action_space, deadline_s, self._clock)
        used = proposals if settings.use_warm_start else None
        guess, others = best_guess_and_others(used, action_space, settings.horizon)
        mean = torch.zeros(settings.horizon, AXES) if guess is None else guess
        std = action_space.std.expand(settings.horizon, -1)
        fixed = torch.cat([named_proposals(settings.seeded_candidates, action_space, settings.horizon), others])
        kept = fixed[:0]
        correlate = partial(correlate_in_time, correlation=settings.noise_correlation)
        history = []
        for iteration in range(settings.iterations):
            candidates = candidates_around(mean, std, settings.samples, action_space, noise, correlate)
            extras = [fixed, kept] + ([mean[None]] if settings.mean_as_candidate else [])
            extras = action_space.clip(torch.cat(extras))[: settings.samples]
            candidates[: len(extras)] = extras
            energies = search.energies(candidates, f"iteration {iteration + 1}")
            elites = candidates[energies.topk(settings.elites, largest=False, sorted=True).indices]
            mean, std = self._refit(mean, std, elites)
            kept = elites[: settings.kept_elites]
            history.append((mean, std))
            if search.late:
                break
        return search.plan(mean if settings.answer == "mean" else None, history=history)

    def _refit(self, mean: Tensor, std: Tensor, elites: Tensor) -> tuple[Tensor, Tensor]:
        settings = self.settings
        stay_mean = torch.full((AXES,), settings.momentum_mean)
        stay_std = torch.full((AXES,), settings.momentum_std)
        stay_mean[GRIPPER], stay_std[GRIPPER] = settings.momentum_mean_gripper, settings.momentum_std_gripper
        mean = elites.mean(dim=0) * (1.0 - stay_mean) + mean * stay_mean
        std = elites.std(dim=0) * (1.0 - stay_std) + std * stay_std
        return mean, std
