"""The arguments with which verbs change a model's recommended search."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jepa_planner.planning.settings import SearchSettings
    from jepa_planner.world_model.contract_sections import PlanningSpec

OPTIMISERS = "cem, icem, mppi, gradient, seeded_cem"


def add_search_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `chosen_search` reads."""
    search = parser.add_argument_group("search", "the model's own by default")
    search.add_argument("--optimiser", default="", metavar="NAME", help=OPTIMISERS)
    search.add_argument("--samples", type=int, default=0, metavar="N", help="candidates per iteration")
    search.add_argument("--iterations", type=int, default=0, metavar="N")
    search.add_argument("--horizon", type=int, default=0, metavar="N", help="actions that are imagined")


def chosen_search(args: argparse.Namespace, planning: PlanningSpec) -> SearchSettings:
    """The recommended search with what the command line changes; raises ValueError for what cannot be."""
    return planning.search(args.optimiser).resized(args.samples, args.iterations, args.horizon)
