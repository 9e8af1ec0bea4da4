"""Success against the strength of each perturbation: how far a camera may move before the planner fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jepa_planner.learning.evaluation.report import summarise
from jepa_planner.learning.evaluation.spread_trials import PolicySpec, spread_trials
from jepa_planner.learning.evaluation.trials import TrialSettings
from studies.result_cache import cached, trials_asked

ALL = "all"
"""Stands for every perturbation at once."""


@dataclass(frozen=True)
class Cell:
    """How often a task was solved with one perturbation at one strength; 0 is the standard scene."""

    perturbation: str
    strength: float
    successes: int
    trials: int


def try_strength(
    policy_spec: PolicySpec, settings: TrialSettings, perturbation: str, everything: Sequence[str], out: Path,
    processes: int = 1, cluster: str = "",
) -> Cell:  # fmt: skip
    """One cell, at the settings' strength; its trials are kept in `out` and read from there the next time.

    everything: what `ALL` stands for. Raises ValueError where what is kept is of another model or of other trials.
    """
    varied = frozenset(everything) if perturbation == ALL else frozenset([perturbation])
    settings = replace(settings, vary=varied if settings.strength > 0.0 else frozenset())
    name = f"{perturbation}-{settings.strength:g}" if settings.strength > 0.0 else "standard"
    file = out / f"{settings.task.replace(':', '-')}-{name}.json"

    def evaluate() -> dict[str, object]:
        seconds: list[float] = []
        trials = sorted(spread_trials(policy_spec, settings, seconds, processes, cluster), key=lambda trial: trial.seed)
        return summarise(trials, settings, seconds, str(policy_spec.folder), "none")

    found = cached(file, trials_asked(policy_spec.folder, settings, **policy_spec.settings()), evaluate)
    return Cell(perturbation, settings.strength, found["successes"], found["episodes"])


def table(cells: Sequence[Cell]) -> str:
    """Markdown: a row per perturbation, a column per strength."""
    strengths = sorted({cell.strength for cell in cells})
    lines = [f"| perturbation | {' | '.join(f'{s:g}' for s in strengths)} |", "|---" * (len(strengths) + 1) + "|"]
    for name in dict.fromkeys(cell.perturbation for cell in cells):
        found = {cell.strength: f"{cell.successes}/{cell.trials}" for cell in cells if cell.perturbation == name}
        lines.append(f"| {name} | {' | '.join(found.get(s, '') for s in strengths)} |")
    return "\n".join(lines)
