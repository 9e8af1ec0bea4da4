"""`python -m studies robustness`: success against the strength of each perturbation.

Grid: perturbations, each alone and all at once, x strengths. Training draws up to 1.3; 0 is the standard scene,
which all rows share.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence

from studies.sweep.arguments import add_sweep_arguments

HELP = "how far cameras, light, objects ... may differ before a model fails: a table of success against strength"
ALL = "all"
"""Stands for every perturbation at once."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--model", default="", metavar="DIR", help="model bundle; the shipped one by default")
    parser.add_argument("--task", default="grasp", metavar="TASK", help="as `eval` (default: grasp)")
    parser.add_argument(
        "--perturb", nargs="+", default=[], metavar="WHAT",
        help="as `eval`, and all: every one of varied scenes at once (default: each of them, and all)",
    )  # fmt: skip
    parser.add_argument(
        "--strengths", nargs="+", type=float, default=[0.0, 0.5, 1.0, 1.5, 2.0, 2.6], metavar="S",
        help="0 is the standard scene; training draws up to 1.3 (default: 0 0.5 1 1.5 2 2.6)",
    )  # fmt: skip
    add_sweep_arguments(parser, "out/robustness", scenes=30)


def main(args: argparse.Namespace) -> int:
    """Run what is missing, saying each result, and print the table."""
    from jepa_planner.learning.evaluation.spread_trials import PolicySpec
    from jepa_planner.model.bundle import model_folder
    from jepa_planner_sim.scene_draws import PERTURBATIONS, check_perturbations
    from studies.sweep.sweep import Sweep
    from studies.sweep.table import keep, said

    names = args.perturb or [*PERTURBATIONS, ALL]
    check_perturbations(set(names) - {ALL})
    if wrong := [strength for strength in args.strengths if strength < 0.0]:
        raise ValueError(f"--strengths: {wrong[0]:g} given; expected 0 or more")
    folder = model_folder(args.model)
    sweep = Sweep(
        policies={folder.resolve().name: PolicySpec(folder)}, scenes=scenes_of(names, args.strengths, PERTURBATIONS),
        tasks=(args.task,), goal_images=(args.goal_images,), trials=args.scenes, seed=args.seed,
        stop_at_success=args.stop_at_success,
    )  # fmt: skip
    results = said(sweep.run(args.out, args.processes, args.cluster))
    keep(reading(results, names, args.strengths), args.out / "table.md")
    return 0


def scenes_of(names: Sequence[str], strengths: Sequence[float], everything: Iterable[str]) -> Mapping:
    """Kinds of scenes by name; everything: what ALL stands for."""
    from studies.sweep.sweep import Scenes

    return {
        _scenes(name, strength): Scenes(frozenset(everything if name == ALL else [name]), strength)
        if strength else Scenes()
        for name in names for strength in strengths
    }  # fmt: skip


def reading(results: Iterable, names: Sequence[str], strengths: Sequence[float]) -> str:
    """A row per perturbation, a column per strength."""
    from studies.sweep.table import table

    by_scenes = {result.cell.scenes: result for result in results}
    rows = {(name,): {f"{s:g}": by_scenes[_scenes(name, s)] for s in sorted(strengths)} for name in names}
    return table(("perturbation",), rows)


def _scenes(name: str, strength: float) -> str:
    return f"{name}-{strength:g}" if strength else "standard"
