"""Which click comes next, and what goals by pointing are made of."""

import pytest

from jepa_planner.cli.view.pointing import Click, Pointing
from jepa_planner.pointing.pointed_goal import Clicks

CALIBRATED = {"front": None, "side": None}


def click(view: str, x: float, y: float) -> Click:
    return Click(view, x, y, 64, 64)


def test_with_calibrated_cameras_two_clicks_in_one_view_are_all():
    pointing = Pointing(("front", "side"), CALIBRATED)
    assert pointing.wanted == "click a thing, in any view"
    pointing.add(click("side", 10.5, 20.5))
    assert pointing.wanted == "click where it should be, in side"
    pointing.add(click("side", 30.5, 40.5))
    assert pointing.wanted == "" and pointing.clicks() == {"side": Clicks((10, 20), (30, 40))}


@pytest.mark.parametrize("cameras", [{}, {"front": None}, {"side": None}])
def test_otherwise_each_view_is_clicked(cameras):
    pointing = Pointing(("front", "side"), cameras)
    pointing.add(click("front", 1, 2))
    pointing.add(click("front", 3, 4))
    assert pointing.wanted == "click the same thing in side"
    pointing.add(click("side", 5, 6))
    assert pointing.wanted == "click where it should be, in side"
    pointing.add(click("side", 7, 8))
    assert pointing.wanted == "" and set(pointing.clicks()) == {"front", "side"}


def test_a_click_in_another_view_than_is_wanted_is_refused_and_changes_nothing():
    pointing = Pointing(("front", "side"), {})
    pointing.add(click("front", 1, 2))
    with pytest.raises(ValueError, match=r"click where it should be, in front: the click was in side"):
        pointing.add(click("side", 1, 2))
    pointing.add(click("front", 3, 4))
    with pytest.raises(ValueError, match=r"click the same thing in side: the click was in front"):
        pointing.add(click("front", 3, 4))
    assert pointing.wanted == "click the same thing in side"


def test_a_camera_of_one_view_alone_needs_no_calibration():
    pointing = Pointing(("front",), {})
    for place in (1, 2):
        pointing.add(click("front", place, place))
    assert pointing.wanted == ""
