"""`python -m studies few-goals`: ways to do with one goal picture, side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

from jepa_planner.cli.number_arguments import at_least

HELP = "one goal picture: imagined moments beside retrieved ones, search alone and a flat policy"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--model", default="", metavar="DIR", help="model bundle; the shipped one by default")
    parser.add_argument(
        "--demonstrations", nargs="+", type=Path, required=True, metavar="DIR",
        help="what was learned from: `jepa-planner collect --behaviour demonstration`",
    )  # fmt: skip
    parser.add_argument("--ways", nargs="+", default=["imagined", "retrieved", "search alone", "flat policy"])
    parser.add_argument("--tasks", nargs="+", default=["pick_place", "push"], choices=["grasp", "push", "pick_place"])
    parser.add_argument("--scenes", type=int, default=50, help="trials per task (default: 50)")
    parser.add_argument("--seed", type=int, default=0, help="first scene is 1,000,000 + SEED")
    parser.add_argument("--iterations", type=at_least(1), default=6000, metavar="N", help="of training the flat policy")
    parser.add_argument(
        "--run", type=Path, default=Path("out/sub-goals"), metavar="DIR",
        help="where encoded demonstrations are; that of `train --sub-goals-only` has them already",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("out/few-goals"), metavar="DIR", help="a file for each cell")


def main(args: argparse.Namespace) -> int:
    """Run what is missing and print the table."""
    from jepa_planner.learning.evaluation.trials import TrialSettings
    from jepa_planner.model.bundle import model_folder
    from studies.few_goals.few_goals import WAYS, Ways, table, try_ways

    if unknown := [way for way in args.ways if way not in WAYS]:
        raise ValueError(f"--ways: {unknown[0]!r} given; choose among {', '.join(WAYS)}")
    trials = [TrialSettings(task, args.scenes, args.seed, "one") for task in args.tasks]
    ways = Ways(model_folder(args.model), args.demonstrations, args.run, args.iterations)
    print(table(try_ways(ways, args.ways, trials, args.out)))
    return 0
