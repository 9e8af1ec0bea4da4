"""`python -m studies settings`: what each choice in planner.yaml is worth in closed loop.

Grid: changes of the settings, made in copies of the bundle, x tasks, on scenes that no reported number uses.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from studies.sweep.arguments import add_sweep_arguments, add_tasks

HELP = "try a model with settings of its planner.yaml changed, one after the other: a table of success and time"
UNCHANGED = "as it is"
AND = "+"
"""Between changes that are made together."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--model", default="", metavar="DIR", help="model bundle; the shipped one by default")
    parser.add_argument(
        "--change", nargs="+", default=[], metavar="NAME=VALUE",
        help="of planner.yaml, as in energy.kind=last_step_mse; several at once are joined by +",
    )  # fmt: skip
    add_tasks(parser, ["push"])
    add_sweep_arguments(parser, "out/settings", scenes=30, seed=False)


def main(args: argparse.Namespace) -> int:
    """Run what is missing, saying each result, and print the table."""
    from jepa_planner.learning.evaluation.spread_trials import PolicySpec
    from jepa_planner.model.bundle import model_folder
    from studies.sweep.sweep import TUNING_SEED, Sweep
    from studies.sweep.table import keep, said

    folders = changed_bundles(model_folder(args.model), args.change, args.out)
    sweep = Sweep(
        policies={change: PolicySpec(folder) for change, folder in folders.items()}, tasks=tuple(args.tasks),
        goal_images=(args.goal_images,), trials=args.scenes, seed=TUNING_SEED, stop_at_success=args.stop_at_success,
    )  # fmt: skip
    results = said(sweep.run(args.out, args.processes, args.cluster))
    keep(reading(results), args.out / f"table-{args.goal_images}.md")
    return 0


def changed_bundles(init: Path, changes: Sequence[str], out: Path) -> dict[str, Path]:
    """A bundle for each of `changes`, NAME=VALUE or several joined by AND, behind that of `init` itself.

    Raises FieldError for what cannot be changed so, before anything is tried.
    """
    from studies.settings.changed_bundle import changed_bundle

    folders = {UNCHANGED: init}
    for change in changes:
        folders[change] = out / "bundles" / change.replace("/", "-")
        changed_bundle(init, change.split(AND), folders[change])
    return folders


def reading(results: Iterable) -> str:
    """A row per change, for each task how many were solved and in how many steps."""
    from studies.sweep.table import rows_by, table

    rows = rows_by(results, lambda r: (r.cell.policy if r.cell.policy == UNCHANGED else f"`{r.cell.policy}`",))
    return table(
        ("setting",), rows, seconds=True,
        in_words=lambda r: r.in_words() + ("" if r.steps is None else f", {r.steps:.0f} steps"),
    )  # fmt: skip
