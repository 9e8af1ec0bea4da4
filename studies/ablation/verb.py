"""`python -m studies ablation`: what a training objective, or more data, is worth.

Grid: the models of each objective and size of data, trained with one budget, x tasks, on scenes that no reported number
uses; solved at some moment, as these models lack a verdict, and what differs is how they plan.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from jepa_planner.cli.number_arguments import at_least
from studies.sweep.arguments import add_sweep_arguments, add_tasks

HELP = "train several objectives or sizes of data with one budget, and compare them in a table"
OBJECTIVES = (
    "none", "inverse+state", "ema+inverse+state", "vicreg+inverse+state", "barlow_twins+inverse+state",
    "info_nce+inverse+state", "sigreg", "sigreg+inverse+state",
)  # fmt: skip
HEADS = ("objective", "episodes", "effective rank", "spread", "tcp, cm", "object, cm (linear)", "imagined / copied")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="episodes of `jepa-planner collect`")
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
    add_tasks(parser, ["reach", "grasp"])
    add_sweep_arguments(parser, "out/ablation", scenes=20, seed=False, goal_images=False)


def main(args: argparse.Namespace) -> int:
    """Train and try every combination, printing the table as it grows."""
    from jepa_planner.core.this_process import use_all_cores
    from jepa_planner.learning.training.objectives.joint import names_in
    from studies.ablation.training import Budget, Variant, train
    from studies.sweep.table import keep

    for objective in args.objectives:
        names_in(objective)  # not only after hours
    use_all_cores()
    budget = Budget(args.encoder_iterations, args.encoder_batch, args.predictor_iterations, args.seed)
    variants = [Variant(objective, count or None) for objective in args.objectives for count in args.episodes]
    rows: dict[tuple[str, ...], Mapping] = {}
    about = f"{args.scenes} tuning scenes per task, dense goal images, solved at some moment"
    for variant in variants:
        print(f"{variant.name}: row {len(rows) + 1} of {len(variants)}")
        measures = train(args.data, args.out, variant, budget)
        rows[names_of(variant, measures)] = {} if measures.collapsed else _tried(args, variant)
        keep(f"{budget.in_words()}; {about}\n\n{reading(rows)}", args.out / "table.md")
    return 0


def _tried(args: argparse.Namespace, variant) -> Mapping:
    """Results of a trained variant by task."""
    from jepa_planner.learning.evaluation.spread_trials import PolicySpec
    from studies.ablation.training import bundle_of
    from studies.sweep.sweep import TUNING_SEED, Sweep

    policy = PolicySpec(bundle_of(args.out, variant), imagine_sub_goals="never", monitored=False, verdict=False)
    sweep = Sweep(
        policies={variant.name: policy}, tasks=tuple(args.tasks), trials=args.scenes, seed=TUNING_SEED,
        stop_at_success=True,
    )  # fmt: skip
    return {result.cell.task: result for result in sweep.run(args.out / variant.name, args.processes, args.cluster)}


def names_of(variant, measures) -> tuple[str, ...]:
    """What stands under HEADS in the row of a variant."""
    return (
        variant.objective.replace("+", " + "),
        str(measures.episodes),
        f"{measures.effective_rank:.1f} of {measures.numbers}{' **collapsed**' if measures.collapsed else ''}",
        f"{measures.spread:.2f}",
        f"{measures.tcp_cm:.1f}",
        f"{measures.object_cm:.1f} ({measures.object_linear_cm:.1f})",
        "" if measures.prediction is None else f"{measures.prediction:.3f} / {measures.copying:.3f}",
    )


def reading(rows: Mapping[tuple[str, ...], Mapping]) -> str:
    """A row per variant: what its training found, and how often each task was solved."""
    from studies.sweep.table import table

    return table(HEADS, rows)
