"""Starts the planner's nodes, and the simulated robot where asked for, until Ctrl-C."""

import argparse
import signal
import threading

HELP = "start the planner's nodes, with the simulated robot or for a real one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sim", action="store_true", help="with the simulated arm, cameras and table")
    parser.add_argument("--separate", action="store_true", help="one process per node instead of one for all")
    parser.add_argument("--model", default="", metavar="DIR", help="model bundle (default: the one that ships)")
    parser.add_argument("--task", help="simulated scene at the start: reach, grasp, push or pick_place")
    parser.add_argument("--seed", type=int, help="seed of that scene")
    parser.add_argument("--speed", type=float, help="simulated seconds per second (default 1)")
    parser.add_argument("--namespace", default="", help="put all names under this one")
    parser.add_argument("--params-file", action="append", default=[], metavar="FILE", help="ROS parameter file")
    parser.add_argument("--log-level", default="", help="debug, info, warn or error")


def main(args: argparse.Namespace) -> int:
    from jepa_planner.nodes.graph import ros_arguments

    parameters: dict[str, object] = {"use_sim_time": True} if args.sim else {}
    for name in ("model", "task", "seed", "speed"):
        if getattr(args, name):
            parameters[name] = getattr(args, name)
    arguments = ros_arguments(parameters, args.params_file, args.namespace, args.log_level)
    if args.separate:
        return _separate(args.sim, arguments)
    from jepa_planner.nodes.graph import composed
    from jepa_planner.nodes.running import run

    return run(lambda: composed(args.sim), arguments)


def _separate(with_sim: bool, arguments: list[str]) -> int:
    from jepa_planner.nodes.graph import Processes

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    processes = Processes(with_sim, arguments)
    dead: list[str] = []
    while not dead and not ended.wait(0.5):
        dead = processes.dead()
    if dead:
        print(f"{', '.join(dead)} ended unexpectedly; stopping the others")
    clean = processes.stop()
    return 0 if clean and not dead else 1
