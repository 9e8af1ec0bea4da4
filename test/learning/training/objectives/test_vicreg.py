import pytest
import torch
from batches import NUMBERS, gaussian, loss

from jepa_planner.learning.training.objectives.vicreg import Vicreg


def test_the_variance_term_is_how_far_spreads_fall_short_of_one():
    halved = gaussian() / gaussian().flatten(0, 1).std(dim=0) * 0.5
    assert loss(Vicreg(covariance=0.0), halved) == pytest.approx(0.5, abs=1e-3)
    assert loss(Vicreg(covariance=0.0), 6.0 * halved) == 0.0


def test_the_covariance_term_is_the_squared_covariance_of_different_numbers_over_their_count():
    one = gaussian()[..., :1]
    one = one / one.flatten(0, 1).std(dim=0)
    same = one.expand(-1, -1, NUMBERS)
    assert loss(Vicreg(variance=0.0, covariance=1.0), same) == pytest.approx(NUMBERS - 1, rel=1e-4)


def test_where_latents_lie_does_not_matter():
    torch.testing.assert_close(loss(Vicreg(), gaussian() + 5.0), loss(Vicreg(), gaussian()), rtol=1e-3, atol=1e-4)
