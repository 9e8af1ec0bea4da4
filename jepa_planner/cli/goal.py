"""Sends goals to a running planner and shows how it goes; Ctrl-C cancels, and the arm stops. Keeps goals by name."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import threading
from typing import TYPE_CHECKING

from jepa_planner.cli.goal_arguments import AskedGoal, add_goal_arguments, read_goals
from jepa_planner.cli.number_arguments import at_least, not_negative
from jepa_planner.cli.pointing_arguments import add_pointing_arguments, check_pointing, point

if TYPE_CHECKING:
    from jepa_planner.core.goal_library import GoalLibrary

UINT32 = 2**32 - 1
HELP = "send goal pictures to the running planner and watch it work; save goals by name"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_goal_arguments(parser)
    add_pointing_arguments(parser)
    library = parser.add_argument_group("the library of goals, one for each model")
    library.add_argument("--save", metavar="NAME", help="keep what the cameras show now, and send nothing")
    library.add_argument("--append", action="store_true", help="with --save: as one more picture of that goal")
    library.add_argument("--list", action="store_true", help="name the goals that are kept on this computer")
    library.add_argument("--delete", metavar="NAME", help="forget a goal that is kept on this computer")
    library.add_argument(
        "--model",
        default="",
        metavar="DIR",
        help="of --list, --delete, --pick, --earlier; the shipped one by default",
    )
    parser.add_argument(
        "--budget",
        type=at_least(0, UINT32),
        default=0,
        help="actions per picture (default: the model's; the last has all that --max-steps leaves)",
    )
    parser.add_argument(
        "--tolerance", type=not_negative, default=0.0, help="energy that counts as reached (default: the model's)"
    )
    parser.add_argument("--max-steps", type=at_least(0, UINT32), default=0, help="actions in all (default: no limit)")
    parser.add_argument("--namespace", default="", help="namespace of the planner's nodes")
    parser.add_argument(
        "--wait", type=not_negative, default=20.0, metavar="SECONDS", help="how long to wait for the planner"
    )


def main(args: argparse.Namespace) -> int:
    """Sends the goals and prints what comes of them; returns 0 where all were reached, 130 on Ctrl-C."""
    asked = [option for option in ("save", "list", "delete") if getattr(args, option)]
    if len(asked) > 1 or (asked and (args.goals or args.second_view or args.bag)):
        words = [f"--{option}" for option in asked]
        raise ValueError(f"{', '.join(words)}: expected one of --save, --list and --delete alone, or goals to send")
    points = check_pointing(args)
    if points and (asked or args.goals or args.second_view or args.bag):
        raise ValueError("--pick and --place make the goal: leave out other goals, --save, --list and --delete")
    if args.append and not args.save:
        raise ValueError("--append goes with --save NAME")
    if args.list or args.delete:
        return _keep_house(args)
    goals = [] if args.save or points else read_goals(args)

    import rclpy
    from rclpy.signals import SignalHandlerOptions

    from jepa_planner.nodes import client  # noqa: F401  (takes seconds, in which Ctrl-C still ends the program itself)

    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    cancel = threading.Event()

    def leave(*_: object) -> None:
        cancel.set()
        for number in (signal.SIGINT, signal.SIGTERM):  # who asks again does not wait for the arm to be told
            signal.signal(number, signal.default_int_handler)

    try:
        if args.save:
            return _save(args)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, leave)
        return _send(args, goals, cancel)
    finally:
        rclpy.shutdown()


def _keep_house(args: argparse.Namespace) -> int:
    """Lists goals, or deletes one."""
    from jepa_planner.nodes.models import contract_of, goal_library

    library: GoalLibrary = goal_library(contract_of(args.model))
    if args.delete:
        library.delete(args.delete)
        print(f"deleted {args.delete}")
        return 0
    print(f"{library.folder}: {len(library.names())} goals")
    for name in library.names():
        notes = library.notes(name)
        print(f"  {name}  {len(notes.stamps_s)} pictures of {', '.join(notes.view_names())}, for {notes.model}")
    return 0


def _save(args: argparse.Namespace) -> int:
    from jepa_planner.nodes.client import PlannerClient, PlannerError
    from jepa_planner.nodes.start import checked_namespace

    with PlannerClient(checked_namespace(args.namespace)) as client:
        try:
            print(client.look(args.save, args.append, args.wait).message)
        except PlannerError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


def _send(args: argparse.Namespace, asked: list[AskedGoal], cancel: threading.Event) -> int:
    from jepa_planner.nodes.client import Interrupted, PlannerClient, PlannerError, goal_image, named_goal
    from jepa_planner.nodes.goal_executor import Outcome
    from jepa_planner.nodes.start import checked_namespace

    with PlannerClient(checked_namespace(args.namespace)) as client:
        try:
            client.wait_for_planner(args.wait, cancel)
            if args.pick:
                if (pointed := point(args, client)) is None:
                    return 1
                asked = [pointed]
            goals = [
                named_goal(goal.name, args.budget, args.tolerance)
                if goal.name
                else goal_image(goal.pictures, args.budget, args.tolerance, goal.views)
                for goal in asked
            ]
            result = client.reach(goals, args.max_steps, _show, cancel)
        except PlannerError as error:
            print(f"\n{error}", file=sys.stderr)
            return 130 if isinstance(error, Interrupted) else 1
    name = result.outcome.name.lower().replace("_", " ")
    print(f"\n{name} after {result.steps} steps: {result.message}")
    if cancel.is_set():
        return 130
    return 0 if result.outcome is Outcome.REACHED else 1


def _show(feedback) -> None:
    from jepa_planner.nodes.verdicts import verdict_in_words

    line = feedback.status
    if feedback.tolerance:  # zero before the first plan, when there are no numbers yet
        parts = (
            f"picture {feedback.sub_goal + 1}/{feedback.sub_goals}  step {feedback.step}",
            verdict_in_words(feedback, feedback.missing),
            f"energy {feedback.energy:.3f} (reached at {feedback.tolerance:.3f})",
            f"plan {feedback.seconds_per_plan:.2f} s",
            line,
        )
        line = "  ".join(filter(None, parts))
    width = shutil.get_terminal_size((100, 24)).columns - 1
    print(f"\r{line[:width]:<{width}}", end="", flush=True)
