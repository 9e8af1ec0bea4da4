import pytest
import torch
from landscapes import OPTIMUM, SPACE, Recorder, quadratic

from jepa_planner.planning.solvers.mppi import MppiSettings, PathIntegral
from jepa_planner.planning.solvers.noise import SeededNoise
from jepa_planner.planning.solvers.plan import PlanningProblem


def search(landscape, **changes):
    settings = MppiSettings(**{"horizon": 2, "samples": 50, "iterations": 1, "noise_correlation": 0.0, **changes})
    return PathIntegral(settings).plan(PlanningProblem(landscape, SPACE), SeededNoise(0))


def test_the_mean_is_that_of_all_candidates_weighted_by_their_energies():
    landscape = Recorder(quadratic())
    plan = search(landscape, temperature=0.5)
    candidates = landscape.batches[0]
    energies = quadratic()(candidates)
    above = energies - energies.min()
    weights = torch.exp(-above / (0.5 * above.mean()))
    expected = (weights[:, None, None] * candidates).sum(dim=0) / weights.sum()
    assert torch.allclose(plan.means[0], expected, atol=1e-6)


def test_a_low_temperature_follows_the_best_and_a_high_one_the_crowd():
    landscape = Recorder(quadratic())
    cold, hot = search(landscape, temperature=1e-4).means[0], search(quadratic(), temperature=1e6).means[0]
    candidates = landscape.batches[0]
    assert torch.allclose(cold, candidates[quadratic()(candidates).argmin()], atol=1e-6)
    assert torch.allclose(hot, candidates.mean(dim=0), atol=1e-5)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_unit_of_the_energy_does_not_matter(factor):
    plain, scaled = search(quadratic(), iterations=3), search(lambda a: factor * quadratic()(a), iterations=3)
    assert torch.allclose(plain.actions, scaled.actions, atol=1e-5)


def test_the_spread_narrows_around_the_good_candidates_and_momentum_slows_it():
    quick = search(quadratic(), momentum_std=0.1, iterations=3).stds[-1][:, SPACE.free_axes]
    slow = search(quadratic(), momentum_std=0.9, iterations=3).stds[-1][:, SPACE.free_axes]
    assert quick.mean() < 0.5 * slow.mean() < 0.5 * SPACE.std.max()


def test_the_final_mean_is_the_plan_where_it_is_better_than_every_candidate():
    landscape = Recorder(quadratic())
    plan = search(landscape, samples=400, temperature=0.05)
    assert torch.equal(landscape.batches[-1][0], plan.means[-1])
    assert plan.energy < quadratic()(landscape.batches[0]).min()
    assert torch.equal(plan.actions, plan.means[-1])


def test_energies_that_are_all_the_same_leave_the_mean_of_the_candidates():
    plan = search(lambda actions: torch.ones(len(actions)))
    assert plan.means.isfinite().all() and plan.energy == 1.0


def test_the_best_candidate_goes_on_without_being_computed_again():
    """With next to no temperature the mean is the best known candidate, also when a later batch is worse."""
    calls = []

    def first_batch_is_good(actions: torch.Tensor) -> torch.Tensor:
        calls.append(actions)
        return quadratic()(actions) + (100.0 if len(calls) > 1 else 0.0)

    plan = search(first_batch_is_good, iterations=3, temperature=1e-4)
    best = calls[0][quadratic()(calls[0]).argmin()]
    assert torch.allclose(plan.means[-1], best, atol=1e-5) and torch.equal(plan.actions, best)
    assert (plan.actions - OPTIMUM).abs().max() < 1.0
