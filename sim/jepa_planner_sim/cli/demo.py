"""`jepa-planner demo`: a scene, its goal pictures, the nodes at work, and a film of it."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

from jepa_planner.cli.number_arguments import at_least

HELP = "watch the simulated arm do what pictures say, through the ROS 2 nodes; writes a film"
SCENE_SEED = 1_000_007
REACHED = "reached"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--task", choices=["reach", "grasp", "push", "pick_place"], default="pick_place")
    parser.add_argument(
        "--seed", type=at_least(0), default=SCENE_SEED, help="scene; from 1,000,000 on none was trained on"
    )
    parser.add_argument("--goal-images", default="dense", metavar="dense|K|one", help="how many pictures are given")
    parser.add_argument("--model", default="", metavar="DIR", help="model bundle (default: the one that ships)")
    parser.add_argument("--out", type=Path, default=Path("out/demo"))
    parser.add_argument("--gif", action="store_true", help="also write the film as a GIF")


def main(args: argparse.Namespace) -> int:
    """Run the demo; exit status 0 when the planner said "reached" and the simulator's own measure agrees."""
    from jepa_planner.cli.ros.trials import simulated_planner
    from jepa_planner.learning.evaluation.film import make_film
    from jepa_planner.nodes.client import PlannerError
    from jepa_planner.nodes.conversions import image_to_array
    from jepa_planner.nodes.models import contract_of
    from jepa_planner_sim.cameras import STANDARD_CAMERAS

    contract_of(args.model)  # refuses a folder without one before anything starts
    started_s = time.monotonic()
    print("Starting encoder, predictor, planner, arm and simulator as ROS 2 nodes ...", flush=True)
    try:
        with simulated_planner(args.model):
            result, goals, moments = _play(args)
    except PlannerError as error:
        print(f"the demo could not run: {error}", file=sys.stderr)
        return 1
    pictures = [image_to_array(goal.views[0]) for goal in goals]
    front = STANDARD_CAMERAS["front"]
    title = f"jepa_planner: {args.task}"
    for suffix in (".mp4", ".gif") if args.gif else (".mp4",):
        make_film((args.out / "demo").with_suffix(suffix), moments, pictures, front.project, title)
    result["seconds"] = round(time.monotonic() - started_s, 1)
    (args.out / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    print(_in_words(result))
    print(f"Film: {args.out / 'demo.mp4'}   numbers: {args.out / 'result.json'}")
    return 0 if result["outcome"] == REACHED and result["solved"] else 1


def _play(args: argparse.Namespace) -> tuple[dict[str, object], list, list]:
    """Set the scene up, send the goal, record; returns the result, the goals and the film's moments."""
    from jepa_planner.cli.ros.film_recorder import FilmRecorder
    from jepa_planner.nodes.client import PlannerClient, keep_views
    from jepa_planner.nodes.models import contract_of
    from jepa_planner.nodes.running import NodeThread

    with PlannerClient() as client:
        client.wait_for_planner()
        recorder = FilmRecorder()
        thread = NodeThread(recorder, lambda: None)
        try:
            task = client.set_up_task(args.task, args.seed, args.goal_images)
            keep_views(task.goals, contract_of(args.model))
            start_m = client.task_status().distance_m
            print(f"Scene {args.seed} is ready; sending {len(task.goals)} goal picture(s).", flush=True)
            recorder.recording = True
            time.sleep(0.8)
            sent_s = time.monotonic()

            def hear(feedback) -> None:
                recorder.hear(feedback)
                _show(feedback)

            ended = client.reach(task.goals, task.max_steps, hear)
            goal_s = time.monotonic() - sent_s
            time.sleep(1.5)
            status = client.task_status()
        finally:
            thread.stop()
    result = {
        "task": args.task,
        "seed": args.seed,
        "goal_images": len(task.goals),
        "solved": bool(status.solved),
        "outcome": ended.outcome.name.lower(),
        "message": ended.message,
        "steps": ended.steps,
        "max_steps": task.max_steps,
        "sub_goals_reached": ended.sub_goals_reached,
        "final_energy": _number(ended.final_energy),
        "certainty": _number(ended.certainty),
        "object_offset_m": _number(ended.object_offset_m),
        "goal_seconds": round(goal_s, 1),
        "start_distance_m": round(start_m, 4),
        "final_distance_m": round(status.distance_m, 4),
    }
    return result, list(task.goals), recorder.moments


def _number(value: float) -> float | None:
    """For JSON, which has neither NaN nor infinity."""
    return round(value, 4) if math.isfinite(value) else None


def _show(feedback) -> None:
    from jepa_planner.nodes.verdicts import verdict_in_words

    if not feedback.tolerance:  # goal pictures are still being encoded
        return
    parts = (
        f"  step {feedback.step:2d}  picture {feedback.sub_goal + 1} of {feedback.sub_goals}",
        f"energy {feedback.energy:.3f}",
        verdict_in_words(feedback, feedback.missing),
        f"planned in {feedback.seconds_per_plan:.2f} s"
        if feedback.seconds_per_plan
        else "",  # not at the last observation
        feedback.status,
    )
    print("  ".join(filter(None, parts)), flush=True)


def _in_words(result: dict[str, Any]) -> str:
    what = {"reach": "the hand", "grasp": "the grasp", "push": "the cube", "pick_place": "the cube"}[
        str(result["task"])
    ]
    said, true = result["outcome"] == REACHED, result["solved"]
    agrees = "agrees" if said == true else "does not agree"
    start_cm, end_cm = 100 * result["start_distance_m"], 100 * result["final_distance_m"]
    return (
        f"The planner says {str(result['outcome']).replace('_', ' ')}: {result['message']}.\n"
        f"The simulator {agrees}: {what} was {start_cm:.1f} cm from its goal at the start and {end_cm:.1f} cm at the "
        f"end, after {result['steps']} of at most {result['max_steps']} steps, in {result['goal_seconds']} s."
    )
