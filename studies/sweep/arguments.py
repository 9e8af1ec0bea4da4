"""The arguments that studies of closed-loop trials share."""

from __future__ import annotations

import argparse
from pathlib import Path

from jepa_planner.cli.number_arguments import at_least
from jepa_planner.cli.parallel_arguments import add_parallel_arguments


def add_sweep_arguments(
    parser: argparse.ArgumentParser, out: str, scenes: int, seed: bool = True, goal_images: bool = True
) -> None:
    """Declare --scenes, --out, --processes and --cluster, with their defaults, and what `eval` names the same.

    seed, goal_images: whether the study leaves these open, and with them who ends a trial.
    """
    parser.add_argument("--scenes", type=at_least(1), default=scenes, metavar="N", help=f"trials per cell ({scenes})")
    if seed:
        parser.add_argument("--seed", type=at_least(0), default=0, help="first scene is 1,000,000 + SEED")
    if goal_images:
        parser.add_argument("--goal-images", default="dense", metavar="dense|K|one")
        parser.add_argument("--stop-at-success", action="store_true", help="as `eval`; for models without a verdict")
    parser.add_argument("--out", type=Path, default=Path(out), metavar="DIR", help="a file for each cell; resumes")
    add_parallel_arguments(parser, processes=1)


def add_tasks(parser: argparse.ArgumentParser, default: list[str]) -> None:
    """Declare --tasks."""
    parser.add_argument(
        "--tasks", nargs="+", default=default, metavar="TASK", help=f"as `eval` (default: {' '.join(default)})"
    )
