"""`python -m studies search`: which solver, and how large a search."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from jepa_planner.cli.number_arguments import at_least
from jepa_planner.cli.parallel_arguments import add_parallel_arguments

HELP = "compare solvers: energy reached and success for how many evaluations"
TASKS = ("reach", "grasp", "push", "pick_place")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--model", default="", metavar="DIR", help="model bundle; the shipped one by default")
    parser.add_argument("--solvers", nargs="+", metavar="NAME", help="such as cem or mppi; default: all")
    parser.add_argument(
        "--evaluations", nargs="+", type=at_least(1), default=[32, 64, 128, 256, 512, 1024], metavar="N"
    )
    parser.add_argument("--problems", type=at_least(1), default=40, help="recorded planning problems, over all tasks")
    parser.add_argument(
        "--episodes", type=at_least(0), default=0, help="closed-loop trials per task and search; 0: energies alone"
    )
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=["reach", "push"], help="of those trials")
    parser.add_argument(
        "--try-evaluations",
        nargs="+",
        type=at_least(1),
        default=[64, 128],
        metavar="N",
        help="budgets that those trials use",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/search"), metavar="DIR", help="a file for those of each; resumes"
    )
    parser.add_argument("--json", type=Path, default=None, metavar="FILE")
    add_parallel_arguments(parser, processes=1)


def main(args: argparse.Namespace) -> int:
    """Record problems, compare energies, then successes of the best shapes; print both as tables."""
    import torch
    from tqdm import tqdm

    from jepa_planner.core.strict_fields import to_plain
    from jepa_planner.model.bundle import model_folder
    from jepa_planner.model.world_model import WorldModel
    from jepa_planner.planning.planner_settings import PlannerSettings
    from jepa_planner.planning.solvers.table import SOLVER_NAMES
    from studies.search import search_comparison as compare
    from studies.search.planning_problems import record_problems
    from studies.sweep.table import said

    torch.set_num_threads(1)
    model = WorldModel.load(model_folder(args.model))
    settings = PlannerSettings.load(model_folder(args.model), model.contract)
    searches = compare.candidates(settings, args.solvers or SOLVER_NAMES, args.evaluations)
    problems = []
    for task in tqdm(TASKS, desc="recording problems", unit="task"):
        problems += record_problems(model, settings, task, -(-args.problems // len(TASKS)))
    with tqdm(total=len(searches), desc="energies", unit="search") as bar:
        energies = compare.best_shapes(compare.compare_energies(problems, searches, bar.update))
    print(f"{len(problems)} planning problems; share of the possible fall in energy that is missed (shape, time)\n")
    print(compare.energy_table(energies))
    successes = []
    if args.episodes:
        chosen = [e.candidate for e in energies if e.candidate.budget in (0, *args.try_evaluations)]
        sweep = compare.closed_loop(model_folder(args.model), chosen, args.tasks, args.episodes)
        successes = list(said(sweep.run(args.out, args.processes, args.cluster)))
        print(f"\nsolved of {args.episodes} tuning scenes\n")
        print(compare.success_table(successes, energies))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        data = {"energies": to_plain(energies), "successes": to_plain(successes)}
        args.json.write_text(json.dumps(data, indent=1) + "\n")
    return 0
