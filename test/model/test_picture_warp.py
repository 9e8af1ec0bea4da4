import math

import pytest
import torch
from torch.nn.functional import interpolate

from jepa_planner.core.strict_fields import FieldError, from_plain, to_plain
from jepa_planner.model.contract_sections import ImageSpec
from jepa_planner.model.picture_warp import UNMOVED, check_warp, matrices, warped
from jepa_planner.model.preprocess import preprocess

HALF_TO_THE_RIGHT = (1.0, 0.0, 0.5, 0.0, 1.0, 0.0, 0.0, 0.0)
TURNED = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
"""By a quarter: what is to the right in the model's picture lies at the bottom of the camera's."""


def pictures(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, (*shape, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_a_picture_that_is_shifted_shows_what_lay_beside_it_and_repeats_its_edge():
    seen = preprocess(pictures(1, 8, 8), (8, 8), warps=(HALF_TO_THE_RIGHT,))[0]
    plain = preprocess(pictures(1, 8, 8), (8, 8))[0]
    torch.testing.assert_close(seen[:, :, :6], plain[:, :, 2:])
    torch.testing.assert_close(seen[:, :, 6:], plain[:, :, -1:].expand(-1, -1, 2))


def test_each_view_is_warped_by_its_own_and_one_that_stays_is_not_touched():
    seen = preprocess(pictures(5, 2, 8, 8), (8, 8), warps=(UNMOVED, TURNED))
    plain = preprocess(pictures(5, 2, 8, 8), (8, 8))
    assert torch.equal(seen[:, 0], plain[:, 0])
    torch.testing.assert_close(seen[:, 1], plain[:, 1].flip(-1).transpose(-1, -2), atol=1e-4, rtol=0.0)


def test_a_large_picture_is_resized_on_the_way_as_one_that_is_not_warped():
    large = pictures(1, 24, 30)
    plain = interpolate(large[:, :, 3:27].movedim(-1, 1).float(), (8, 8), mode="bilinear")
    seen = warped(large[:, :, 3:27].movedim(-1, 1).float(), matrices(torch.tensor(UNMOVED)), (8, 8))
    torch.testing.assert_close(seen, plain, atol=1e-3, rtol=0.0)
    again = preprocess(large, (8, 8), warps=(UNMOVED,))
    torch.testing.assert_close(again, preprocess(large, (8, 8)), atol=1e-4, rtol=0.0)


def test_gradients_say_where_to_a_picture_should_be_shifted():
    smooth = torch.linspace(0.0, 1.0, 16).expand(1, 1, 16, 16)
    warp = torch.tensor(UNMOVED, requires_grad=True)
    warped(smooth, matrices(warp), (16, 16)).mean().backward()
    assert warp.grad is not None and warp.grad[2] > 0.1 and abs(float(warp.grad[5])) < 1e-6


@pytest.mark.parametrize(
    "warp",
    [
        (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0),
        (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.9, 0.0),
        (math.nan, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0),
        (0.0,) * 8,
    ],
    ids=["mirrored", "behind the camera", "not a number", "all in one place"],
)
def test_what_no_camera_could_see_is_refused(warp):
    with pytest.raises(ValueError, match="warp is"):
        check_warp(warp)
    with pytest.raises(FieldError, match="warp is"):
        from_plain(ImageSpec, {"height": 8, "width": 8, "views": ["front"], "warps": [list(warp)]})


def test_there_is_a_warp_for_each_view_or_none():
    with pytest.raises(ValueError, match="warps: 1 given; expected one for each of front, side, or none"):
        ImageSpec(height=8, width=8, views=("front", "side"), warps=(UNMOVED,))
    with pytest.raises(ValueError, match="a warp for each"):
        preprocess(pictures(5, 1, 8, 8), (8, 8), warps=(UNMOVED, UNMOVED))


def test_a_view_alone_keeps_its_warp():
    image = ImageSpec(height=8, width=8, views=("front", "side"), warps=(UNMOVED, TURNED))
    assert from_plain(ImageSpec, to_plain(image)) == image
    alone = image.of_views([1])
    assert (alone.views, alone.warps) == (("side",), (TURNED,))
    both = pictures(3, 2, 12, 12)
    torch.testing.assert_close(alone.pixels(both[:, [1]]), image.pixels(both)[:, [1]])
