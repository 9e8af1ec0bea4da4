"""ChArUco boards: finding their corners in a picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from jepa_planner.calibration.corner_refinement import drawing, refine
from jepa_planner.core.camera_calibration import Board

LEAST_CORNERS = 6
"""Fewer say little about a pose, and may lie in one row."""
LEAST_MARKERS = 2
LEAST_SPREAD = 0.08
"""Of the corners across their longest direction: those of one row of squares would have 0."""


class BoardError(ValueError):
    """A board that cannot be drawn or found; the message says what was given and what to change."""


@dataclass(frozen=True)
class Corners:
    """Inner corners of a board in one picture: pixels [N, 2], and their places on the board [N, 3] (m)."""

    pixels: np.ndarray
    points_m: np.ndarray


def charuco(board: Board) -> cv2.aruco.CharucoBoard:
    """The board as OpenCV has it, in metres.

    Raises BoardError for an OpenCV without it, an unknown dictionary, and one with too few markers.
    """
    if not hasattr(cv2, "aruco") or not hasattr(cv2.aruco, "CharucoDetector"):
        raise BoardError(
            f"OpenCV {cv2.__version__} finds no ChArUco boards: expected 4.7 or newer, "
            "pip install 'opencv-python-headless>=4.7'"
        )
    number = getattr(cv2.aruco, board.dictionary, None) if board.dictionary.startswith("DICT_") else None
    if number is None:
        known = sorted(name for name in dir(cv2.aruco) if name.startswith("DICT_"))
        raise BoardError(f"dictionary is {board.dictionary!r}, expected one of {', '.join(known)}")
    dictionary = cv2.aruco.getPredefinedDictionary(number)
    if (needed := board.columns * board.rows // 2) > (there := len(dictionary.bytesList)):
        raise BoardError(
            f"{board.columns} x {board.rows} squares need {needed} markers and {board.dictionary} has {there}: "
            "take a larger dictionary or fewer squares"
        )
    return cv2.aruco.CharucoBoard(
        (board.columns, board.rows), board.square_mm / 1000.0, board.marker_mm / 1000.0, dictionary
    )


def outer_corners_m(board: Board) -> np.ndarray:
    """Where the corners 1 (of the printed board above left), 2 (above right) and 3 (below left) are on it, [3, 3]."""
    across, down = board.columns * board.square_mm / 1000.0, board.rows * board.square_mm / 1000.0
    return np.array([[0.0, 0.0, 0.0], [across, 0.0, 0.0], [0.0, down, 0.0]])


class BoardFinder:
    """Finds one kind of board in pictures; raises BoardError as `charuco` does."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._charuco = charuco(board)
        self._places_m = np.asarray(self._charuco.getChessboardCorners(), float).reshape(-1, 3)
        self._drawing = drawing(self._charuco)
        self._markers_finder = cv2.aruco.ArucoDetector(self._charuco.getDictionary(), cv2.aruco.DetectorParameters())
        places = zip(np.ravel(self._charuco.getIds()), self._charuco.getObjPoints(), strict=True)
        self._marker_places_m = {int(number): np.asarray(place, float)[:, :2] for number, place in places}

    def find(self, picture: np.ndarray, name: str) -> Corners:
        """The corners in uint8 RGB [H, W, 3], to a fraction of a pixel; `name` stands in messages.

        Raises BoardError where there are too few, or all in one row, saying what was seen instead.
        """
        gray = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
        seen_m, seen_px = self._markers(gray)
        found, pixels = np.zeros(len(self._places_m), bool), np.zeros((len(self._places_m), 2))
        if len(seen_m) >= LEAST_MARKERS:
            places_m, square_m = self._places_m[:, :2], self.board.square_mm / 1000.0
            seen = np.concatenate(seen_m), np.concatenate(seen_px)
            found, pixels = refine(gray, self._drawing, square_m, places_m, *seen)
        if (count := int(found.sum())) < LEAST_CORNERS:
            raise BoardError(f"{name}: {count} corners of the board seen, {self._why_few(gray)}")
        corners = Corners(pixels[found], self._places_m[found])
        spread = np.linalg.svd(corners.points_m - corners.points_m.mean(axis=0), compute_uv=False)
        if spread[1] < LEAST_SPREAD * spread[0]:
            raise BoardError(f"{name}: the {count} corners seen are all in one row, show more of the board")
        return corners

    def _markers(self, gray: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The corners of each marker of this board that is seen: on the board (m), and in the picture; [4, 2] each."""
        for enlarged in (1, 2):  # small markers are found in a picture made larger
            large = gray if enlarged == 1 else cv2.resize(gray, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
            found, ids, _ = self._markers_finder.detectMarkers(large)
            numbers = [] if ids is None else [int(number) for number in np.ravel(ids)]
            mine = [place for place, number in enumerate(numbers) if number in self._marker_places_m]
            if len(mine) >= LEAST_MARKERS:
                break
        # pixels are counted from the centre of the first one
        pixels = [(np.asarray(found[place], float).reshape(4, 2) + 0.5) / enlarged - 0.5 for place in mine]
        return [self._marker_places_m[numbers[place]] for place in mine], pixels

    def _why_few(self, gray: np.ndarray) -> str:
        count, mirrored = len(self._markers(gray)[0]), len(self._markers(cv2.flip(gray, 1))[0])
        if mirrored > count + LEAST_MARKERS:
            return "but many in its mirror image: the picture is mirrored, turn that off in the camera's driver"
        if count >= LEAST_CORNERS:
            return f"but {count} of its markers: is it the board that was printed, {self.board}?"
        return f"at least {LEAST_CORNERS} are needed: show all of it, nearer and in better light; it is {self.board}"
