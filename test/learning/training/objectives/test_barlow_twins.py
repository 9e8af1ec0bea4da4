import pytest
import torch
from batches import BATCH, FRAMES, NUMBERS, gaussian, loss

from jepa_planner.learning.training.objectives.barlow_twins import BarlowTwins, correlations


def test_correlations_are_those_of_numpy():
    one, other = gaussian(1)[:, 0], gaussian(2)[:, 0]
    expected = torch.corrcoef(torch.cat([one, other], dim=1).T)[:NUMBERS, NUMBERS:]
    torch.testing.assert_close(correlations(one, other), expected, atol=1e-5, rtol=1e-4)


def test_predictions_that_have_nothing_to_do_with_the_truth_cost_one_a_number():
    unrelated = gaussian(seed=7)[:, 1:]
    samples = BATCH * (FRAMES - 1)
    assert loss(BarlowTwins(redundancy=0.0), gaussian(), unrelated) == pytest.approx(1.0, abs=5 / samples**0.5)
    assert loss(BarlowTwins(redundancy=0.0), gaussian()) == pytest.approx(0.0, abs=1e-6)


def test_redundant_numbers_cost_the_weight_of_redundancy_each():
    same = gaussian()[..., :1].expand(-1, -1, NUMBERS)
    assert loss(BarlowTwins(redundancy=0.01), same) == pytest.approx(0.01 * (NUMBERS - 1), rel=1e-3)


def test_the_size_of_latents_does_not_matter():
    torch.testing.assert_close(
        loss(BarlowTwins(), 9.0 * gaussian()), loss(BarlowTwins(), gaussian()), rtol=1e-3, atol=1e-5
    )
