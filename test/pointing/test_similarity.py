"""What looks like what was clicked is warm, wherever it is; what cannot say where things are is refused."""

import numpy as np
import pytest
import torch
from drawn_table import GREEN, RED, SIZE, drawn, encoder, seen

from jepa_planner.pointing.similarity import DenseEncoder, PointingError, heat_map

THERE, ELSEWHERE, GREEN_ONE = (0.5, 0.05), (0.55, -0.1), (0.42, -0.05)


def test_the_clicked_thing_is_the_warmest_in_the_same_picture_elsewhere_and_in_another_view(finder):
    before = drawn("front", {THERE: RED, GREEN_ONE: GREEN})
    like = finder.features(before).at(seen("front", *THERE))
    for view, place in (("front", THERE), ("front", ELSEWHERE), ("side", ELSEWHERE)):
        heat = heat_map(finder.features(drawn(view, {place: RED, GREEN_ONE: GREEN})), like)
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        assert np.hypot(column - seen(view, *place)[0], row - seen(view, *place)[1]) < 8
        green = heat[round(seen(view, *GREEN_ONE)[1]), round(seen(view, *GREEN_ONE)[0])]
        assert green < 0.8 * heat.max()


def test_cells_are_half_a_patch_wide_and_stand_where_their_pixels_are(finder):
    picture = np.full((64, 64, 3), 90, np.uint8)
    picture[20:24, 40:44] = 255  # one cell
    grid = finder.features(picture).grid
    assert grid.shape == (16, 16, 24)
    plain = finder.features(np.full((64, 64, 3), 90, np.uint8)).grid
    changed = (grid - plain).norm(dim=-1)
    assert np.unravel_index(int(changed.argmax()), (16, 16)) in {(5, 10), (4, 10), (5, 9), (5, 11), (6, 10)}


def test_a_picture_of_any_size_has_a_heat_map_of_its_own_size(finder):
    picture = np.random.default_rng(0).integers(0, 255, (50, 90, 3), dtype=np.uint8)
    features = finder.features(picture)
    heat = heat_map(features, features.at((89, 49)))
    assert heat.shape == (50, 90) and heat.max() <= 1.001 and heat[49, 89] > 0.9


@pytest.mark.parametrize("pixel", [(-1, 3), (3, -1), (SIZE[0], 3), (3, SIZE[1])])
def test_a_click_outside_the_picture_is_refused(finder, pixel):
    with pytest.raises(PointingError, match=r"lies outside the picture, which is 160 x 120 pixels"):
        finder.features(drawn("front", {})).at(pixel)


def test_an_encoder_whose_latents_are_slots_is_refused():
    slots = encoder(slots=4, slot_channels=3)
    with pytest.raises(PointingError, match="no place in the picture: use one of patch tokens"):
        DenseEncoder(slots)


def test_an_encoder_of_several_views_and_the_released_layout_serves_as_well():
    several = DenseEncoder(encoder(views=2, patch_size=16, tubelet_size=2))
    grid = several.features(drawn("front", {THERE: RED})).grid
    assert grid.shape == (8, 8, 24) and torch.isfinite(grid).all()
