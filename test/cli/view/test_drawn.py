"""What the page draws: paths, energies, pictures."""

import base64
import math

import cv2
import numpy as np

from jepa_planner.cli.view.energy_chart import energy_options
from jepa_planner.cli.view.imagined_panel import rows_of, surprise_in_words
from jepa_planner.cli.view.live_pictures import MOST_WIDTH_PX, shown
from jepa_planner.cli.view.overlay import FIRST_STEP, LATER_STEPS, candidates_svg, path_svg
from jepa_planner.cli.view.pointing import Click
from jepa_planner.nodes.watch.goal_log import EnergyPoint
from jepa_planner.nodes.watch.imagination import Imagined


def test_the_step_that_is_done_next_has_its_own_colour():
    svg = path_svg(np.array([[0.0, 0.0], [10.0, 0.0], [20.0, 10.0]]), 1.0, 64)
    assert svg.count("<line") == 2 and svg.count("<circle") == 2
    assert svg.index(FIRST_STEP) < svg.index(LATER_STEPS)


def test_a_path_is_drawn_where_the_smaller_picture_shows_it():
    assert 'x2="5.00" y2="10.00"' in path_svg(np.array([[0.0, 0.0], [10.0, 20.0]]), 2.0, 1280)


def test_what_is_not_seen_is_left_out_with_its_lines():
    svg = path_svg(np.array([[0.0, 0.0], [np.nan, np.nan], [20.0, 10.0]]), 1.0, 64)
    assert svg.count("<line") == 0 and svg.count("<circle") == 1 and "nan" not in svg


def test_candidates_are_thin_lines_as_strong_as_they_weigh_and_those_not_seen_are_left_out():
    lines = np.array([[[0.0, 0.0], [10.0, 20.0]], [[np.nan, 0.0], [1.0, 1.0]], [[2.0, 2.0], [4.0, 6.0]]])
    svg = candidates_svg(lines, np.array([0.7, 0.5, 0.15]), 2.0, 640)
    assert svg.count("<line") == 2 and 'x2="5.0" y2="10.0" stroke-opacity="0.70"' in svg
    assert 'x2="2.0" y2="3.0" stroke-opacity="0.15"' in svg and "nan" not in svg
    assert candidates_svg(np.zeros((0, 2, 2)), np.zeros(0), 1.0, 64) == ""


def test_what_is_imagined_is_a_row_for_each_view_with_what_came_and_says_where_that_is_a_drawing():
    pictures = np.zeros((2, 32, 32, 3), np.uint8)
    first = Imagined(1, pictures, False, pictures, pictures)
    assert {view: list(row) for view, row in rows_of(first, ("front", "side")).items()} == {
        view: ["what came", "after this step", "after the plan"] for view in ("front", "side")
    }
    assert surprise_in_words(first) == ""
    later = Imagined(2, pictures, True, pictures, pictures, pictures, 0.01, 0.2)
    assert list(rows_of(later, ("front",))["front"])[:2] == ["was imagined", "what came, drawn"]
    assert "0.01 off what was imagined; from no change, 0.2" in surprise_in_words(later)


def test_a_picture_is_a_jpeg_and_a_wide_one_is_made_smaller():
    small = shown(np.full((48, 64, 3), (250, 10, 10), np.uint8), 3)
    assert (small.width_px, small.height_px, small.shown_width_px, small.scale, small.number) == (64, 48, 64, 1.0, 3)
    wide = shown(np.zeros((960, 2 * MOST_WIDTH_PX, 3), np.uint8))
    assert (wide.width_px, wide.height_px, wide.shown_width_px, wide.scale) == (1280, 960, 640, 2.0)
    data = base64.b64decode(small.url.removeprefix("data:image/jpeg;base64,"))
    blue, _, red = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[20, 20]
    assert red > 240 and blue < 20


def test_energies_to_different_goal_pictures_are_not_joined():
    points = [
        EnergyPoint(10.0, 1, 0, 2, 0.5, 0.1),
        EnergyPoint(10.4, 2, 0, 2, 0.2, 0.1),
        EnergyPoint(10.8, 3, 1, 2, 0.9, 0.05),
        EnergyPoint(11.2, 4, 1, 2, math.nan, 0.05),
    ]
    energies, tolerances = (series["data"] for series in energy_options(points)["series"])
    assert energies == [[0.0, 0.5], [0.4, 0.2], [0.8, None], [0.8, 0.9], [1.2, None]]
    assert tolerances == [[0.0, 0.1], [0.4, 0.1], [0.8, 0.05], [1.2, 0.05]]


def test_a_click_says_where_it_was():
    assert str(Click("front", 20.94, 3.0, 64, 48)) == "front: pixel 20.9, 3.0 of 64 x 48"
