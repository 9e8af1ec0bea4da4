import torch
from landscapes import OPTIMUM, SPACE, Recorder, quadratic

from jepa_planner.planning.solvers.icem import IcemSettings, ImprovedCem
from jepa_planner.planning.solvers.noise import SeededNoise
from jepa_planner.planning.solvers.plan import PlanningProblem

SETTINGS = IcemSettings(horizon=2, samples=40, iterations=4, elites=6, kept_elites=3, decay=1.5)


def search(landscape, tried=None, settings: IcemSettings = SETTINGS):
    return ImprovedCem(settings).plan(PlanningProblem(landscape, SPACE, tried), SeededNoise(0))


def test_each_iteration_has_fewer_candidates_but_never_fewer_than_twice_the_elites():
    landscape = Recorder(quadratic())
    search(landscape)
    assert [len(batch) for batch in landscape.batches] == [40, 26, 17, 12]
    assert [SETTINGS.samples_in(iteration) for iteration in (0, 9)] == [40, 12]


def test_kept_elites_shape_the_next_iteration_without_being_computed_again():
    landscape = Recorder(quadratic())
    plan = search(landscape)
    first, second = landscape.batches[:2]
    best = first[quadratic()(first).topk(3, largest=False).indices]
    assert not any(torch.equal(candidate, elite) for candidate in second for elite in best)
    pool = torch.cat([best, second])
    elites = pool[quadratic()(pool).topk(6, largest=False).indices]
    expected = elites.mean(dim=0) * (1.0 - SETTINGS.momentum) + plan.means[0] * SETTINGS.momentum
    assert torch.allclose(plan.means[1], expected, atol=1e-6)


def test_the_runners_up_begin_the_next_plan_shifted_by_a_step():
    landscape = Recorder(quadratic())
    plan = search(landscape)
    best = quadratic()(torch.cat(landscape.batches)).sort().values[:3]
    assert torch.allclose(quadratic()(torch.cat([plan.actions[None], plan.alternatives])), best)
    landscape = Recorder(quadratic(OPTIMUM.roll(-1, dims=0)))
    search(landscape, plan.shifted())
    assert torch.equal(landscape.batches[0][:3, 0], torch.stack([plan.actions[1], *plan.alternatives[:, 1]]))


def test_the_mean_is_a_candidate_of_the_last_iteration_alone():
    landscape = Recorder(quadratic())
    plan = search(landscape)
    for iteration in (1, 2, 3):
        tried = any(torch.equal(c, plan.means[iteration - 1]) for c in landscape.batches[iteration])
        assert tried == (iteration == 3)
