"""Clicks in, goal pictures out; where nothing can be made of them, the answer says why."""

from dataclasses import replace

import pytest
from drawn_table import CAMERAS, GREEN, RED, SIZE, drawn, masks, overlap, seen

from jepa_planner.pointing.pointed_goal import Clicks, pointed_goal
from jepa_planner.pointing.similarity import PointingError

HERE, THERE, OTHER = (0.5, 0.05), (0.56, -0.08), (0.42, -0.06)
NOW = {HERE: RED, OTHER: GREEN}


@pytest.fixture
def pictures():
    return {view: drawn(view, NOW) for view in CAMERAS}


def clicked(*views: str) -> dict[str, Clicks]:
    return {view: Clicks(seen(view, *HERE), seen(view, *THERE)) for view in views}


def test_clicks_in_every_view_need_no_calibration(finder, pictures):
    goal = pointed_goal(finder, pictures, clicked("front", "side"))
    for view in CAMERAS:
        assert overlap(goal.masks[view], masks(view, NOW)[0]) > 0.7
        assert goal.place_px[view] == pytest.approx(seen(view, *THERE), abs=3.0)
        truth = drawn(view, {THERE: RED, OTHER: GREEN}).astype(int)
        assert abs(goal.pictures[view].astype(int) - truth).mean() < 0.35 * abs(pictures[view] - truth).mean()


def test_one_click_is_enough_where_cameras_are_calibrated(finder, pictures):
    goal = pointed_goal(finder, pictures, clicked("front"), CAMERAS)
    assert overlap(goal.masks["side"], masks("side", NOW)[0]) > 0.7
    assert goal.place_px["side"] == pytest.approx(seen("side", *THERE), abs=3.0)


def test_without_calibration_one_click_is_not_enough(finder, pictures):
    with pytest.raises(PointingError, match=r"view side: neither a click says .* click in that view too, or calibrate"):
        pointed_goal(finder, pictures, clicked("front"))
    with pytest.raises(PointingError, match="calibrations of side"):
        pointed_goal(finder, pictures, clicked("front"), {"front": CAMERAS["front"]})


def test_cameras_that_are_calibrated_in_different_frames_are_refused(finder, pictures):
    apart = CAMERAS | {"side": replace(CAMERAS["side"], frame="table")}
    with pytest.raises(PointingError, match="calibrated in base and table: expected one frame for all"):
        pointed_goal(finder, pictures, clicked("front"), apart)


def test_where_only_the_table_is_clicked_nothing_can_be_grasped(finder, pictures):
    clicks = {"front": Clicks((20, 100), (60, 60))}
    with pytest.raises(PointingError, match=r"view front: nothing that could be grasped at \(20, 100\)"):
        pointed_goal(finder, pictures, clicks, CAMERAS)


@pytest.mark.parametrize(
    ("clicks", "said"),
    [
        ({"wrist": Clicks((1, 1), (2, 2))}, "no view wrist; views are front, side"),
        ({"front": Clicks((1, 1))}, "nobody said where it should be"),
        ({"front": Clicks((SIZE[0], 1), (2, 2))}, "outside the picture"),
    ],
)
def test_clicks_that_make_no_goal_are_refused_by_name(finder, pictures, clicks, said):
    with pytest.raises(PointingError, match=said):
        pointed_goal(finder, pictures, clicks, CAMERAS)


def test_a_place_that_another_camera_does_not_see_is_refused(finder, pictures):
    at = seen("front", *HERE)
    with pytest.raises(PointingError, match="view side would not show the thing there"):
        pointed_goal(finder, pictures, {"front": Clicks(at, (at[0], at[1] - 45))}, CAMERAS)


def test_a_place_in_the_sky_is_refused(finder, pictures):
    at = seen("front", *HERE)
    with pytest.raises(PointingError, match=r"not on the table|would not show"):
        pointed_goal(finder, pictures, {"front": Clicks(at, (at[0], at[1] - 5000))}, CAMERAS)
