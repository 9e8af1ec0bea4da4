"""`python -m studies comparison`: several models in the same trials, clean and with a moving background."""

from __future__ import annotations

import argparse
from pathlib import Path

from jepa_planner.cli.model_arguments import add_named_models, named_models

HELP = "try several models in the same scenes, clean and perturbed, and print a table"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_named_models(parser)
    parser.add_argument(
        "--conditions", nargs="+", default=["clean", "flicker", "moving_texture"], metavar="WHAT",
        help="clean, or as `eval --perturb` (default: clean flicker moving_texture)",
    )  # fmt: skip
    parser.add_argument(
        "--tasks", nargs="+", default=["reach", "grasp", "push", "pick_place"],
        choices=["reach", "grasp", "push", "pick_place"],
    )  # fmt: skip
    parser.add_argument("--scenes", type=int, default=50, help="trials per task and condition (default: 50)")
    parser.add_argument("--seed", type=int, default=0, help="first scene is 1,000,000 + SEED")
    parser.add_argument("--goal-images", default="dense", metavar="dense|K|one")
    parser.add_argument("--stop-at-success", action="store_true", help="as `eval`; for models without a verdict")
    parser.add_argument(
        "--out", type=Path, default=Path("out/comparison"), metavar="DIR", help="a file for each cell; resumes"
    )


def main(args: argparse.Namespace) -> int:
    """Run what is missing, printing the table as it grows."""
    from jepa_planner.model.bundle import load_contract
    from jepa_planner_sim.scene_draws import check_perturbations
    from studies.comparison.comparison import Trials, table, try_model

    models = named_models(args)
    trials = Trials(
        tuple(args.tasks), tuple(args.conditions), args.scenes, args.seed, args.goal_images, args.stop_at_success
    )
    check_perturbations({condition for condition in trials.conditions if condition != "clean"})
    for folder in models.values():
        load_contract(folder)  # refuses before hours of trials
    cells = []
    for name, folder in models.items():
        for condition in trials.conditions:
            for task in trials.tasks:
                print(f"{name}, {condition}")
                cells.append(try_model(name, folder, task, condition, trials, args.out))
            print(table(cells))
    (args.out / "table.md").write_text(table(cells) + "\n")
    return 0
