"""Rays and pixels of a calibrated camera, distorted or not, agree with one another."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_table import CAMERAS, SIZE

from jepa_planner.pointing.sight import Sight, nearest_point

POINT_M = np.array([0.47, 0.06, 0.03])


@pytest.mark.parametrize(
    ("model", "numbers"),
    [("plumb_bob", ()), ("plumb_bob", (-0.2, 0.05, 0.001, -0.001, 0.0)), ("equidistant", (0.01,) * 4)],
)
def test_the_ray_through_a_point_s_pixel_goes_through_the_point(model, numbers):
    sight = Sight(replace(CAMERAS["front"], distortion_model=model, distortion=numbers), SIZE)
    assert sight.ray(sight.pixel(POINT_M)).at_height(0.03) == pytest.approx(POINT_M, abs=1e-6)


def test_two_cameras_tell_where_a_point_is():
    rays = [Sight(camera, SIZE).ray(Sight(camera, SIZE).pixel(POINT_M)) for camera in CAMERAS.values()]
    assert nearest_point(*rays) == pytest.approx(POINT_M, abs=1e-6)
    with pytest.raises(ValueError, match="parallel"):
        nearest_point(rays[0], rays[0])


def test_pictures_of_twice_the_size_show_it_at_the_same_place():
    half, whole = (Sight(CAMERAS["side"], (SIZE[0] * by, SIZE[1] * by)) for by in (1, 2))
    assert whole.ray((2 * 30 + 0.5, 2 * 40 + 0.5)).direction == pytest.approx(half.ray((30, 40)).direction)


def test_a_ray_above_the_horizon_crosses_no_table():
    assert Sight(CAMERAS["front"], SIZE).ray((80, -400)).at_height(0.0) is None
