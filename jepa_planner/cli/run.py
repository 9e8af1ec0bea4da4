"""Starts the planner's nodes, and the simulated robot where asked for, until Ctrl-C."""

from __future__ import annotations

import argparse
import importlib
import signal
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from jepa_planner.cli.compute_arguments import add_compute_arguments

if TYPE_CHECKING:
    from rclpy.node import Node

    from jepa_planner.nodes.graph import Processes

AS_PARAMETERS_SAY = object()
HELP = "start the planner's nodes, with the simulated robot or for a real one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--sim", action="store_true", help="with the simulated arm, cameras and table")
    parser.add_argument(
        "--separate",
        nargs="?",
        const="all",
        choices=["all", "sim"],
        help="one process per node instead of one for all; `sim`: only the simulator apart from the planner, which"
        " leaves planning a core of its own",
    )
    parser.add_argument("--model", metavar="DIR", help="model bundle (default: panda-tabletop, which ships)")
    parser.add_argument(
        "--imagine-sub-goals",
        choices=["auto", "always", "never"],
        help="between goal pictures: auto (default): where the model can and there are few pictures",
    )
    add_compute_arguments(parser, dtype=None)
    parser.set_defaults(threads=None)
    parser.add_argument("--task", help="simulated scene at the start: reach, grasp, push, pick_place (default) ...")
    parser.add_argument("--seed", type=int, help="seed of that scene")
    parser.add_argument("--speed", type=float, help="simulated seconds per second (default 1)")
    parser.add_argument(
        "--record",
        nargs="?",
        const=AS_PARAMETERS_SAY,
        metavar="DIR",
        help="record each goal that is pursued, into a bag of its own in DIR (default: recordings)",
    )
    parser.add_argument("--namespace", default="", help="put all names under this one")
    parser.add_argument(
        "--remap", action="append", default=[], metavar="FROM:=TO", help="another name for a topic; may be repeated"
    )
    parser.add_argument("--params-file", action="append", default=[], metavar="FILE", help="ROS parameter file")
    parser.add_argument("--log-level", default="", help="debug, info, warn, error or fatal")


def main(args: argparse.Namespace) -> int:
    """Starts the nodes and waits for their end; returns the exit status."""
    from jepa_planner.nodes.graph import RECORD_MODULE, SIM_MODULE, Processes
    from jepa_planner.nodes.start import Start

    if args.separate == "sim" and not args.sim:
        raise ValueError("--separate sim: there is no simulator to keep apart; add --sim")
    _given(args, "record")  # refuses an empty one
    start = Start.of(
        args.sim,
        typed=_given(args, "model", "dtype", "threads", "imagine_sub_goals"),
        scene=_given(args, "task", "seed", "speed"),
        params_files=args.params_file,
        namespace=args.namespace,
        remaps=args.remap,
        log_level=args.log_level,
        record="" if args.record is AS_PARAMETERS_SAY else args.record,
    )
    arguments = start.ros_arguments()
    sim_modules = SIM_MODULE if args.sim else {}
    # what a simulator lacks is said here, and not by a process that ends
    simulators = [importlib.import_module(module).SimNode for module in sim_modules.values()]
    # the planner goes on without its recorder, which ends after it and so hears how the last goal ended
    recorder = Processes({} if args.record is None else RECORD_MODULE, arguments)
    try:
        code = _run(args.separate, sim_modules, simulators, arguments)
    finally:
        recorded = recorder.stop()
    return code if recorded else 1


def _run(
    separate: str | None, sim_modules: dict[str, str], simulators: Sequence[Callable[[], Node]], arguments: list[str]
) -> int:
    from jepa_planner.nodes.graph import PLANNER_MODULES, Processes, composed
    from jepa_planner.nodes.running import run

    if separate == "all":
        return _wait(Processes({**PLANNER_MODULES, **sim_modules}, arguments))
    if separate is None:
        return run(lambda: composed(*simulators), arguments)
    simulator = Processes(sim_modules, arguments)
    code = run(composed, arguments, lambda: not simulator.dead())
    return code if simulator.stop() else 1


def _given(args: argparse.Namespace, *names: str) -> dict[str, object]:
    """Of these arguments, those that were typed; the others are left to parameter files."""
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if empty := [name for name, value in given.items() if value == ""]:
        raise ValueError(f"--{empty[0]} is empty; leave it out, or give a value")
    return given


def _wait(processes: Processes) -> int:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    dead: list[str] = []
    while not dead and not ended.wait(0.5):
        dead = processes.dead()
    if dead:
        print(f"{', '.join(dead)} ended unexpectedly; stopping the others")
    clean = processes.stop()
    return 0 if clean and not dead else 1
