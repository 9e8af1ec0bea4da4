"""The arguments with which verbs change a model's recommended search, and how its goals are pursued."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jepa_planner.cli.number_arguments import at_least

if TYPE_CHECKING:
    from jepa_planner.planning.planner_settings import PlannerSettings
    from jepa_planner.planning.solvers.settings import SearchSettings


def add_search_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `chosen_search` reads."""
    search = parser.add_argument_group("search", "the model's own by default")
    search.add_argument(
        "--solver", "--optimiser", default="", metavar="NAME", help="such as cem or mppi; an unknown name lists all"
    )
    search.add_argument("--samples", type=at_least(1), default=0, metavar="N", help="candidates per iteration")
    search.add_argument("--iterations", type=at_least(1), default=0, metavar="N")
    search.add_argument("--horizon", type=at_least(1), default=0, metavar="N", help="actions that are imagined")


def add_planning_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what mpc_node has the parameters `imagine_sub_goals` and `monitor_out_of_distribution` for."""
    parser.add_argument(
        "--imagine-sub-goals", choices=["auto", "always", "never"],
        help="between goal pictures: auto (default): where the model can and there are few pictures",
    )  # fmt: skip
    parser.add_argument(
        "--no-monitor", "--not-wary", action="store_true", help="go on at pictures that the model does not know"
    )


def chosen_search(args: argparse.Namespace, settings: PlannerSettings) -> SearchSettings:
    """The recommended search with what the command line changes; raises ValueError for what cannot be."""
    return settings.search(args.solver).resized(args.samples, args.iterations, args.horizon)
