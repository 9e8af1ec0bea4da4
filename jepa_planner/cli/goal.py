"""Sends goal pictures to a running planner and shows how it goes; Ctrl-C cancels, and the arm stops."""

import argparse
import shutil
import signal
import sys
import threading
from pathlib import Path

from jepa_planner.cli.number_arguments import at_least, not_negative

UINT32 = 2**32 - 1
HELP = "send goal pictures to the running planner and watch it work"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "images", nargs="+", type=Path, metavar="IMAGE", help="goal pictures of the first view, in order"
    )
    parser.add_argument(
        "--second-view",
        nargs="+",
        type=Path,
        default=[],
        metavar="IMAGE",
        help="the same moments from the second camera",
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
    """Sends the goal pictures and prints what comes of them; returns 0 where all were reached, 130 on Ctrl-C."""
    if args.second_view and len(args.second_view) != len(args.images):
        print(f"{len(args.images)} pictures but {len(args.second_view)} of the second view", file=sys.stderr)
        return 2
    from jepa_planner.core.picture_file import read_picture

    pictures = [read_picture(path) for path in args.images]
    second = [read_picture(path) for path in args.second_view]
    moments = list(zip(pictures, second, strict=True)) if second else [(picture,) for picture in pictures]

    import rclpy
    from rclpy.signals import SignalHandlerOptions

    from jepa_planner.nodes import client  # noqa: F401  (takes seconds, in which Ctrl-C still ends the program itself)

    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    cancel = threading.Event()

    def leave(*_: object) -> None:
        cancel.set()
        for number in (signal.SIGINT, signal.SIGTERM):  # who asks again does not wait for the arm to be told
            signal.signal(number, signal.default_int_handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    try:
        return _send(args, moments, cancel)
    finally:
        rclpy.shutdown()


def _send(args: argparse.Namespace, moments: list[tuple], cancel: threading.Event) -> int:
    from jepa_planner.nodes.client import Interrupted, PlannerClient, PlannerError, goal_image
    from jepa_planner.nodes.goal_executor import Outcome
    from jepa_planner.nodes.start import checked_namespace

    with PlannerClient(checked_namespace(args.namespace)) as client:
        try:
            client.wait_for_planner(args.wait, cancel)
            goals = [goal_image(views, args.budget, args.tolerance) for views in moments]
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
