"""The arguments that say what board was printed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jepa_planner.cli.number_arguments import at_least, positive

if TYPE_CHECKING:
    from jepa_planner.core.camera_calibration import Board

MOST_SQUARES = 100


def add_board_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `board_of` reads; the defaults fit A4."""
    board = parser.add_argument_group("board", "a ChArUco board as `jepa-planner camera board` draws it")
    board.add_argument("--columns", type=at_least(2, MOST_SQUARES), default=7, help="squares from left to right (7)")
    board.add_argument("--rows", type=at_least(2, MOST_SQUARES), default=5, help="squares from top to bottom (5)")
    board.add_argument("--square-mm", type=positive, default=30.0, help="side of a square, as measured (30)")
    board.add_argument("--marker-mm", type=positive, default=22.0, help="side of a marker (22)")
    board.add_argument("--dictionary", default="DICT_4X4_50", help="of OpenCV's markers (DICT_4X4_50)")


def board_of(args: argparse.Namespace) -> Board:
    """The board that the command line names; raises ValueError for one that cannot be."""
    from jepa_planner.core.camera_calibration import Board

    return Board(args.columns, args.rows, args.square_mm, args.marker_mm, args.dictionary)
