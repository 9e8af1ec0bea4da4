import math

import pytest
import torch

from jepa_planner.planning.contrast import Contrast

ACTIONS = torch.arange(4.0)[:, None, None].expand(4, 2, 7)


def contrast(*energies: float, actions: torch.Tensor = ACTIONS) -> Contrast:
    noted = Contrast()
    noted.note(actions[: len(energies)], torch.tensor(energies))
    return noted


@pytest.mark.parametrize("energies", [(0.5, 0.5, 0.5), (0.0, 0.0, 0.0), (-3.0, -3.0, -3.0), (1e6, 1e6 + 0.5, 1e6)])
def test_energies_that_differ_by_rounding_alone_are_flat(energies):
    assert contrast(*energies).is_flat


@pytest.mark.parametrize("energies", [(0.5, 0.50001, 0.5), (0.0, 1e-12, 0.0), (-1.0, 1.0, 0.0), (1e6, 1e6 + 5.0, 1e6)])
def test_energies_that_differ_by_more_are_not(energies):
    assert not contrast(*energies).is_flat


def test_one_batch_that_differs_is_enough():
    noted = contrast(0.5, 0.5, 0.5)
    noted.note(ACTIONS[:1], torch.tensor([0.6]))
    assert not noted.is_flat


def test_energies_with_a_gradient_are_of_another_rounding_and_not_compared():
    noted = contrast(0.5, 0.5, 0.5)
    noted.note(ACTIONS.clone().requires_grad_(), torch.full((4,), 0.501))
    assert noted.is_flat


@pytest.mark.parametrize("actions", [ACTIONS[:1], torch.ones(4, 2, 7)], ids=["one candidate", "the same candidates"])
def test_actions_that_do_not_differ_say_nothing_about_the_model(actions):
    assert not contrast(*[0.5] * len(actions), actions=actions).is_flat


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_energies_that_are_not_finite_are_another_matter(bad):
    assert not contrast(bad, bad, bad).is_flat
    assert not contrast(0.5, bad, 0.5).is_flat


def test_the_words_say_how_many_and_which_energy():
    assert "the energies of 3 candidates are all 0.5" in str(contrast(0.5, 0.5, 0.5))
