"""`jepa-planner model out-of-distribution`: what a model's training data looked like, so that it knows its limits."""

from __future__ import annotations

import argparse
from pathlib import Path

from jepa_planner.cli.number_arguments import at_least

HELP = "add to a model bundle what its training data looked like, so that scenes out of its distribution end a goal"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--data", required=True, type=Path, nargs="+", metavar="DIR",
        help="folders of episodes that the model was trained on, the most varied ones last",
    )  # fmt: skip
    parser.add_argument("--model", default="", metavar="DIR", help="model bundle; the shipped one by default")
    parser.add_argument("--episodes", type=at_least(1), default=None, metavar="N", help="take only the first N")
    parser.add_argument("--trust-data", action="store_true", help="only warn of what is surely wrong with episodes")


def main(args: argparse.Namespace) -> int:
    """Encode, measure, write."""
    from jepa_planner.learning.training.add_latent_statistics import add_latent_statistics
    from jepa_planner.model.bundle import model_folder

    folder = model_folder(args.model)
    spec = add_latent_statistics(args.data, folder, args.episodes, args.trust_data)
    print(f"{folder} now ends a goal at")
    print(f"  a latent further than {spec.latent_distance:.2f} from the training data's")
    print(f"  a picture that shows the tcp more than {spec.arm_error_m:.3f} m from where the joints say")
    print(f"  an energy above {spec.surprise:.3g} between what was imagined and what came")
    return 0
