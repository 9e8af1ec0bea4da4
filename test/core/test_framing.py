import numpy as np
import pytest

from jepa_planner.core.framing import Framing, framings
from jepa_planner.core.image_message import ConversionError

PIXELS = np.arange(2 * 3).reshape(2, 3)
VIEWS = ("front", "side")


@pytest.mark.parametrize(
    ("turn_deg", "turned"),
    [
        (0, [[0, 1, 2], [3, 4, 5]]),
        (90, [[3, 0], [4, 1], [5, 2]]),
        (180, [[5, 4, 3], [2, 1, 0]]),
        (270, [[2, 5], [1, 4], [0, 3]]),
    ],
)
def test_pictures_are_turned_clockwise(turn_deg, turned):
    assert Framing(turn_deg).of(PIXELS).tolist() == turned


def test_the_crop_is_of_the_turned_picture():
    assert Framing(90, (1, 0, 1, 2)).of(PIXELS).tolist() == [[0], [1]]
    assert Framing(0, (1, 0, 2, 2)).of(PIXELS).tolist() == [[1, 2], [4, 5]]


def test_what_is_cropped_is_not_copied():
    assert np.shares_memory(Framing(270, (0, 1, 2, 2)).of(PIXELS), PIXELS)


@pytest.mark.parametrize(("turn_deg", "crop"), [(0, (2, 0, 2, 1)), (90, (0, 2, 1, 2)), (0, (0, 0, 3, 3))])
def test_a_crop_that_reaches_outside_of_the_picture_is_refused(turn_deg, crop):
    with pytest.raises(ConversionError, match=r"crop \[.*\] \(x, y, width, height\) reaches outside of the picture"):
        Framing(turn_deg, crop).of(PIXELS)


def test_one_entry_is_for_all_views_and_zeros_are_no_crop():
    assert framings(VIEWS, [0], [0]) == [Framing(), Framing()]
    assert framings(VIEWS, [90], [1, 2, 3, 4]) == [Framing(90, (1, 2, 3, 4))] * 2
    assert framings(VIEWS, [0, 180], [0, 0, 0, 0, 1, 2, 3, 4]) == [Framing(), Framing(180, (1, 2, 3, 4))]


@pytest.mark.parametrize(
    ("turns_deg", "crop", "says"),
    [
        ([45], [0], "rotation is 45; expected one of 0, 90, 180, 270 degrees"),
        ([0, 90, 180], [0], "rotation has 3 numbers; expected one, or one for each of front, side"),
        ([0], [1, 2, 3], "crop has 3 numbers; expected x, y, width, height, or these for each of front, side"),
        ([0], [-1, 0, 2, 2], r"crop is \[-1, 0, 2, 2\]; expected x, y from 0"),
        ([0], [0, 0, 2, 0], "width, height from 1"),
    ],
)
def test_other_numbers_are_refused_by_the_parameter_s_name(turns_deg, crop, says):
    with pytest.raises(ValueError, match=says):
        framings(VIEWS, turns_deg, crop)
