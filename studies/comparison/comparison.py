"""The same trials for several models under several conditions, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from jepa_planner.learning.evaluation.policies import WorldModelPolicy
from jepa_planner.learning.evaluation.report import summarise
from jepa_planner.learning.evaluation.trials import TrialSettings, run_trials
from jepa_planner.model.bundle import load_contract, load_verdict_head
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings
from studies.result_cache import cached, trials_asked

CLEAN = "clean"
"""The condition without a perturbation; others name one, as `eval --perturb`."""


@dataclass(frozen=True)
class Trials:
    """What all models are given: tasks, conditions, scenes per task from which seed on, goal images, who ends them."""

    tasks: tuple[str, ...]
    conditions: tuple[str, ...]
    scenes: int
    seed: int = 0
    goal_images: str = "dense"
    stop_at_success: bool = False

    def settings(self, task: str, condition: str) -> TrialSettings:
        """Those of one cell of the table; raises ValueError for what there is not."""
        vary = frozenset() if condition == CLEAN else frozenset([condition])
        return TrialSettings(task, self.scenes, self.seed, self.goal_images, vary, stop_at_success=self.stop_at_success)


@dataclass(frozen=True)
class Cell:
    """How often a model solved a task under a condition; seconds per plan: median."""

    model: str
    space: str
    condition: str
    task: str
    successes: int
    trials: int
    wilson_low: float
    wilson_high: float
    plan_seconds: float | None


def try_model(name: str, folder: Path, task: str, condition: str, trials: Trials, out: Path) -> Cell:
    """One cell; its evaluation is kept in `out` and read from there the next time.

    Raises ValueError where what is kept is of another model or of other trials.
    """
    settings = trials.settings(task, condition)
    planner_settings = PlannerSettings.load(folder, load_contract(folder))
    file = out / f"{name}-{condition}-{task}.json"
    summary = cached(file, trials_asked(folder, settings), lambda: _evaluate(folder, settings))
    space = "pixels" if planner_settings.energy.in_pixels else "latents"
    found = (summary[key] for key in ("successes", "episodes", "wilson_low", "wilson_high", "plan_seconds_median"))
    return Cell(name, space, condition, task, *found)


def _evaluate(folder: Path, settings: TrialSettings) -> dict[str, object]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as `eval`
    seconds: list[float] = []
    model = WorldModel.load(folder)
    planner_settings = PlannerSettings.load(folder, model.contract)
    found = []
    try:
        policy = WorldModelPolicy(model, planner_settings, seconds, verdict_head=load_verdict_head(folder))
        with tqdm(run_trials(policy, settings), total=settings.episodes, desc=settings.task, unit="trial") as bar:
            for trial in bar:
                found.append(trial)
                bar.set_postfix(solved=f"{sum(t.success for t in found)}/{len(found)}")
    finally:
        torch.set_num_threads(threads)
    return summarise(found, settings, seconds, str(folder), "none", search=planner_settings.search())


def table(cells: Sequence[Cell]) -> str:
    """Markdown: a row per model and condition, a column per task."""
    tasks = list(dict.fromkeys(cell.task for cell in cells))
    lines = [f"| model | planned in | scenes | {' | '.join(tasks)} | s per plan |", "|---" * (len(tasks) + 4) + "|"]
    rows: dict[tuple[str, str, str], dict[str, Cell]] = {}
    for cell in cells:
        rows.setdefault((cell.model, cell.space, cell.condition), {})[cell.task] = cell
    for (model, space, condition), row in rows.items():
        solved = [_in_words(row[task]) if task in row else "" for task in tasks]
        seconds = [cell.plan_seconds for cell in row.values() if cell.plan_seconds is not None]
        slowest = f"{max(seconds):.2f}" if seconds else ""
        lines.append("| " + " | ".join([model, space, condition.replace("_", " "), *solved, slowest]) + " |")
    return "\n".join(lines)


def _in_words(cell: Cell) -> str:
    return f"{cell.successes}/{cell.trials} ({cell.wilson_low:.0%} to {cell.wilson_high:.0%})"
