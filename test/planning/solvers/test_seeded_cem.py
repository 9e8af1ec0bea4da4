import torch
from landscapes import OPTIMUM, SPACE, Recorder, quadratic

from jepa_planner.planning.solvers.noise import SeededNoise
from jepa_planner.planning.solvers.plan import PlanningProblem
from jepa_planner.planning.solvers.proposals import named_proposals
from jepa_planner.planning.solvers.seeded_cem import SeededCem, SeededCemSettings


def search(landscape, tried=None, **changes):
    settings = SeededCemSettings(**{"horizon": 2, "samples": 16, "iterations": 4, **changes})
    return SeededCem(settings).plan(PlanningProblem(landscape, SPACE, tried), SeededNoise(0))


def test_all_proposals_are_tried_first_also_when_they_are_more_than_the_samples():
    landscape = Recorder(quadratic())
    given = 0.01 * torch.ones(7, 2, 7) * (torch.tensor(SPACE.max_abs) > 0)
    search(landscape, given, samples=6)
    named = named_proposals(SeededCemSettings().proposals, SPACE, 2)
    assert torch.equal(landscape.batches[0], torch.cat([given, named]))
    assert [len(batch) for batch in landscape.batches[1:]] == [6, 6, 6]


def test_random_candidates_around_the_proposals_make_up_the_number():
    landscape = Recorder(quadratic())
    search(landscape, OPTIMUM[None], samples=5, proposals=("close",), spread=0.01)
    first = landscape.batches[0]
    assert len(first) == 5
    assert torch.equal(first[0], OPTIMUM)
    assert (first[2] - first[0]).abs().max() < 0.05 and (first[3] - first[1]).abs().max() < 0.05


def test_the_search_goes_on_around_the_best_proposal():
    landscape = Recorder(quadratic())
    near = 0.9 * OPTIMUM
    plan = search(landscape, near[None], spread=0.05)
    assert (landscape.batches[1] - near).abs().max() < 0.3
    assert plan.energy < quadratic()(near[None]).item()


def test_one_iteration_is_a_choice_among_the_proposals():
    plan = search(quadratic(), OPTIMUM[None], iterations=1)
    assert torch.equal(plan.actions, OPTIMUM) and plan.means is None
