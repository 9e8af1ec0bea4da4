import pytest
import torch

from jepa_planner.planning.confirmation import ALL, confirmed, cuts_of
from jepa_planner.planning.solvers.cem import CemSettings
from jepa_planner.planning.solvers.gradient import GradientSettings
from jepa_planner.planning.solvers.mppi import MppiSettings


class Judge:
    """Knows the exact energies, and counts how many it was asked for."""

    def __init__(self, exact: torch.Tensor) -> None:
        self._exact, self.asked = exact, 0

    def __call__(self, chosen: torch.Tensor) -> torch.Tensor:
        self.asked += len(chosen)
        return self._exact[chosen]


def noisy(seed: int, noise: float, bias: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    exact = torch.randn(200, generator=generator)
    return exact, exact + bias + noise * torch.randn(200, generator=generator)


def lowest(energies: torch.Tensor, count: int) -> set[int]:
    return set(energies.topk(count, largest=False).indices.tolist())


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("noise", "bias"), [(0.0, 0.0), (0.01, 0.0), (0.01, 5.0), (0.1, -2.0), (3.0, 0.0)])
def test_the_candidates_before_each_cut_are_those_of_exact_energies(seed, noise, bias):
    exact, rough = noisy(seed, noise, bias)
    energies = confirmed(rough, (1, 4, 20), Judge(exact))
    assert all(lowest(energies, cut) == lowest(exact, cut) for cut in (1, 4, 20))
    assert energies.min() == exact.min()


def test_good_rough_energies_cost_little_and_bad_ones_everything():
    asked = []
    for noise in (0.003, 0.3, 10.0):
        exact, rough = noisy(0, noise)
        judge = Judge(exact)
        confirmed(rough, (1, 4, 20), judge)
        asked.append(judge.asked)
    assert asked[0] < 25
    assert asked[0] < asked[1] < 100
    assert asked[2] > 150


def test_no_candidate_is_looked_at_twice():
    exact, rough = noisy(0, 0.1)
    seen: list[int] = []

    def exact_of(chosen: torch.Tensor) -> torch.Tensor:
        seen.extend(chosen.tolist())
        return exact[chosen]

    confirmed(rough, (1, 20), exact_of)
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("where", ["rough", "exact"])
def test_energies_that_are_not_numbers_come_through(where):
    exact, rough = noisy(0, 0.01)
    (exact if where == "exact" else rough)[rough.argmin()] = torch.nan
    assert confirmed(rough, (1, 4), Judge(exact)).isnan().any()


def test_cuts_are_where_a_search_chooses():
    assert cuts_of(CemSettings(elites=16, kept_elites=4, samples=128)) == (4, 16)
    assert cuts_of(CemSettings(elites=16, answer="best")) == (1, 16)
    assert cuts_of(GradientSettings(starts=2)) == (1, 2)
    assert cuts_of(MppiSettings()) == (ALL,)
