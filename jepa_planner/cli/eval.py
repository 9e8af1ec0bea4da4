"""`jepa-planner eval`: closed-loop success on unseen scenes, with its interval and floors."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

HELP = "measure closed-loop success on unseen scenes"
DEFAULT_MODEL = "models/panda-tabletop"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--task", required=True, choices=["reach", "grasp", "push", "pick_place"])
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument(
        "--seed", type=int, default=0, help="first scene is 1,000,000 + SEED; training scenes lie below"
    )
    parser.add_argument(
        "--model", type=Path, default=None, metavar="DIR", help="model bundle; the shipped one by default"
    )
    parser.add_argument(
        "--floor", choices=["none", "noop", "random", "pixel"], default="none", help="evaluate a floor instead"
    )
    parser.add_argument(
        "--scenes", choices=["standard", "varied"], default="standard", help="varied: every --perturb at once"
    )
    parser.add_argument(
        "--perturb", nargs="+", default=[], metavar="WHAT", help="camera light colour size distractors table"
    )
    parser.add_argument("--strength", type=float, default=1.0, help="scale of the perturbations' ranges")
    parser.add_argument(
        "--goal-images", default="dense", metavar="dense|K|one", help="how many pictures the planner is given"
    )
    parser.add_argument("--ros", action="store_true", help="run through the ROS 2 nodes")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE")


def main(args: argparse.Namespace) -> int:
    """Run the trials with a live count, print the summary, write the JSON."""
    import torch
    from tqdm import tqdm

    from jepa_planner.evaluation.policies import WorldModelPolicy, floor_policy
    from jepa_planner.evaluation.report import in_words, summarise
    from jepa_planner.evaluation.trials import TrialSettings, run_trials
    from jepa_planner.world_model.world_model import WorldModel
    from jepa_planner_sim.scene import PERTURBATIONS

    torch.set_num_threads(1)  # one thread is fastest at this size, and leaves a core to the simulator
    vary = frozenset(PERTURBATIONS if args.scenes == "varied" else args.perturb)
    settings = TrialSettings(args.task, args.episodes, args.seed, args.goal_images, vary, args.strength)
    folder = args.model or Path(DEFAULT_MODEL)
    policy = WorldModelPolicy(WorldModel.load(folder)) if args.floor == "none" else floor_policy(args.floor)
    trials = []
    with tqdm(total=args.episodes, desc=args.task, unit="trial") as bar:
        for trial in run_trials(policy, settings):
            trials.append(trial)
            bar.update()
            bar.set_postfix(solved=f"{sum(t.success for t in trials)}/{len(trials)}")
    seconds = policy.plan_seconds if isinstance(policy, WorldModelPolicy) else []
    summary = summarise(trials, settings, seconds, str(folder) if args.floor == "none" else None, args.floor)
    print(in_words(summary))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(summary, indent=1) + "\n")
    return 0
