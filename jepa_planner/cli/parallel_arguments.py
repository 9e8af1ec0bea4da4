"""The arguments that say where independent jobs run."""

from __future__ import annotations

import argparse

from jepa_planner.cli.number_arguments import at_least


def add_parallel_arguments(parser: argparse.ArgumentParser, processes: int) -> None:
    """Declare --processes, with a default, and --cluster."""
    parser.add_argument(
        "--processes", type=at_least(1), default=processes, metavar="N", help=f"of this machine (default: {processes})"
    )
    parser.add_argument(
        "--cluster", default="", metavar="ADDRESS",
        help="a Dask scheduler, as in tcp://host:8786, whose workers do it instead",
    )  # fmt: skip
