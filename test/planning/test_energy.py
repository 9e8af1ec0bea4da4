import pytest
import torch

from jepa_planner.planning.energy import (
    LATENT_ENERGIES,
    LastStepL1,
    LastStepMse,
    SummedL1,
    SummedMse,
    distance_to_goal,
    latent_energy,
)

GOAL = torch.zeros(2, 2)
NO_ACTION = torch.zeros(1, 2, 7)


def imagined(*step_values: float) -> torch.Tensor:
    """One candidate whose latents are the same number everywhere at each step."""
    return torch.stack([torch.full((2, 2), value) for value in step_values])[None]


@pytest.mark.parametrize(
    ("energy", "expected"), [(LastStepL1(), 3.0), (LastStepMse(), 9.0), (SummedL1(), 5.0), (SummedMse(), 13.0)]
)
def test_energies_measure_the_distance_to_the_goal(energy, expected):
    assert energy(imagined(2.0, -3.0), GOAL, NO_ACTION).tolist() == [expected]
    assert energy(imagined(0.0, 0.0), GOAL, NO_ACTION).tolist() == [0.0]


@pytest.mark.parametrize("kind", LATENT_ENERGIES)
def test_each_candidate_has_its_own_energy(kind):
    predicted = torch.randn(5, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    energies = latent_energy(kind)(predicted, GOAL, torch.zeros(5, 3, 7))
    assert energies.shape == (5,)
    one = latent_energy(kind)(predicted[2:3], GOAL, torch.zeros(1, 3, 7))
    assert torch.allclose(energies[2:3], one)


@pytest.mark.parametrize(("kind", "expected"), [("summed_mse", 4.0), ("last_step_l1", 2.0)])
def test_an_observation_is_measured_as_one_step_without_action(kind, expected):
    assert distance_to_goal(latent_energy(kind), torch.full((2, 2), 2.0), GOAL, 7) == expected


def test_an_unknown_energy_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'cosine' is unknown; known are last_step_l1"):
        latent_energy("cosine")
