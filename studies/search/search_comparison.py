"""What searches reach for how many evaluations: on recorded planning problems, and in closed loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from jepa_planner.core.arm_layout import AXES
from jepa_planner.learning.evaluation.spread_trials import PolicySpec
from jepa_planner.learning.evaluation.statistics import percentile
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.solvers.noise import SeededNoise
from jepa_planner.planning.solvers.plan import PlanningProblem
from jepa_planner.planning.solvers.settings import SearchSettings
from jepa_planner.planning.solvers.table import SOLVER_NAMES, name_of
from studies.sweep.sweep import TUNING_SEED, Result, Sweep
from studies.sweep.table import rows_by, table

ITERATIONS = (3, 6)
SMALLEST_FALL = 1e-3
"""Problems in which no search can lower the energy by more than this are left out: there is nothing to find."""


@dataclass(frozen=True)
class Candidate:
    """A search to be compared, and the budget of evaluations that it was sized for; 0: as the model recommends it."""

    search: SearchSettings
    budget: int = 0

    @property
    def name(self) -> str:
        return name_of(self.search) + ("" if self.budget else " (the model's)")

    @property
    def label(self) -> str:
        """Of this search alone."""
        return f"{self.name} {self.search.samples} x {self.search.iterations}"


@dataclass(frozen=True)
class EnergyResult:
    """Over problems: mean evaluations, median seconds, mean energy of the plans, share missed (`missed_shares`)."""

    candidate: Candidate
    evaluations: float
    seconds: float
    energy: float
    missed: float


def candidates(settings: PlannerSettings, names: Sequence[str], budgets: Sequence[int]) -> list[Candidate]:
    """The model's own search, and each named one, with its horizon, in every shape of ITERATIONS that fits a budget."""
    chosen, horizon = [Candidate(settings.search())], settings.search().horizon
    for name in names:
        for budget in budgets:
            for iterations in ITERATIONS:
                try:
                    search = settings.search(name).resized(horizon=horizon).sized(budget, iterations)
                    chosen.append(Candidate(search, budget))
                except ValueError:  # too few samples for that many elites and known candidates
                    continue
    return chosen


def compare_energies(
    problems: Sequence[PlanningProblem],
    searches: Sequence[Candidate],
    advance: Callable[[], object] = lambda: None,
) -> list[EnergyResult]:
    """Every search on every problem; `advance` is called after each search."""
    energies, costs = [], []
    for candidate in searches:
        plans = [candidate.search.solver().plan(problem, SeededNoise(seed)) for seed, problem in enumerate(problems)]
        costs.append((percentile([p.seconds for p in plans], 50), sum(p.evaluations for p in plans) / len(plans)))
        energies.append([plan.energy for plan in plans])
        advance()
    reached = torch.tensor(energies)
    horizon = searches[0].search.horizon
    still = torch.tensor([problem.energy_of(torch.zeros(1, horizon, AXES)).item() for problem in problems])
    missed = missed_shares(reached, still)
    return [
        EnergyResult(candidate, evaluations, seconds, reached[i].mean().item(), missed[i].item())
        for i, (candidate, (seconds, evaluations)) in enumerate(zip(searches, costs, strict=True))
    ]


def missed_shares(reached: Tensor, still: Tensor) -> Tensor:
    """Mean share of the possible fall in energy that each search missed: 0 as the best that any found, 1 as no action.

    reached [searches, problems]: energies of the plans; still [problems]: of no action. Returns [searches].
    """
    best = reached.min(dim=0).values
    worth = still - best > SMALLEST_FALL
    return ((reached - best) / (still - best))[:, worth].mean(dim=1)


def best_shapes(results: Sequence[EnergyResult]) -> list[EnergyResult]:
    """Of each search and budget the shape that missed least."""
    best: dict[tuple[str, int], EnergyResult] = {}
    for result in results:
        key = (result.candidate.name, result.candidate.budget)
        if key not in best or result.missed < best[key].missed:
            best[key] = result
    return list(best.values())


def closed_loop(folder: Path, searches: Sequence[Candidate], tasks: Sequence[str], trials: int) -> Sweep:
    """The same trials on tuning scenes for every search of a bundle's model, by the searches' labels."""
    policies = {
        candidate.label: PolicySpec(folder, search=candidate.search, imagine_sub_goals="never", monitored=False)
        for candidate in searches
    }
    return Sweep(policies=policies, tasks=tuple(tasks), trials=trials, seed=TUNING_SEED)


def energy_table(results: Sequence[EnergyResult]) -> str:
    """Markdown: a row per search, a column per budget; each cell the share missed, with its shape."""
    budgets = sorted({r.candidate.budget for r in results if r.candidate.budget})
    cells = {(r.candidate.name, r.candidate.budget): r for r in results}
    lines = ["| search | " + " | ".join(f"{budget} evaluations" for budget in budgets) + " |"]
    lines.append("|---" * (len(budgets) + 1) + "|")
    for name in [name for name in SOLVER_NAMES if any(r.candidate.name == name for r in results)]:
        row = [_cell(cells.get((name, budget))) for budget in budgets]
        lines.append(f"| {name} | " + " | ".join(row) + " |")
    for own in (r for r in results if not r.candidate.budget):
        search = own.candidate.search
        shape = f"{search.samples} x {search.iterations}, {own.evaluations:.0f} evaluations"
        lines.append(
            f"\n{own.candidate.name}: {shape}: {own.missed:.1%} missed, energy {own.energy:.3f}, "
            f"{own.seconds:.3f} s per plan"
        )
    return "\n".join(lines)


def success_table(results: Sequence[Result], energies: Sequence[EnergyResult]) -> str:
    """Markdown: a row per search with its size, what it missed, its successes by task, and its time."""
    energy_of = {energy.candidate.label: energy for energy in energies}

    def names(result: Result) -> tuple[str, ...]:
        energy = energy_of[result.cell.policy]
        search = energy.candidate.search
        size = f"{search.samples} x {search.iterations}"
        return energy.candidate.name, size, f"{energy.evaluations:.0f}", f"{energy.missed:.1%}"

    return table(("search", "size", "evaluations", "missed"), rows_by(results, names), seconds=True)


def _cell(result: EnergyResult | None) -> str:
    if result is None:
        return ""
    search = result.candidate.search
    return f"{result.missed:.1%} ({search.samples} x {search.iterations}, {1e3 * result.seconds:.0f} ms)"
