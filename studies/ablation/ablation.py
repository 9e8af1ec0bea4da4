"""The same training and the same trials for several objectives or sizes of data, side by side."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jepa_planner import __version__
from jepa_planner.core.strict_fields import from_plain, to_plain
from jepa_planner.learning.evaluation.policies import WorldModelPolicy
from jepa_planner.learning.evaluation.trials import TrialSettings, run_trials
from jepa_planner.learning.training.recipe import Recipe
from jepa_planner.learning.training.training_run import Collapsed, run
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings
from studies.result_cache import ASKED, cached, episodes_asked
from studies.search.planning_problems import TUNING_SEED

STEPS_AHEAD = 4


@dataclass(frozen=True)
class Budget:
    """What all variants are given: iterations and batch of the training, its seed, trials per task on tuning scenes."""

    encoder_iterations: int = 2200
    encoder_batch: int = 48
    predictor_iterations: int = 1500
    seed: int = 0
    tasks: tuple[str, ...] = ("reach", "grasp")
    scenes: int = 20


@dataclass(frozen=True)
class Variant:
    """What differs: the objective (see `JointObjective`), and how many of the episodes are used (None: all)."""

    objective: str
    episodes: int | None = None

    @property
    def name(self) -> str:
        return f"{self.objective}-{self.episodes or 'all'}"


@dataclass(frozen=True)
class Row:
    """What became of a variant; errors are medians on held-out episodes.

    prediction, copying: squared error of latents imagined STEPS_AHEAD steps and of the last one seen, where the object
    moves; None, and successes empty, where the encoder collapsed.
    """

    variant: Variant
    budget: Budget
    episodes: int
    collapsed: bool
    effective_rank: float
    numbers: int
    spread: float
    tcp_cm: float
    object_cm: float
    object_linear_cm: float
    prediction: float | None
    copying: float | None
    successes: dict[str, int]
    seconds: float


def ablate(data: Path, out: Path, variant: Variant, budget: Budget) -> Row:
    """Train and try one variant in its own folder of `out`, or read the row that is there already.

    Interrupted, it goes on from its checkpoints. Raises ValueError where the row was made with another budget or of
    other episodes.
    """
    asked = {
        "package": __version__, "data": episodes_asked([data]), "objective": variant.objective,
        "episodes": variant.episodes, **to_plain(budget),
    }  # fmt: skip
    row = cached(out / variant.name / "row.json", asked, lambda: to_plain(_train_and_try(data, out, variant, budget)))
    return from_plain(Row, {name: value for name, value in row.items() if name != ASKED})


def _train_and_try(data: Path, out: Path, variant: Variant, budget: Budget) -> Row:
    folder = out / variant.name
    started_s = time.monotonic()
    recipe = Recipe(
        seed=budget.seed,
        objective=variant.objective,
        encoder_iterations=budget.encoder_iterations,
        encoder_batch=budget.encoder_batch,
        predictor_iterations=budget.predictor_iterations,
        episodes=variant.episodes,
        name=variant.name,
    )
    successes: dict[str, int] = {}
    try:
        run(data, folder / "bundle", folder / "run", recipe)
    except Collapsed as verdict:
        print(verdict)
    else:
        successes = {task: _successes(folder / "bundle", task, budget.scenes) for task in budget.tasks}
    return _row(variant, budget, folder, successes, time.monotonic() - started_s)


def _successes(bundle: Path, task: str, scenes: int) -> int:
    """At some moment: what these models lack is a verdict, and what differs is how they plan."""
    model = WorldModel.load(bundle)
    policy = WorldModelPolicy(model, PlannerSettings.load(bundle, model.contract))
    settings = TrialSettings(task, scenes, TUNING_SEED, stop_at_success=True)
    return sum(trial.success for trial in run_trials(policy, settings))


def _row(variant: Variant, budget: Budget, folder: Path, successes: dict[str, int], seconds: float) -> Row:
    report = json.loads((folder / "run" / "report.json").read_text())
    collapse, readouts, errors = report["collapse"], report["readouts"], report.get("prediction_error")
    return Row(
        variant=variant,
        budget=budget,
        episodes=report["episodes"],
        collapsed=errors is None,
        effective_rank=collapse["effective_rank"],
        numbers=collapse["numbers"],
        spread=collapse["std_mean"],
        tcp_cm=readouts["tcp"]["mlp_median"],
        object_cm=readouts["object"]["mlp_median"],
        object_linear_cm=readouts["object"]["linear_median"],
        prediction=errors and errors["object_moves"][STEPS_AHEAD - 1],
        copying=errors and errors["object_moves_copy"][STEPS_AHEAD - 1],
        successes=successes,
        seconds=round(seconds, 1),
    )


def table(rows: Sequence[Row]) -> str:
    """Markdown, a row per variant."""
    tasks = list(dict.fromkeys(task for row in rows for task in row.budget.tasks))
    head = ["objective", "episodes", "effective rank", "spread", "tcp, cm", "object, cm (linear)", "imagined / copied"]
    lines = ["| " + " | ".join([*head, *tasks]) + " |", "|---" * (len(head) + len(tasks)) + "|"]
    for row in rows:
        verdict = " **collapsed**" if row.collapsed else ""
        foresight = "" if row.prediction is None else f"{row.prediction:.3f} / {row.copying:.3f}"
        cells = [
            row.variant.objective.replace("+", " + "),
            str(row.episodes),
            f"{row.effective_rank:.1f} of {row.numbers}{verdict}",
            f"{row.spread:.2f}",
            f"{row.tcp_cm:.1f}",
            f"{row.object_cm:.1f} ({row.object_linear_cm:.1f})",
            foresight,
            *(f"{row.successes[task]}/{row.budget.scenes}" if task in row.successes else "" for task in tasks),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def budget_in_words(budget: Budget) -> str:
    """One line that says what all rows have in common."""
    given = dataclasses.asdict(budget)
    return (
        "{encoder_iterations} encoder iterations of {encoder_batch} windows, {predictor_iterations} predictor "
        "iterations, seed {seed}; {scenes} tuning scenes per task, dense goal images, solved at some moment"
    ).format(**given)
