"""What searches reach for how many evaluations: on recorded planning problems, and in closed loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jepa_planner.core.arm_layout import AXES
from jepa_planner.learning.evaluation.policies import WorldModelPolicy
from jepa_planner.learning.evaluation.statistics import percentile
from jepa_planner.learning.evaluation.trials import TrialSettings, run_trials
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.solvers.noise import SeededNoise
from jepa_planner.planning.solvers.plan import PlanningProblem
from jepa_planner.planning.solvers.settings import SearchSettings
from jepa_planner.planning.solvers.table import SOLVER_NAMES, name_of
from jepa_planner.planning.verdict import VerdictHeadLike
from studies.search.planning_problems import TUNING_SEED

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


@dataclass(frozen=True)
class EnergyResult:
    """Over problems: mean evaluations, median seconds, mean energy of the plans, share missed (`missed_shares`)."""

    candidate: Candidate
    evaluations: float
    seconds: float
    energy: float
    missed: float


@dataclass(frozen=True)
class SuccessResult:
    """Closed-loop trials of a task with one search; seconds of the median look and plan."""

    candidate: Candidate
    task: str
    successes: int
    episodes: int
    plan_seconds: float


def candidates(settings: PlannerSettings, names: Sequence[str], budgets: Sequence[int]) -> list[Candidate]:
    """The model's own search, and each named one, with its horizon, in every shape of ITERATIONS that fits a budget."""
    found, horizon = [Candidate(settings.search())], settings.search().horizon
    for name in names:
        for budget in budgets:
            for iterations in ITERATIONS:
                try:
                    search = settings.search(name).resized(horizon=horizon).sized(budget, iterations)
                    found.append(Candidate(search, budget))
                except ValueError:  # too few samples for that many elites and known candidates
                    continue
    return found


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
    found = torch.tensor(energies)
    horizon = searches[0].search.horizon
    still = torch.tensor([problem.energy_of(torch.zeros(1, horizon, AXES)).item() for problem in problems])
    missed = missed_shares(found, still)
    return [
        EnergyResult(candidate, evaluations, seconds, found[i].mean().item(), missed[i].item())
        for i, (candidate, (seconds, evaluations)) in enumerate(zip(searches, costs, strict=True))
    ]


def missed_shares(found: Tensor, still: Tensor) -> Tensor:
    """Mean share of the possible fall in energy that each search missed: 0 as the best that any found, 1 as no action.

    found [searches, problems]: energies of the plans; still [problems]: of no action. Returns [searches].
    """
    best = found.min(dim=0).values
    worth = still - best > SMALLEST_FALL
    return ((found - best) / (still - best))[:, worth].mean(dim=1)


def best_shapes(results: Sequence[EnergyResult]) -> list[EnergyResult]:
    """Of each search and budget the shape that missed least."""
    best: dict[tuple[str, int], EnergyResult] = {}
    for result in results:
        key = (result.candidate.name, result.candidate.budget)
        if key not in best or result.missed < best[key].missed:
            best[key] = result
    return list(best.values())


def compare_successes(
    model: WorldModel,
    settings: PlannerSettings,
    searches: Sequence[Candidate],
    tasks: Sequence[str],
    episodes: int,
    verdict_head: VerdictHeadLike | None = None,
) -> Iterator[SuccessResult]:
    """Closed-loop trials on tuning scenes, the same for every search. verdict_head: the model's."""
    for candidate in searches:
        for task in tasks:
            seconds: list[float] = []
            search = candidate.search.solver()
            policy = WorldModelPolicy(model, settings, seconds, search, verdict_head=verdict_head)
            trials = list(run_trials(policy, TrialSettings(task, episodes, TUNING_SEED)))
            successes = sum(trial.success for trial in trials)
            yield SuccessResult(candidate, task, successes, episodes, percentile(seconds, 50))


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


def success_table(results: Sequence[SuccessResult], energies: Sequence[EnergyResult]) -> str:
    """Markdown: a row per search with its size, what it missed, its time, and its successes by task."""
    tasks = list(dict.fromkeys(r.task for r in results))
    energy_of = {r.candidate: r for r in energies}
    lines = ["| search | size | evaluations | missed | seconds per step | " + " | ".join(tasks) + " |"]
    lines.append("|---" * (5 + len(tasks)) + "|")
    for candidate in dict.fromkeys(r.candidate for r in results):
        own = [r for r in results if r.candidate == candidate]
        energy, search = energy_of[candidate], candidate.search
        solved = " | ".join(f"{r.successes}/{r.episodes}" for r in own)
        seconds = sum(r.plan_seconds for r in own) / len(own)
        lines.append(
            f"| {candidate.name} | {search.samples} x {search.iterations} | {energy.evaluations:.0f} | "
            f"{energy.missed:.1%} | {seconds:.3f} | {solved} |"
        )
    return "\n".join(lines)


def _cell(result: EnergyResult | None) -> str:
    if result is None:
        return ""
    search = result.candidate.search
    return f"{result.missed:.1%} ({search.samples} x {search.iterations}, {1e3 * result.seconds:.0f} ms)"
