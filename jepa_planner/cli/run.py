"""Starts the planner's nodes, and the simulated robot where asked for, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import threading
from typing import TYPE_CHECKING

from jepa_planner.cli.compute_arguments import add_compute_arguments

if TYPE_CHECKING:
    from jepa_planner.nodes.graph import Processes

HELP = "start the planner's nodes, with the simulated robot or for a real one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sim", action="store_true", help="with the simulated arm, cameras and table")
    parser.add_argument(
        "--separate",
        nargs="?",
        const="all",
        choices=["all", "sim"],
        help="one process per node instead of one for all; `sim`: only the simulator apart from the planner, which"
        " leaves planning a core of its own",
    )
    parser.add_argument("--model", default="", metavar="DIR", help="model bundle (default: the one that ships)")
    parser.add_argument(
        "--imagine-sub-goals",
        choices=["auto", "always", "never"],
        help="between goal pictures: auto (default): where the model can and there are few pictures",
    )
    add_compute_arguments(parser, dtype=None)
    parser.add_argument("--task", help="simulated scene at the start: reach, grasp, push or pick_place")
    parser.add_argument("--seed", type=int, help="seed of that scene")
    parser.add_argument("--speed", type=float, help="simulated seconds per second (default 1)")
    parser.add_argument("--namespace", default="", help="put all names under this one")
    parser.add_argument(
        "--remap", action="append", default=[], metavar="FROM:=TO", help="another name for a topic; may be repeated"
    )
    parser.add_argument("--params-file", action="append", default=[], metavar="FILE", help="ROS parameter file")
    parser.add_argument("--log-level", default="", help="debug, info, warn or error")


def main(args: argparse.Namespace) -> int:
    from jepa_planner.nodes.graph import PLANNER_MODULES, SIM_MODULE, Processes, composed, ros_arguments
    from jepa_planner.nodes.running import run

    parameters: dict[str, object] = {"use_sim_time": True} if args.sim else {}
    if args.threads:
        parameters["threads"] = args.threads
    for name in ("model", "dtype", "imagine_sub_goals", "task", "seed", "speed"):
        if getattr(args, name) not in (None, ""):
            parameters[name] = getattr(args, name)
    if wrong := [remap for remap in args.remap if len(remap.split(":=")) != 2]:
        raise ValueError(f"--remap {wrong[0]}: expected FROM:=TO")
    arguments = ros_arguments(parameters, args.params_file, args.namespace, args.log_level, args.remap)
    sim_modules = SIM_MODULE if args.sim else {}
    if args.separate == "all":
        return _wait(Processes({**PLANNER_MODULES, **sim_modules}, arguments))
    if args.separate is None:
        return run(lambda: composed(args.sim), arguments)
    simulator = Processes(sim_modules, arguments)
    code = run(lambda: composed(with_sim=False), arguments, lambda: not simulator.dead())
    return code if simulator.stop() else 1


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
