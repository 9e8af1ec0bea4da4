from dataclasses import replace

import pytest
import torch
from batches import BATCH, FRAMES, NUMBERS, encoded, gaussian, generator

from jepa_planner.learning.training.objectives.appearance_invariance import AppearanceInvariance


def test_it_is_the_mean_squared_difference_of_two_variants():
    latents = gaussian()
    pairs = replace(encoded(latents), together=2)
    expected = (latents[0::2] - latents[1::2]).square().mean()
    torch.testing.assert_close(AppearanceInvariance()(pairs, generator()), expected)


def test_variants_that_agree_cost_nothing_whatever_else_is_shown():
    shared = torch.randn(BATCH // 2, 1, FRAMES, NUMBERS, generator=generator(1)).expand(-1, 2, -1, -1).flatten(0, 1)
    assert AppearanceInvariance()(replace(encoded(shared), together=2), generator()) == 0.0


def test_three_variants_count_as_much_as_two():
    latents = torch.randn(3000, 1, NUMBERS, generator=generator(1))
    two, three = (AppearanceInvariance()(replace(encoded(latents), together=count), generator()) for count in (2, 3))
    torch.testing.assert_close(two, three, rtol=0.05, atol=0.0)


@pytest.mark.parametrize("together", [1, 7])
def test_windows_that_are_no_variants_are_refused(together):
    with pytest.raises(
        ValueError, match=f"64 windows, {together} of each motion: expected at least two variants of each"
    ):
        AppearanceInvariance()(replace(encoded(gaussian()), together=together), generator())
