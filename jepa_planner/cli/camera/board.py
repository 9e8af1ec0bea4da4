"""`jepa-planner camera board`: a board to print."""

from __future__ import annotations

import argparse
from pathlib import Path

from jepa_planner.cli.camera.board_arguments import add_board_arguments, board_of
from jepa_planner.cli.number_arguments import at_least

HELP = "draw a ChArUco board to print"
PAPERS = ("a4", "a3", "a2", "letter")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_board_arguments(parser)
    parser.add_argument("--out", type=Path, default=Path("board.pdf"), metavar="FILE", help="PDF or PNG (board.pdf)")
    parser.add_argument("--paper", choices=PAPERS, default="a4", help="size of the page")
    parser.add_argument("--dpi", type=at_least(50, 2400), default=600, help="dots per inch (600)")


def main(args: argparse.Namespace) -> int:
    """Draw, write, say how to print."""
    from jepa_planner.calibration.board_page import draw_page, write_page

    board = board_of(args)
    write_page(args.out, *draw_page(board, args.paper, args.dpi))
    print(f"{args.out}: {board}, on {args.paper}")
    print("print it without scaling ('actual size'), measure the line of 100 mm, and glue it to something flat")
    return 0
