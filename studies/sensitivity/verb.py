"""`python -m studies sensitivity`: how far latents move when an object does, and when the arm does."""

from __future__ import annotations

import argparse

from jepa_planner.cli.number_arguments import at_least

HELP = "say how much a model's latents weigh an object and the arm: a model that ignores objects shows here"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--model", default="", metavar="DIR", help="model bundle; the shipped one by default")
    parser.add_argument("--scenes", type=int, default=60, metavar="N", help="of each kind (default: 60)")
    parser.add_argument("--seed", type=at_least(0), default=0)


def main(args: argparse.Namespace) -> int:
    """Print a row for standard scenes and one for varied ones."""
    import numpy as np

    from jepa_planner.model.bundle import model_folder
    from jepa_planner.model.world_model import WorldModel
    from jepa_planner_sim.scene_draws import PERTURBATIONS
    from studies.sensitivity.sensitivity import in_words, sensitivities

    if args.scenes < 1:
        raise ValueError(f"--scenes is {args.scenes}, expected at least 1")
    model = WorldModel.load(model_folder(args.model))
    kinds = {"standard": frozenset(), "varied": frozenset(PERTURBATIONS)}
    rows = [
        (name, sensitivities(model, vary, args.scenes, np.random.default_rng(args.seed)))
        for name, vary in kinds.items()
    ]
    print("mean squared difference of latents, median and 10 to 90 % of scenes")
    print(in_words(rows))
    return 0
