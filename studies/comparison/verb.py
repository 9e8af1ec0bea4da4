"""`python -m studies comparison`: several models in the same trials, clean and with a moving background.

Grid: models x conditions x tasks. A model of pixels is planned in pixels, all else is alike.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

from jepa_planner.cli.model_arguments import add_named_models, named_models
from studies.sweep.arguments import add_sweep_arguments, add_tasks

HELP = "try several models in the same scenes, clean and perturbed, and print a table"
CLEAN = "clean"
"""The condition without a perturbation; others name one, as `eval --perturb`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_named_models(parser)
    parser.add_argument(
        "--conditions", nargs="+", default=["clean", "flicker", "moving_texture"], metavar="WHAT",
        help="clean, or as `eval --perturb` (default: clean flicker moving_texture)",
    )  # fmt: skip
    add_tasks(parser, ["reach", "grasp", "push", "pick_place"])
    add_sweep_arguments(parser, "out/comparison", scenes=50)


def main(args: argparse.Namespace) -> int:
    """Run what is missing, saying each result, and print the table."""
    from jepa_planner.learning.evaluation.spread_trials import PolicySpec
    from jepa_planner_sim.scene_draws import check_perturbations
    from studies.sweep.sweep import Scenes, Sweep
    from studies.sweep.table import keep, said

    models = named_models(args)
    check_perturbations(set(args.conditions) - {CLEAN})
    spaces = {name: _planned_in(folder) for name, folder in models.items()}
    sweep = Sweep(
        policies={
            name: PolicySpec(folder, imagine_sub_goals="never", monitored=False) for name, folder in models.items()
        },
        scenes={name: Scenes(frozenset({name} - {CLEAN})) for name in args.conditions},
        tasks=tuple(args.tasks), goal_images=(args.goal_images,), trials=args.scenes, seed=args.seed,
        stop_at_success=args.stop_at_success,
    )  # fmt: skip
    results = said(sweep.run(args.out, args.processes, args.cluster))
    keep(reading(results, spaces), args.out / "table.md")
    return 0


def reading(results: Iterable, spaces: Mapping[str, str]) -> str:
    """A row per model and condition, a column per task; spaces: in which of them a model is planned."""
    from studies.sweep.table import rows_by, table

    rows = rows_by(results, lambda r: (r.cell.policy, spaces[r.cell.policy], r.cell.scenes.replace("_", " ")))
    return table(("model", "planned in", "scenes"), rows, seconds=True)


def _planned_in(folder: Path) -> str:
    """Refuses what is no bundle before hours of trials."""
    from jepa_planner.model.bundle import load_contract
    from jepa_planner.planning.planner_settings import PlannerSettings

    return "pixels" if PlannerSettings.load(folder, load_contract(folder)).energy.in_pixels else "latents"
