"""Boards on paper and in pictures that were drawn from a camera that is known."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from drawn_boards import BOARD, Look, draw, scene
from PIL import Image
from seen_corners import STRONG, calibrate, camera_off

from jepa_planner.calibration.adjustment import Sighting
from jepa_planner.calibration.board import BoardError, BoardFinder, outer_corners_m
from jepa_planner.calibration.board_page import draw_page, write_page
from jepa_planner.core.camera_calibration import Board

SPOILED = {
    "clean": Look(),
    "blurred, noisy and dark": Look(0.8, 4.0, (20.0, 90.0)),
    "lit from one side": Look(0.5, 2.0, slope=0.9),
    "behind something": Look(0.5, 2.0, hidden=0.25),
}


@cache
def setting():
    return scene(4, 1, distortion=STRONG)


@cache
def picture(how: str, number: int = 0) -> np.ndarray:
    s, look = setting(), replace(SPOILED[how], rng=np.random.default_rng(number))
    return draw(s.camera, s.base_from_tcp[number] @ s.tcp_from_board, look=look)


def true_pixels(points_m: np.ndarray, number: int = 0) -> np.ndarray:
    s = setting()
    pose = s.base_from_tcp[number] @ s.tcp_from_board
    return s.camera.project(points_m @ pose[:3, :3].T + pose[:3, 3])


@pytest.mark.parametrize(("how", "least", "most_px"), [
    ("clean", 24, 0.07), ("blurred, noisy and dark", 24, 0.15), ("lit from one side", 24, 0.1),
    ("behind something", 12, 0.15),
])  # fmt: skip
def test_corners_are_found_to_a_fraction_of_a_pixel(how, least, most_px):
    corners = BoardFinder(BOARD).find(picture(how), "now")
    off = np.linalg.norm(corners.pixels - true_pixels(corners.points_m), axis=1)
    assert len(off) >= least and np.sqrt(np.mean(off**2)) < most_px / 2 and off.max() < 4 * most_px


def test_a_camera_from_pictures_alone_is_within_a_millimetre_and_a_tenth_of_a_degree():
    s, finder = setting(), BoardFinder(BOARD)
    sightings = [
        Sighting(f"{number}", finder.find(picture("clean", number), "now"), s.base_from_tcp[number])
        for number in range(4)
    ]
    millimetres, degrees = camera_off(calibrate(sightings), s)
    assert millimetres < 1.0 and degrees < 0.1


def test_the_board_lies_as_the_page_numbers_its_corners():
    page, dpi = draw_page(BOARD, "a4", 150)
    corners = BoardFinder(BOARD).find(np.repeat(page[..., None], 3, axis=2), "page")
    dots = 1000 * dpi / 25.4 * corners.points_m[:, :2]
    assert np.ptp(corners.pixels - dots, axis=0) == pytest.approx([0.0, 0.0], abs=0.1)  # x to the right, y down
    assert outer_corners_m(BOARD) == pytest.approx(np.array([[0, 0, 0], [0.21, 0, 0], [0, 0.15, 0]]))


@pytest.mark.parametrize("name", ["board.png", "deep/board.PDF"])
def test_a_page_has_its_true_size(name, tmp_path):
    page, dpi = draw_page(BOARD, "a4", 100)
    write_page(tmp_path / name, page, dpi)
    inches = np.array(page.shape[::-1]) / dpi
    assert 25.4 * inches == pytest.approx([297.0, 210.0], abs=0.2)
    if name.endswith("png"):
        with Image.open(tmp_path / name) as read:
            assert read.info["dpi"] == pytest.approx((dpi, dpi), rel=1e-3)
    else:
        box = (tmp_path / name).read_bytes().split(b"/MediaBox [")[1].split(b"]")[0].split()
        assert [float(side) for side in box[2:]] == pytest.approx(list(72 * inches), abs=0.1)


@pytest.mark.parametrize(
    ("board", "paper", "dpi", "says"),
    [
        (replace(BOARD, square_mm=60.0), "a4", 300, "the board is 420 x 300 mm, a4 has room for 287 x 172"),
        (BOARD, "a4", 40, "a marker of 22 mm is 34 dots wide"),
        (replace(BOARD, dictionary="DICT_9X9"), "a4", 300, "dictionary is 'DICT_9X9', expected one of DICT_4X4_100"),
        (Board(20, 20, 5.0, 4.0, "DICT_4X4_50"), "a4", 600, "20 x 20 squares need 200 markers and DICT_4X4_50 has 50"),
    ],
)
def test_a_board_that_cannot_be_drawn_is_refused(board, paper, dpi, says):
    with pytest.raises(BoardError, match=says):
        draw_page(board, paper, dpi)


def test_a_page_of_another_kind_is_refused(tmp_path):
    with pytest.raises(BoardError, match="expected a name that ends in"):
        write_page(tmp_path / "board.svg", np.zeros((10, 10), np.uint8), 100)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda seen: seen[:, ::-1], "the picture is mirrored"),
        (lambda seen: np.full_like(seen, 90), "at least 6 are needed: show all of it"),
        (lambda seen: cv2.GaussianBlur(seen, (0, 0), 12.0), "at least 6 are needed: show all of it"),
    ],
)
def test_a_picture_without_the_board_is_refused_by_name(change, says):
    with pytest.raises(BoardError, match=rf"007.png: .*{says}"):
        BoardFinder(BOARD).find(change(picture("clean")), "007.png")


@pytest.mark.parametrize("board", [Board(5, 7, 30.0, 22.0, "DICT_4X4_50"), Board(8, 6, 30.0, 22.0, "DICT_4X4_50")])
def test_another_board_than_was_said_is_refused(board):
    with pytest.raises(BoardError, match="markers: is it the board that was printed"):
        BoardFinder(board).find(picture("clean"), "now")


def test_an_opencv_without_boards_is_refused_by_name(monkeypatch):
    monkeypatch.delattr(cv2.aruco, "CharucoDetector")
    with pytest.raises(BoardError, match=r"finds no ChArUco boards: expected 4.7 or newer, pip install"):
        BoardFinder(BOARD)
