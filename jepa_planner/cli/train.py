"""`jepa-planner train`: from episodes to a model bundle, from nothing or from the predictor of another bundle."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path

HELP = "train encoder and predictor on episodes, or a bundle's predictor alone, and write a model bundle"
ONLY_WITH_PREDICTOR_ONLY = ("init", "view", "learning_rate", "batch", "device")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--data", type=Path, required=True, help="folder of episodes from `jepa-planner collect`")
    parser.add_argument("--out", type=Path, required=True, metavar="BUNDLE", help="where the bundle is written")
    parser.add_argument(
        "--run", type=Path, help="logs and checkpoints; the same folder resumes (default: out/train or out/fine-tune)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--predictor-iterations", type=int, default=1500)
    parser.add_argument("--episodes", type=int, default=None, help="use only the first so many")
    parser.add_argument("--name", help="of the model (default: panda-tabletop, or the first model's with -tuned)")
    whole = parser.add_argument_group("training encoder and predictor")
    whole.add_argument("--encoder-iterations", type=int, help="default: 2200")
    whole.add_argument(
        "--objective", metavar="TERM+TERM", help="besides predicting latents: sigreg, vicreg, barlow_twins, info_nce, "
        "ema, inverse, state, or none, which collapses (default: sigreg+inverse+state)",
    )  # fmt: skip
    only = parser.add_argument_group("going on from a bundle, its encoder frozen")
    only.add_argument("--predictor-only", action="store_true", help="train the predictor of --init alone")
    only.add_argument("--init", type=Path, metavar="BUNDLE", help="where to begin; one without predictor gets one")
    only.add_argument("--view", nargs="+", metavar="NAME", help="the data's cameras, in the order of the model's")
    only.add_argument("--learning-rate", type=float, help="default: 1e-4")
    only.add_argument("--batch", type=int, help="windows per iteration (default: 32)")
    only.add_argument("--device", help="where the model runs, for example cuda (default: cpu)")


def main(args: argparse.Namespace) -> int:
    """Train, report, write the bundle."""
    _refuse_strangers(args)
    command = shlex.join(["jepa-planner", *sys.argv[1:]])
    return _fine_tune(args, command) if args.predictor_only else _train(args, command)


def _train(args: argparse.Namespace, command: str) -> int:
    from jepa_planner.training.recipe import Collapsed, Recipe, run

    recipe = Recipe(
        seed=args.seed,
        predictor_iterations=args.predictor_iterations,
        episodes=args.episodes,
        command=command,
        **_given(args, "encoder_iterations", "objective", "name"),
    )
    try:
        report = run(args.data, args.out, args.run or Path("out/train"), recipe)
    except Collapsed as error:
        print(f"no bundle was written: {error}", file=sys.stderr)
        return 1
    print(json.dumps(report, indent=1))
    print(f"bundle written to {args.out}")
    return 0


def _fine_tune(args: argparse.Namespace, command: str) -> int:
    from jepa_planner.training.fine_tuning import FineTuning, fine_tune, in_words

    settings = FineTuning(
        seed=args.seed,
        iterations=args.predictor_iterations,
        episodes=args.episodes,
        views=tuple(args.view or ()),
        command=command,
        **_given(args, "learning_rate", "batch", "device", "name"),
    )
    report = fine_tune(args.data, args.init, args.out, args.run or Path("out/fine-tune"), settings)
    print(in_words(report))
    print(f"bundle written to {args.out}")
    return 0


def _given(args: argparse.Namespace, *names: str) -> dict[str, object]:
    """What was given on the command line; the settings' own defaults stand for the rest."""
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def _refuse_strangers(args: argparse.Namespace) -> None:
    strangers = ("encoder_iterations", "objective") if args.predictor_only else ONLY_WITH_PREDICTOR_ONLY
    if given := [f"--{name.replace('_', '-')}" for name in strangers if getattr(args, name) is not None]:
        raise ValueError(
            f"{', '.join(given)} {'never goes' if args.predictor_only else 'goes only'} with --predictor-only"
        )
    if args.predictor_only and args.init is None:
        raise ValueError("--predictor-only begins with a bundle: name it with --init")
