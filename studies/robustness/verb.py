"""`python -m studies robustness`: success against the strength of each perturbation."""

from __future__ import annotations

import argparse
from pathlib import Path

from jepa_planner.cli.parallel_arguments import add_parallel_arguments

HELP = "how far cameras, light, objects ... may differ before a model fails: a table of success against strength"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--model", default="", metavar="DIR", help="model bundle; the shipped one by default")
    parser.add_argument("--task", default="grasp", metavar="TASK", help="as `eval` (default: grasp)")
    parser.add_argument("--goal-images", default="dense", metavar="dense|K|one")
    parser.add_argument("--stop-at-success", action="store_true", help="as `eval`")
    parser.add_argument(
        "--perturb", nargs="+", default=[], metavar="WHAT",
        help="as `eval`, and all: every one of varied scenes at once (default: each of them, and all)",
    )  # fmt: skip
    parser.add_argument(
        "--strengths", nargs="+", type=float, default=[0.0, 0.5, 1.0, 1.5, 2.0, 2.6], metavar="S",
        help="0 is the standard scene; training draws up to 1.3 (default: 0 0.5 1 1.5 2 2.6)",
    )  # fmt: skip
    parser.add_argument("--scenes", type=int, default=30, help="trials per cell (default: 30)")
    parser.add_argument("--seed", type=int, default=0, help="first scene is 1,000,000 + SEED")
    parser.add_argument(
        "--out", type=Path, default=Path("out/robustness"), metavar="DIR", help="a file for each cell; resumes"
    )
    add_parallel_arguments(parser, processes=1)


def main(args: argparse.Namespace) -> int:
    """Run what is missing, printing the table as it grows."""
    from jepa_planner.learning.evaluation.spread_trials import PolicySpec
    from jepa_planner.learning.evaluation.trials import TrialSettings
    from jepa_planner.model.bundle import model_folder
    from jepa_planner_sim.scene_draws import PERTURBATIONS, check_perturbations
    from studies.robustness.robustness import ALL, table, try_strength

    names = args.perturb or [*PERTURBATIONS, ALL]
    check_perturbations(set(names) - {ALL})
    if wrong := [strength for strength in args.strengths if strength < 0.0]:
        raise ValueError(f"--strengths: {wrong[0]:g} given; expected 0 or more")
    policy_spec = PolicySpec(model_folder(args.model))
    cells = []
    for name in names:
        for strength in args.strengths:
            settings = TrialSettings(
                args.task, args.scenes, args.seed, args.goal_images, strength=strength,
                stop_at_success=args.stop_at_success,
            )  # fmt: skip
            cells.append(
                try_strength(policy_spec, settings, name, PERTURBATIONS, args.out, args.processes, args.cluster)
            )
            found = cells[-1]
            print(f"{name} {strength:g}: {found.successes}/{found.trials}", flush=True)
    text = table(cells)
    print(text)
    (args.out / "table.md").write_text(text + "\n")
    return 0
