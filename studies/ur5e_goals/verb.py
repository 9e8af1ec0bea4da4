"""`python -m studies ur5e-goals`: shows goals at the running cell, lets the running planner reach them, and counts."""

from __future__ import annotations

import argparse
from pathlib import Path

from jepa_planner.cli.number_arguments import at_least

HELP = "goals for a UR5e of others through ROS: robot and planner run, this shows and judges"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--task", choices=("reach", "grasp", "pick_place"), default="pick_place")
    parser.add_argument("--goal-images", default="one", metavar="dense|K|one")
    parser.add_argument("--goals", type=at_least(1), default=10)
    parser.add_argument("--seed", type=at_least(0), default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")


def main(args: argparse.Namespace) -> int:
    """Show, pursue, judge; a line for each, and how many."""
    import json

    import numpy as np
    import rclpy

    from jepa_planner.learning.evaluation.statistics import wilson_interval
    from jepa_planner.nodes.client import PlannerClient, PlannerError, goal_image
    from jepa_planner.nodes.goal_executor import Outcome
    from studies.ur5e_goals.person import Person
    from studies.ur5e_goals.tasks import TASKS, Move, draw

    rclpy.init()
    rows = []
    with PlannerClient() as planner:
        person = Person()
        planner.wait_for_planner(120.0)
        for number in range(args.goals):
            scene = draw(args.task, np.random.default_rng([args.seed + number, 5]))
            planner.stop_arm()
            person.clear()
            person.put_cube(*scene.cube)
            shown = person.show(scene.moves())
            shown_cube_m = person.cube_m.copy()
            person.clear()
            person.show([Move(scene.tool_m, 0.0)])
            person.put_cube(*scene.cube)
            planner.reset_arm()
            goals = [goal_image(shown[name]) for name in scene.names(args.goal_images)]
            try:
                result = planner.reach(goals, TASKS[args.task].max_steps, timeout_s=200.0)
                said, steps, message = result.outcome.name, result.steps, result.message
            except PlannerError as error:
                said, steps, message = "ERROR", 0, str(error)
            seen = person.watch(1.0)
            at_end = person.tool_m, seen, shown_cube_m
            true, off_m = scene.holds(*at_end), scene.off_m(*at_end)
            row = {"seed": args.seed + number, "said": said, "true": true, "off_m": off_m, "steps": steps}
            rows.append(row | {"message": message})
            truth = "true" if true else f"not true, {100 * off_m:.1f} cm off"
            print(f"{args.seed + number}: {said}, {truth}, {steps} steps; {message}", flush=True)
        person.close()
    rclpy.shutdown()
    reached = Outcome.REACHED.name
    solved = sum(row["said"] == reached and row["true"] for row in rows)
    low, high = wilson_interval(solved, len(rows))
    wrong = sum(row["said"] == reached and not row["true"] for row in rows)
    print(
        f"{args.task} ({args.goal_images} goal images): {solved} of {len(rows)} said reached, and it was true (95 % "
        f"{100 * low:.0f} to {100 * high:.0f} %); {wrong} said so and it was not"
    )
    if args.json:
        args.json.write_text(json.dumps({"task": args.task, "goal_images": args.goal_images, "trials": rows}, indent=1))
    return 0
