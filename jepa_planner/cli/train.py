"""`jepa-planner train`: from collected episodes to a model bundle."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path

HELP = "train encoder and predictor on collected episodes, and write a model bundle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--data", type=Path, required=True, help="folder of episodes from `jepa-planner collect`")
    parser.add_argument("--out", type=Path, required=True, metavar="BUNDLE", help="where the bundle is written")
    parser.add_argument(
        "--run", type=Path, default=Path("out/train"), help="logs and checkpoints; the same folder resumes"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--encoder-iterations", type=int, default=2200)
    parser.add_argument("--predictor-iterations", type=int, default=1500)
    parser.add_argument("--episodes", type=int, default=None, help="use only the first so many")
    parser.add_argument("--name", default="panda-tabletop")


def main(args: argparse.Namespace) -> int:
    """Train, report, write the bundle."""
    from jepa_planner.training.recipe import Collapsed, Recipe, run

    command = shlex.join(["jepa-planner", *sys.argv[1:]])
    recipe = Recipe(args.seed, args.encoder_iterations, args.predictor_iterations, args.episodes, args.name, command)
    try:
        report = run(args.data, args.out, args.run, recipe)
    except Collapsed as error:
        print(f"no bundle was written: {error}", file=sys.stderr)
        return 1
    print(json.dumps(report, indent=1))
    print(f"bundle written to {args.out}")
    return 0
