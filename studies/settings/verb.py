"""`python -m studies settings`: what each choice in planner.yaml is worth in closed loop."""

from __future__ import annotations

import argparse
from pathlib import Path

from jepa_planner.cli.number_arguments import at_least

HELP = "try a model with settings of its planner.yaml changed, one after the other: a table of success and time"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--model", default="", metavar="DIR", help="model bundle; the shipped one by default")
    parser.add_argument(
        "--change", nargs="+", default=[], metavar="NAME=VALUE",
        help="of planner.yaml, as in energy.kind=last_step_mse; several at once are joined by +",
    )  # fmt: skip
    parser.add_argument("--tasks", nargs="+", default=["push"], metavar="TASK", help="as `eval` (default: push)")
    parser.add_argument("--goal-images", default="dense", metavar="dense|K|one")
    parser.add_argument("--stop-at-success", action="store_true", help="as `eval`")
    parser.add_argument("--scenes", type=int, default=30, help="trials per task and change (default: 30)")
    parser.add_argument("--processes", type=at_least(1), default=1, metavar="N", help="of this machine (default: 1)")
    parser.add_argument(
        "--out", type=Path, default=Path("out/settings"), metavar="DIR",
        help="a file for each cell and a bundle for each change; resumes",
    )  # fmt: skip


def main(args: argparse.Namespace) -> int:
    """Run what is missing, on scenes that no reported number uses, printing the table as it grows."""
    from jepa_planner.learning.evaluation.trials import TrialSettings
    from jepa_planner.model.bundle import model_folder
    from studies.search.planning_problems import TUNING_SEED
    from studies.settings.settings_comparison import changed_bundles, table, try_change

    given = [
        TrialSettings(task, args.scenes, TUNING_SEED, args.goal_images, stop_at_success=args.stop_at_success)
        for task in args.tasks
    ]
    cells = []
    for change, folder in changed_bundles(model_folder(args.model), args.change, args.out).items():
        for settings in given:
            cells.append(try_change(change, folder, settings, args.out, args.processes))
            found = cells[-1]
            print(f"{found.task}, {change}: {found.successes}/{found.trials}", flush=True)
    text = table(cells)
    print(text)
    (args.out / f"table-{args.goal_images}.md").write_text(text + "\n")
    return 0
