"""`python -m studies few-goals`: ways to do with one goal picture, side by side.

Grid: ways x tasks, each with one goal picture.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from jepa_planner.cli.number_arguments import at_least
from studies.sweep.arguments import add_sweep_arguments, add_tasks

HELP = "one goal picture: imagined sub-goals beside retrieved ones, search alone and a flat policy"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--model", default="", metavar="DIR", help="model bundle; the shipped one by default")
    parser.add_argument(
        "--demonstrations", nargs="+", type=Path, required=True, metavar="DIR",
        help="what was learned from: `jepa-planner collect --behaviour demonstration`",
    )  # fmt: skip
    parser.add_argument("--ways", nargs="+", default=["imagined", "retrieved", "search alone", "flat policy"])
    parser.add_argument("--iterations", type=at_least(1), default=6000, metavar="N", help="of training the flat policy")
    parser.add_argument(
        "--run", type=Path, default=Path("out/sub-goals"), metavar="DIR",
        help="where encoded demonstrations are; that of `train --sub-goals-only` has them already",
    )  # fmt: skip
    add_tasks(parser, ["pick_place", "push"])
    add_sweep_arguments(parser, "out/few-goals", scenes=50, goal_images=False)


def main(args: argparse.Namespace) -> int:
    """Run what is missing, saying each result, and print the table."""
    from jepa_planner.model.bundle import load_contract, model_folder
    from jepa_planner.planning.planner_settings import PlannerSettings
    from studies.few_goals.ways import WAYS, ways
    from studies.sweep.sweep import Sweep
    from studies.sweep.table import keep, said

    if unknown := [way for way in args.ways if way not in WAYS]:
        raise ValueError(f"--ways: {unknown[0]!r} given; choose among {', '.join(WAYS)}")
    bundle = model_folder(args.model)
    PlannerSettings.load(bundle, load_contract(bundle)).imagines("always", goals=1)  # refuses a bundle that cannot
    policies = ways(bundle, args.demonstrations, args.run, args.iterations)
    sweep = Sweep(
        policies={way: policies[way] for way in args.ways}, tasks=tuple(args.tasks), goal_images=("one",),
        trials=args.scenes, seed=args.seed,
    )  # fmt: skip
    keep(reading(said(sweep.run(args.out, args.processes, args.cluster))), args.out / "table.md")
    return 0


def reading(results: Iterable) -> str:
    """A row per way, a column per task."""
    from studies.few_goals.ways import WAYS
    from studies.sweep.table import rows_by, table

    return table(("way",), rows_by(results, lambda r: (WAYS[r.cell.policy],)))
