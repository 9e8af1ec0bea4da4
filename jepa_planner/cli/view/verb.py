"""`jepa-planner view`: a page in the browser on a running planner, simulated or real."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from jepa_planner.cli.number_arguments import at_least

HELP = "watch a running planner in the browser: cameras, goals, energies, and a stop button"
LOCALHOST = "127.0.0.1"
PORT = 8642
POLITE = 5
"""How much lower than the planner's this program's priority is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--host",
        default=LOCALHOST,
        help="where the page is served (default: to this computer alone); for others it prints a token",
    )
    parser.add_argument("--port", type=at_least(1, 65535), default=PORT, help=f"port of the page (default {PORT})")
    parser.add_argument("--goals", type=Path, metavar="DIR", help="folder of recorded goals, to be played")
    parser.add_argument(
        "--model", default="", metavar="DIR", help="the planner's model, where it is not found by itself"
    )
    parser.add_argument(
        "--rerun", metavar="FILE", help="log for Rerun too, into a file that ends in .rrd or, by rerun+http://..., "
        "to a viewer that is open; needs jepa_planner[rerun]",
    )  # fmt: skip
    parser.add_argument("--namespace", default="", help="namespace of the planner's nodes")
    parser.add_argument(
        "--remap", action="append", default=[], metavar="FROM:=TO", help="as `run` is given; may be repeated"
    )


def main(args: argparse.Namespace) -> int:
    """Serves the page until Ctrl-C."""
    import nicegui  # noqa: F401  (what is missing is said before anything starts)

    from jepa_planner.cli.view.access import Gate, is_local, new_token
    from jepa_planner.cli.view.served import address, check_port, serve
    from jepa_planner.nodes.start import checked_namespace, checked_remap
    from jepa_planner.nodes.watch.planner_watch import watched_planner

    if args.rerun is not None:
        from jepa_planner.cli.view.rerun_log import check_target

        check_target(args.rerun)
    if args.goals is not None and not args.goals.is_dir():
        raise ValueError(f"--goals {args.goals}: no such folder; expected one that `run --record` wrote into")
    namespace, remaps = checked_namespace(args.namespace), [checked_remap(text) for text in args.remap]
    check_port(args.host, args.port)
    os.nice(POLITE)  # where all share few cores, planning comes first
    gate = Gate(args.port, "" if is_local(args.host) else new_token())
    with watched_planner(namespace, args.model, remaps) as (watch, client):
        print(f"the page is at {address(args.host, args.port, gate.token)} until Ctrl-C", flush=True)
        serve(watch, client, args.goals, args.host, gate, args.rerun)
    return 0
