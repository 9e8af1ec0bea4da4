import pytest
import torch
from landscapes import OPTIMUM, SPACE, Recorder, quadratic

from jepa_planner.planning.solvers.gradient import GradientRefinement, GradientSettings
from jepa_planner.planning.solvers.noise import SeededNoise
from jepa_planner.planning.solvers.plan import NonFiniteEnergyError, PlanningProblem


def search(landscape, tried=None, **changes):
    settings = GradientSettings(**{"horizon": 2, "samples": 8, "iterations": 10, "starts": 2, **changes})
    return GradientRefinement(settings).plan(PlanningProblem(landscape, SPACE, tried), SeededNoise(0))


def test_the_best_first_candidates_are_refined_and_no_others():
    landscape = Recorder(quadratic())
    search(landscape, starts=3)
    first, refined = landscape.batches[0], landscape.batches[1]
    assert refined.requires_grad and len(refined) == 3
    assert torch.equal(refined.detach(), first[quadratic()(first).topk(3, largest=False).indices])


def test_ten_steps_come_nearer_than_as_many_evaluations_of_random_candidates():
    landscape = Recorder(quadratic())
    plan = search(landscape)
    assert plan.energy < 0.1 * search(quadratic(), samples=plan.evaluations, iterations=1, step=1e-6).energy


def test_axes_of_different_units_move_by_the_same_share_of_their_spread():
    landscape = Recorder(quadratic())
    search(landscape, iterations=1, step=0.1, starts=1, proposals=())
    before, after = landscape.batches[1].detach(), landscape.batches[2]
    share = ((after - before) / torch.tensor([x or 1.0 for x in SPACE.max_abs]))[:, :, SPACE.free_axes].abs()
    inside = (after.abs() < 0.999 * torch.tensor(SPACE.max_abs))[:, :, SPACE.free_axes]
    assert torch.allclose(share[inside], torch.tensor(0.1), atol=1e-3) and inside.sum() > 4


def test_energies_without_a_gradient_are_refused_in_words():
    with pytest.raises(ValueError, match="carry no gradient: the predictor must run in this process, in torch"):
        search(lambda actions: quadratic()(actions.detach()))


def test_a_gradient_that_is_not_finite_is_named():
    def steep(actions: torch.Tensor) -> torch.Tensor:
        return (actions - actions.detach()).abs().sqrt().sum(dim=(1, 2))

    with pytest.raises(NonFiniteEnergyError, match="gradient entries are NaN or infinite in iteration 2"):
        search(steep)


def test_a_start_at_the_optimum_stays_there():
    plan = search(quadratic(), OPTIMUM[None])
    assert plan.energy == 0.0 and torch.equal(plan.actions, OPTIMUM)
