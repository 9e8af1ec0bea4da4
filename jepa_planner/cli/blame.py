"""`jepa-planner blame`: which of perception, prediction, energy and search lost the episodes of an evaluation."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "say why the episodes that an evaluation lost were lost, with the expert at its side"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("evaluation", type=Path, help="what `jepa-planner eval --json` wrote")
    parser.add_argument(
        "--model", default="", metavar="DIR", help="the model bundle; that of the evaluation by default"
    )
    parser.add_argument("--most", type=int, default=20, metavar="N", help="examine at most so many lost episodes")


def main(args: argparse.Namespace) -> int:
    """Examine the lost episodes one by one and print a tally."""
    import json

    import torch

    from jepa_planner.evaluation.blame import Examiner, most_frequent, tally
    from jepa_planner.evaluation.spread_trials import Contestant
    from jepa_planner.evaluation.trials import TrialSettings
    from jepa_planner.world_model.bundle import model_folder

    said = json.loads(args.evaluation.read_text())
    if said.get("floor") != "none":
        raise ValueError(f"{args.evaluation} is of no model: expected what `jepa-planner eval --json` wrote for one")
    settings = TrialSettings(
        said["task"],
        said["episodes"],
        said["seed"],
        said["goal_images"],
        frozenset(said["vary"]),
        said["strength"],
        said["to_the_end"],
    )
    lost = [trial["seed"] for trial in said["trials"] if not trial["success"]][: args.most]
    folder = model_folder(args.model or said["model"])
    torch.set_num_threads(1)  # as `eval`
    contestant = Contestant(folder, imagine_sub_goals=said["imagine_sub_goals"] or "auto")
    examiner, causes = Examiner(contestant.policy([])), []
    for seed in lost:
        looks = [evidence.cause for evidence in examiner.episode(settings, seed)]
        causes.append(most_frequent(looks))
        print(f"scene {seed}: {causes[-1].value}  ({', '.join(cause.name.lower() for cause in looks)})", flush=True)
    print(tally(causes))
    return 0
