"""The thing stands where it was put, and nothing is left of it where it stood."""

import numpy as np
import pytest
from drawn_table import RED, drawn, masks

from jepa_planner.pointing.composing import moved_thing

PLACE = (0.5, 0.0)


@pytest.fixture
def picture():
    return drawn("front", {PLACE: RED})


def is_red(pixels: np.ndarray) -> np.ndarray:
    return (pixels[..., 0] > 150) & (pixels[..., 1] < 90)


def test_the_thing_goes_where_it_is_dragged_and_what_was_behind_is_filled_in(picture):
    mask = masks("front", {PLACE: RED})[0]
    composed = moved_thing(picture, mask, (30, 10))
    moved = np.roll(mask, (10, 30), (0, 1))
    assert is_red(composed[moved]).mean() > 0.95 and not is_red(composed[mask]).any()
    untouched = ~moved & ~mask
    assert np.abs(composed[untouched].astype(int) - drawn("front", {})[untouched]).max() <= 60  # at the rim
    assert np.abs(composed.astype(int) - drawn("front", {}))[mask].max() < 12


def test_it_grows_as_it_comes_nearer(picture):
    mask = masks("front", {PLACE: RED})[0]
    assert is_red(moved_thing(picture, mask, (20, 20), 1.5)).sum() == pytest.approx(2.25 * mask.sum(), rel=0.2)


def test_an_earlier_picture_tells_what_is_behind_where_it_is_of_the_same_table(picture):
    mask = masks("front", {PLACE: RED})[0]
    striped, empty = picture.copy(), drawn("front", {})
    empty[:, 78:82] = 255
    striped[:, 78:82] = 255
    striped[mask] = RED
    composed = moved_thing(striped, mask, (40, 0), earlier=[striped, empty])
    assert np.array_equal(composed[mask], empty[mask])
    other = np.full_like(empty, 10)
    assert np.array_equal(moved_thing(picture, mask, (40, 0), earlier=[other]), moved_thing(picture, mask, (40, 0)))


def test_what_is_dragged_out_of_the_picture_is_gone(picture):
    mask = masks("front", {PLACE: RED})[0]
    assert not is_red(moved_thing(picture, mask, (500, 0))).any()
