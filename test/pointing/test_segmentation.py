"""Of a heat map, roughly right, and the picture a mask is made that ends where the thing does."""

import numpy as np
import pytest
from drawn_table import GREEN, RED, drawn, masks, overlap, seen

from jepa_planner.pointing.segmentation import thing_at, warmest
from jepa_planner.pointing.similarity import heat_map

PLACES = [(0.5, 0.05), (0.42, -0.1), (0.6, 0.1)]


@pytest.mark.parametrize("place", PLACES)
def test_the_mask_of_a_clicked_thing_is_that_thing(finder, place):
    things = {place: RED, (0.52, -0.03): GREEN}
    picture = drawn("front", things)
    features = finder.features(picture)
    column, row = map(round, seen("front", *place))
    mask = thing_at(heat_map(features, features.at((column, row))), picture, (row, column))
    assert overlap(mask, masks("front", things)[0]) > 0.7


def test_a_plain_table_is_no_thing(finder):
    picture = drawn("front", {})
    features = finder.features(picture)
    assert not thing_at(heat_map(features, features.at((80, 60))), picture, (60, 80)).any()


def test_what_is_too_large_for_a_gripper_is_no_thing():
    picture = np.full((100, 100, 3), 60, np.uint8)
    picture[20:80, 20:80] = (200, 40, 40)
    heat = (picture[..., 0] > 100).astype(np.float32)
    assert not thing_at(heat, picture, (50, 50)).any()


def test_the_same_picture_gives_the_same_mask(finder):
    picture = drawn("front", {PLACES[0]: RED})
    features = finder.features(picture)
    heat = heat_map(features, features.at(seen("front", *PLACES[0])))
    assert np.array_equal(thing_at(heat, picture, warmest(heat)), thing_at(heat, picture, warmest(heat)))
