import pytest
import torch

from jepa_planner.planning.solvers.noise import SeededNoise, colour, correlate_in_time


def test_a_seed_repeats_its_draws_and_another_does_not():
    shape = (2, 5, 4)
    assert torch.equal(SeededNoise(3)(shape), SeededNoise(3)(shape))
    assert not torch.equal(SeededNoise(3)(shape), SeededNoise(4)(shape))


def test_a_source_goes_on_instead_of_repeating_itself():
    noise = SeededNoise(0)
    assert not torch.equal(noise((1, 5, 4)), noise((1, 5, 4)))


def test_correlated_draws_have_the_correlation_and_stay_standard_normal():
    draws = correlate_in_time(SeededNoise(0)((3, 40_000, 1)), 0.8)[..., 0]
    assert torch.allclose(draws.std(dim=1), torch.ones(3), atol=0.02)
    correlation = torch.corrcoef(draws)
    assert correlation[0, 1] == pytest.approx(0.8, abs=0.02)
    assert correlation[0, 2] == pytest.approx(0.64, abs=0.02)


def test_no_correlation_leaves_draws_alone():
    draws = SeededNoise(0)((3, 4, 2))
    assert torch.equal(correlate_in_time(draws, 0.0), draws)


def test_coloured_draws_stay_standard_normal_and_keep_their_direction_the_longer_the_larger_the_exponent():
    neighbours = []
    for exponent in (0.5, 1.0, 2.0, 4.0):
        draws = colour(SeededNoise(0)((4, 40_000, 1)), exponent)[..., 0]
        assert torch.allclose(draws.std(dim=1), torch.ones(4), atol=0.02)
        correlation = torch.corrcoef(draws)
        assert correlation[0, 1] > correlation[0, 2]
        neighbours.append(correlation[0, 1].item())
    assert neighbours == sorted(neighbours) and neighbours[-1] > 0.7


def test_coloured_noise_has_the_spectral_density_of_its_exponent():
    draws = colour(SeededNoise(0)((64, 4000, 1)), 2.0)[..., 0]
    power = torch.fft.rfft(draws * torch.hann_window(64)[:, None], dim=0).abs().square().mean(dim=1)
    slope = (power[16].log() - power[4].log()) / torch.tensor(4.0).log()
    assert slope == pytest.approx(-2.0, abs=0.2)


@pytest.mark.parametrize("horizon", [1, 3])
def test_white_noise_is_left_alone_and_a_single_step_has_no_colour(horizon):
    draws = SeededNoise(0)((horizon, 4, 2))
    assert torch.equal(colour(draws, 0.0), draws)
    assert horizon > 1 or torch.allclose(colour(draws, 2.0), draws)
