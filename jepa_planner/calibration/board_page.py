"""Draws a board on a page at its true size."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from jepa_planner.calibration.board import BoardError, charuco
from jepa_planner.core.camera_calibration import Board

MM_PER_INCH = 25.4
PAPER_MM = {"a4": (210.0, 297.0), "a3": (297.0, 420.0), "letter": (215.9, 279.4), "a2": (420.0, 594.0)}
EDGE_MM = 5.0
"""Printers leave so much white."""
FOOT_MM = 14.0
"""Below the board, for what it is and for a line to be measured."""
LINE_MM, LETTER_MM = 100.0, 2.5
KINDS = {".pdf": "PDF", ".png": "PNG"}


def draw_page(board: Board, paper: str, dpi: int) -> tuple[np.ndarray, float]:
    """A page with the board in its middle, uint8 [H, W], and its true dots per inch, close to those asked for: a square
    is a whole number of dots. Raises BoardError where the board does not fit the paper, or dots are too coarse.
    """
    square_px = round(board.square_mm / MM_PER_INCH * dpi)
    marker_px = round(square_px * board.marker_mm / board.square_mm)
    if marker_px < 40:
        raise BoardError(f"a marker of {board.marker_mm:g} mm is {marker_px} dots wide at {dpi} dpi, take more dpi")
    px_per_mm = square_px / board.square_mm
    size_mm = board.columns * board.square_mm, board.rows * board.square_mm
    width_mm, height_mm = sorted(PAPER_MM[paper], reverse=size_mm[0] > size_mm[1])
    room_mm = width_mm - 2 * EDGE_MM, height_mm - 2 * (EDGE_MM + FOOT_MM)
    if size_mm[0] > room_mm[0] or size_mm[1] > room_mm[1]:
        raise BoardError(
            f"the board is {size_mm[0]:g} x {size_mm[1]:g} mm, {paper} has room for {room_mm[0]:g} x {room_mm[1]:g}: "
            "take smaller or fewer squares, or larger paper"
        )
    page = np.full((round(height_mm * px_per_mm), round(width_mm * px_per_mm)), 255, np.uint8)
    drawn = charuco(board).generateImage((board.columns * square_px, board.rows * square_px))
    top, left = (page.shape[0] - drawn.shape[0]) // 2, (page.shape[1] - drawn.shape[1]) // 2
    page[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
    _label(page, board, px_per_mm, (left, top, drawn.shape[1], drawn.shape[0]))
    return page, px_per_mm * MM_PER_INCH


def write_page(path: Path, page: np.ndarray, dpi: float) -> None:
    """Writes a PDF or PNG of the page, whole or not at all; raises BoardError for other names."""
    if (kind := KINDS.get(path.suffix.lower())) is None:
        raise BoardError(f"{path}: expected a name that ends in {' or '.join(KINDS)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    options = {"resolution": dpi} if kind == "PDF" else {"dpi": (dpi, dpi)}
    Image.fromarray(page).save(new, kind, **options)
    new.replace(path)


def _label(page: np.ndarray, board: Board, px_per_mm: float, at: tuple[int, int, int, int]) -> None:
    """Adds the numbers of the corners that are touched, what the board is, and the line to be measured."""
    left, top, width, height = at
    middle, below = left + width // 2, top + height
    for text, x, y in (
        ("1", left, top - px_per_mm), ("2", left + width, top - px_per_mm), ("3", left, below + 4 * px_per_mm)
    ):  # fmt: skip
        _write(page, text, x, y, px_per_mm)
    _write(page, str(board), middle, below + 4 * px_per_mm, px_per_mm)
    foot, half, end = round(below + 11 * px_per_mm), round(LINE_MM / 2 * px_per_mm), round(1.5 * px_per_mm)
    thick = max(1, round(0.25 * px_per_mm))
    page[foot : foot + thick, middle - half : middle + half] = 0
    for x in (middle - half, middle + half - thick):
        page[foot - end : foot + end, x : x + thick] = 0
    _write(page, f"{LINE_MM:g} mm", middle, foot - px_per_mm, px_per_mm)


def _write(page: np.ndarray, text: str, middle: float, bottom: float, px_per_mm: float) -> None:
    font, thick = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(0.25 * px_per_mm))
    scale = LETTER_MM * px_per_mm / cv2.getTextSize("X", font, 1.0, 1)[0][1]
    width = cv2.getTextSize(text, font, scale, thick)[0][0]
    place = round(middle - width / 2), round(bottom)
    cv2.putText(page, text, place, font, scale, 0, thick, cv2.LINE_AA)
