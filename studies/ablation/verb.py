"""`python -m studies ablation`: what a training objective, or more data, is worth."""

from __future__ import annotations

import argparse
from pathlib import Path

from jepa_planner.cli.number_arguments import at_least

HELP = "train several objectives or sizes of data with one budget, and compare them in a table"
OBJECTIVES = (
    "none", "inverse+state", "ema+inverse+state", "vicreg+inverse+state", "barlow_twins+inverse+state",
    "info_nce+inverse+state", "sigreg", "sigreg+inverse+state",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="episodes of `jepa-planner collect`")
    parser.add_argument(
        "--out", type=Path, default=Path("out/ablation"), metavar="DIR", help="a folder for each row; resumes"
    )
    parser.add_argument(
        "--objectives", nargs="+", default=list(OBJECTIVES), metavar="TERM+TERM", help="as `train --objective`"
    )
    parser.add_argument(
        "--episodes", nargs="+", type=at_least(0), default=[0], metavar="N", help="sizes of data; 0: all"
    )
    budget = parser.add_argument_group("what every row is given")
    budget.add_argument("--encoder-iterations", type=at_least(1), default=2200, metavar="N")
    budget.add_argument("--encoder-batch", type=at_least(1), default=48, metavar="N", help="windows per iteration")
    budget.add_argument("--predictor-iterations", type=at_least(1), default=1500, metavar="N")
    budget.add_argument("--seed", type=at_least(0), default=0)
    budget.add_argument(
        "--tasks", nargs="+", default=["reach", "grasp"], choices=["reach", "grasp", "push", "pick_place"]
    )
    budget.add_argument("--scenes", type=at_least(1), default=20, help="closed-loop trials per task")


def main(args: argparse.Namespace) -> int:
    """Train and try every combination, printing the table as it grows."""
    from jepa_planner.core.this_process import use_all_cores
    from jepa_planner.learning.training.objectives.joint import names_in
    from studies.ablation.ablation import Budget, Variant, ablate, budget_in_words, table

    for objective in args.objectives:
        names_in(objective)  # not only after hours
    use_all_cores()
    budget = Budget(
        args.encoder_iterations, args.encoder_batch, args.predictor_iterations, args.seed, tuple(args.tasks),
        args.scenes,
    )  # fmt: skip
    variants = [Variant(objective, count or None) for objective in args.objectives for count in args.episodes]
    rows = []
    for variant in variants:
        print(f"{variant.name}: row {len(rows) + 1} of {len(variants)}")
        rows.append(ablate(args.data, args.out, variant, budget))
        text = f"{budget_in_words(budget)}\n\n{table(rows)}\n"
        print(text)
        (args.out / "table.md").write_text(text)
    return 0
