"""`python -m studies pointing`: masks of what was clicked, and goals that were composed of clicks."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jepa_planner.cli.number_arguments import at_least, not_negative

HELP = "measure how well a clicked thing is found, and whether goal pictures made by pointing are reached"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--dense", default="", metavar="DIR", help="encoder of patch tokens; the shipped by default")
    parser.add_argument("--scenes", choices=["standard", "varied"], default="standard", help="as `eval`")
    parser.add_argument("--episodes", type=at_least(1), default=100, metavar="N", help="unseen scenes (default: 100)")
    parser.add_argument("--seed", type=at_least(0), default=0, help="first scene is 1,000,000 + SEED")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE")
    goals = parser.add_argument_group("goals; without --task masks are measured")
    goals.add_argument("--task", choices=["pick_place", "push"])
    goals.add_argument("--model", default="", metavar="DIR", help="that plans; the shipped one by default")
    goals.add_argument("--true-goals", action="store_true", help="the goal picture itself, in the same scenes")
    goals.add_argument(
        "--one-view", action="store_true", help="click in the first view alone; cameras are calibrated (default: both)"
    )
    goals.add_argument("--noise", type=not_negative, default=0.5, metavar="PX", help="of clicks, of 128 (default: 0.5)")


def main(args: argparse.Namespace) -> int:
    """Measure, print, write the JSON."""
    import cv2
    import torch

    from jepa_planner_sim.scene_draws import PERTURBATIONS

    torch.set_num_threads(1)  # as `eval`
    cv2.setNumThreads(1)
    vary = frozenset(PERTURBATIONS if args.scenes == "varied" else ())
    report = (_goals if args.task else _masks)(args, vary)
    print(json.dumps(report, indent=1))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


def _masks(args: argparse.Namespace, vary: frozenset[str]) -> dict[str, Any]:
    import numpy as np
    from tqdm import tqdm

    from jepa_planner.model.bundle import load_encoder, model_folder
    from jepa_planner.pointing.similarity import DENSE_MODEL, DenseEncoder
    from studies.pointing.found_masks import (
        TOLERATED,
        Find,
        by_colour,
        by_encoder,
        gripper_overlaps,
        overlaps,
        random_encoder,
    )
    from studies.pointing.shown_things import shown_things

    trained = load_encoder(model_folder(args.dense or DENSE_MODEL))[0]
    ways: dict[str, Find] = {
        "encoder": by_encoder(DenseEncoder(trained)),
        "random encoder": by_encoder(DenseEncoder(random_encoder(trained))),
        "colour": by_colour(TOLERATED[args.scenes]),
    }
    scenes = list(tqdm(shown_things(vary, args.episodes, args.seed), total=args.episodes, desc="scenes"))
    report: dict[str, Any] = {"scenes": args.scenes, "count": args.episodes, "seed": args.seed}
    for name, find in ways.items():
        found = overlaps(find, scenes)
        others = np.mean([found[pair] for pair in found if pair != "same picture"], axis=0)
        report[name] = {pair: round(float(np.mean(numbers)), 3) for pair, numbers in found.items()} | {
            "other pictures": round(float(others.mean()), 3),
            "standard error": round(float(others.std(ddof=1) / np.sqrt(len(others))), 3) if len(others) > 1 else None,
            "gripper, later": round(float(np.mean(gripper_overlaps(find, scenes))), 3),
        }
    return report


def _goals(args: argparse.Namespace, vary: frozenset[str]) -> dict[str, Any]:
    from tqdm import tqdm

    from jepa_planner.learning.evaluation.scenes import make_scene
    from jepa_planner.learning.evaluation.spread_trials import PolicySpec
    from jepa_planner.learning.evaluation.statistics import wilson_interval
    from jepa_planner.learning.evaluation.trials import TrialSettings, run_trial
    from jepa_planner.model.bundle import model_folder
    from jepa_planner.model.rollout.threads import one_core
    from jepa_planner.pointing.similarity import DENSE_MODEL, DenseEncoder
    from studies.pointing.pointed_policy import PointedPolicy

    policy: Any = PolicySpec(model_folder(args.model)).policy([])
    refused: list[str] = []
    if not args.true_goals:
        clicked = policy.cameras[:1] if args.one_view else policy.cameras
        encoder = DenseEncoder.load(args.dense or DENSE_MODEL)
        policy = PointedPolicy(policy, encoder, clicked, args.one_view, args.noise, refused)
    settings = TrialSettings(args.task, args.episodes, args.seed, "one", vary)
    env = make_scene(args.task, policy.image_size_px, policy.cameras)
    try:
        with one_core():
            trials = [
                run_trial(env, policy, settings, settings.scene_seed(number))
                for number in tqdm(range(args.episodes), desc=args.task)
            ]
    finally:
        env.close()
    count: Callable[[str], int] = lambda what: sum(getattr(trial, what) for trial in trials)  # noqa: E731
    low, high = wilson_interval(count("success"), len(trials))
    return {
        "task": args.task, "scenes": args.scenes, "model": str(args.model), "seed": args.seed,
        "goals": "true pictures" if args.true_goals else f"clicks in {', '.join(clicked)}", "noise_px": args.noise,
        "episodes": len(trials), "success": count("success"), "interval": [round(low, 3), round(high, 3)],
        "falsely": sum(trial.reached and not trial.success for trial in trials),
        "solved_at_end": count("solved_at_end"), "refused": refused,
    }  # fmt: skip
