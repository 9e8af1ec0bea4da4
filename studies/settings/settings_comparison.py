"""What each choice in a planner's settings is worth: the same model tried with one setting after the other changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jepa_planner.learning.evaluation.report import summarise
from jepa_planner.learning.evaluation.spread_trials import PolicySpec, spread_trials
from jepa_planner.learning.evaluation.trials import TrialSettings
from jepa_planner.model.bundle import load_contract
from jepa_planner.planning.planner_settings import PlannerSettings
from studies.result_cache import cached, trials_asked
from studies.settings.changed_bundle import changed_bundle

UNCHANGED = "as it is"
AND = "+"
"""Between changes that are made together."""


@dataclass(frozen=True)
class Cell:
    """How often a task was solved with a change; steps of the median solved trial, seconds of the median plan."""

    change: str
    task: str
    successes: int
    trials: int
    steps: float | None
    plan_seconds: float | None


def changed_bundles(init: Path, changes: Sequence[str], out: Path) -> dict[str, Path]:
    """A bundle for each of `changes`, NAME=VALUE or several joined by AND, behind that of `init` itself.

    Raises FieldError for what cannot be changed so, before anything is tried.
    """
    folders = {UNCHANGED: init}
    for change in changes:
        folders[change] = out / "bundles" / change.replace("/", "-")
        changed_bundle(init, change.split(AND), folders[change])
    return folders


def try_change(change: str, folder: Path, settings: TrialSettings, out: Path, processes: int = 1) -> Cell:
    """One cell; its trials are kept in `out` and read from there the next time.

    Raises ValueError where what is kept is of another contract or of other trials.
    """
    policy_spec, search = PolicySpec(folder), PlannerSettings.load(folder, load_contract(folder)).search()

    def evaluate() -> dict[str, object]:
        seconds: list[float] = []
        trials = sorted(spread_trials(policy_spec, settings, seconds, processes), key=lambda trial: trial.seed)
        return summarise(trials, settings, seconds, str(folder), "none", search=search)

    name = f"{settings.task}-{settings.goal_images}-{change.replace('/', '-').replace(' ', '_')}.json"
    found = cached(out / name, trials_asked(folder, settings, **policy_spec.settings()), evaluate)
    numbers = (found[key] for key in ("successes", "episodes", "steps_median", "plan_seconds_median"))
    return Cell(change, settings.task, *numbers)


def table(cells: Sequence[Cell]) -> str:
    """Markdown: a row per change, for each task how many were solved and in how many steps."""
    tasks = list(dict.fromkeys(cell.task for cell in cells))
    lines = [f"| setting | {' | '.join(tasks)} | s per plan |", "|---" * (len(tasks) + 2) + "|"]
    for change in dict.fromkeys(cell.change for cell in cells):
        row = {cell.task: cell for cell in cells if cell.change == change}
        solved = [_in_words(row[task]) if task in row else "" for task in tasks]
        seconds = [cell.plan_seconds for cell in row.values() if cell.plan_seconds is not None]
        what = change if change == UNCHANGED else f"`{change}`"
        lines.append(" | ".join([f"| {what}", *solved, f"{max(seconds):.2f}" if seconds else ""]) + " |")
    return "\n".join(lines)


def _in_words(cell: Cell) -> str:
    steps = "" if cell.steps is None else f", {cell.steps:.0f} steps"
    return f"{cell.successes}/{cell.trials}{steps}"
