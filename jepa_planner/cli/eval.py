"""`jepa-planner eval`: closed-loop success on unseen scenes, with its interval and baselines."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jepa_planner.cli.compute_arguments import add_compute_arguments
from jepa_planner.cli.number_arguments import at_least, not_negative, positive
from jepa_planner.cli.parallel_arguments import add_parallel_arguments
from jepa_planner.cli.search_arguments import add_planning_arguments, add_search_arguments, chosen_search

if TYPE_CHECKING:
    from jepa_planner.learning.evaluation.trials import Trial, TrialSettings
    from jepa_planner.planning.sub_goals import ImagineMode

HELP = "measure closed-loop success on unseen scenes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--task", required=True, metavar="TASK",
        help="reach, grasp, push, pick_place, stack or rearrange, or a scene of your own: an adapter as MODULE:CLASS",
    )  # fmt: skip
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument(
        "--seed", type=int, default=0, help="first scene is 1,000,000 + SEED; training scenes lie below"
    )
    parser.add_argument(
        "--model", type=Path, default=None, metavar="DIR", help="model bundle; the shipped one by default"
    )
    parser.add_argument(
        "--baseline",
        "--floor",
        choices=["none", "noop", "random", "pixel", "expert"],
        default="none",
        help="instead of the model",
    )
    parser.add_argument(
        "--scenes",
        choices=["standard", "varied"],
        default="standard",
        help="varied: every --perturb at once but moving backgrounds",
    )
    parser.add_argument(
        "--perturb", nargs="+", default=[], metavar="WHAT",
        help="camera light colour size distractors table shape yaw start, what training never shows: unseen_shape "
        "unseen_colour, or a moving background: flicker moving_texture",
    )  # fmt: skip
    parser.add_argument("--strength", type=not_negative, default=1.0, help="scale of the perturbations' ranges")
    parser.add_argument(
        "--setup", type=at_least(0), metavar="N",
        help="a number by which what varies is drawn once, the same for all scenes: one table, one set of cameras",
    )  # fmt: skip
    parser.add_argument(
        "--goal-images", default="dense", metavar="dense|K|one", help="how many pictures the planner is given"
    )
    parser.add_argument(
        "--views", nargs="+", default=[], metavar="VIEW", help="of the model's cameras, those that are there"
    )
    parser.add_argument(
        "--stop-at-success", action="store_true",
        help="let the simulator's judge end a trial at its first success, whatever the planner says, as others count",
    )  # fmt: skip
    parser.add_argument(
        "--unreachable", choices=["missing", "outside", "other-scene"], default="",
        help="goals that cannot be reached: the object is gone, is shown where the arm may not go, or the pictures are "
        "of another scene; right is to end as stalled or out of distribution within 15 steps",
    )  # fmt: skip
    parser.add_argument(
        "--no-verdict", action="store_true", help="without the model's head that tells when the work is done"
    )
    parser.add_argument("--ros", action="store_true", help="run through the ROS 2 nodes")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE")
    parser.add_argument("--backend", choices=["torch", "onnx"], default="torch", help="what runs the model")
    add_compute_arguments(parser)
    add_parallel_arguments(parser, processes=1)
    add_planning_arguments(parser)
    add_search_arguments(parser)
    parser.add_argument("--deadline", type=positive, default=None, metavar="S", help="seconds for each search")


OUT_OF_PLACE = (
    (
        ("solver", "samples", "iterations", "horizon", "deadline"),
        "with --ros the search is that of mpc_node's parameters",
        "baselines do not search",
    ),
    (
        ("views",),
        "with --ros the views are those of the nodes' parameters",
        "baselines have no cameras to do without",
    ),
    (("imagine_sub_goals",), "", "baselines imagine nothing"),
    (
        ("no_monitor",),
        "with --ros, monitor_out_of_distribution is one of mpc_node's parameters",
        "baselines monitor nothing",
    ),
    (("unreachable",), "sim_node sets no such goals up", "baselines never end by themselves"),
    (("no_verdict",), "with --ros the nodes use what the bundle has", "baselines say nothing"),
)
"""Options, and why they mean nothing with --ros (empty: they do), and with a baseline."""


def _out_of_place(args: argparse.Namespace) -> str:
    """Why options that were given mean nothing beside the others; empty where all do."""
    for names, with_ros, with_baseline in OUT_OF_PLACE:
        typed = sorted(name.replace("_", "-") for name in names if getattr(args, name))
        reasons = [with_ros] * args.ros + [with_baseline] * (args.baseline != "none")
        if typed and any(reasons):
            return f"{next(filter(None, reasons))}: leave out --{', --'.join(typed)}"
    return ""


def main(args: argparse.Namespace) -> int:
    """Run the trials with a live count, print the summary, write the JSON."""
    import torch
    from tqdm import tqdm

    from jepa_planner.learning.evaluation.policies import WorldModelPolicy
    from jepa_planner.learning.evaluation.report import in_words, summarise
    from jepa_planner.learning.evaluation.scenes import source_of
    from jepa_planner.learning.evaluation.spread_trials import PolicySpec, spread_trials
    from jepa_planner.learning.evaluation.trials import TrialSettings, run_trials
    from jepa_planner.model.bundle import load_contract, model_folder
    from jepa_planner.model.rollout.threads import planning_threads
    from jepa_planner.planning.factory import NO_STATISTICS, NO_VERDICT
    from jepa_planner.planning.planner_settings import PlannerSettings

    spread = args.processes > 1 or bool(args.cluster)
    threads = args.threads or (1 if spread else planning_threads())
    torch.set_num_threads(1)  # for all but rollouts: at this size their products are too small to share
    try:
        vary = frozenset(args.perturb)
        if args.scenes == "varied":
            if ":" in args.task:
                raise ValueError(f"--scenes varied: {args.task} draws its own scenes; leave it out")
            vary = frozenset(source_of(args.task).perturbations)
        settings = TrialSettings(
            args.task,
            args.episodes,
            args.seed,
            args.goal_images,
            vary,
            args.strength,
            args.stop_at_success,
            args.unreachable,
            args.setup,
        )
        folder = model_folder(args.model or "") if args.baseline == "none" else None
    except ValueError as error:
        print(f"jepa-planner eval: {error}", file=sys.stderr)
        return 2
    seconds: list[float] = []
    if refusal := _out_of_place(args):
        print(refusal, file=sys.stderr)
        return 2
    imagine: ImagineMode = args.imagine_sub_goals or "auto"
    if folder is not None:
        planner_settings = PlannerSettings.load(folder, load_contract(folder, args.views))
        planner_settings.imagines(imagine, goals=1)  # refuses what the model cannot do
    search = deadline_s = None
    if args.ros and spread:
        print("one robot is tried at a time: leave out --ros, or --processes and --cluster", file=sys.stderr)
        return 2
    if args.ros:
        if folder is None:
            print("baselines have no nodes to run through: leave out --ros", file=sys.stderr)
            return 2
        running = _ros_trials(settings, folder, seconds, imagine)
    else:
        if folder is not None:
            search, deadline_s = chosen_search(args, planner_settings), args.deadline or planner_settings.deadline_s
        policy_spec = PolicySpec(
            folder, args.baseline, search, deadline_s, imagine, args.dtype, args.backend, threads, tuple(args.views),
            not args.no_monitor, not args.no_verdict,
        )  # fmt: skip
        policy = policy_spec.policy(seconds)  # in this process at least to find out what is wrong with it
        if isinstance(policy, WorldModelPolicy):
            model = policy.model
            print(f"{folder} runs on {model.backend}, rollouts in {model.engine.dtype} on {threads} cores")
            if not args.no_monitor and policy.latent_statistics is None:
                print(NO_STATISTICS)
            if not args.no_verdict and policy.verdict_head is None:
                print(NO_VERDICT)
        if spread:
            running = spread_trials(policy_spec, settings, seconds, args.processes, args.cluster)
        else:
            running = run_trials(policy, settings)
    trials = []
    with tqdm(total=args.episodes, desc=args.task, unit="trial") as bar:
        for trial in running:
            trials.append(trial)
            bar.update()
            bar.set_postfix(solved=f"{sum(t.success for t in trials)}/{len(trials)}")
    trials.sort(key=lambda trial: trial.seed)
    model_name = str(folder) if folder else None
    imagined = None if folder is None else imagine
    monitored = folder is not None and not args.no_monitor and load_contract(folder).out_of_distribution is not None
    verdict = folder is not None and not args.no_verdict and load_contract(folder).verdict is not None
    summary = summarise(
        trials, settings, seconds, model_name, args.baseline, args.ros, search, deadline_s, imagined, monitored, verdict
    )
    print(in_words(summary))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(summary, indent=1) + "\n")
    return 0


def _ros_trials(settings: TrialSettings, folder: Path, seconds: list[float], imagine: ImagineMode) -> Iterator[Trial]:
    from jepa_planner.cli.ros.trials import run_ros_trials, simulated_planner
    from jepa_planner.nodes.client import PlannerClient

    with simulated_planner(folder, imagine_sub_goals=imagine), PlannerClient() as client:
        client.wait_for_planner()
        yield from run_ros_trials(client, settings, folder, seconds)
