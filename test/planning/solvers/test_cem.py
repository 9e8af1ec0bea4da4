import pytest
import torch
from landscapes import OPTIMUM, SPACE, Recorder, quadratic, settings

from jepa_planner.planning.action_space import ActionSpace
from jepa_planner.planning.solvers.cem import CemSettings, CrossEntropyMethod
from jepa_planner.planning.solvers.noise import SeededNoise
from jepa_planner.planning.solvers.plan import NonFiniteEnergyError, Plan, PlanningProblem


def search(seed: int = 0, energy_of=None, space: ActionSpace = SPACE, proposals=None, **changes) -> Plan:
    problem = PlanningProblem(energy_of or quadratic(), space, proposals)
    return CrossEntropyMethod(settings(**changes)).plan(problem, SeededNoise(seed))


@pytest.mark.parametrize("answer", ["mean", "best"])
def test_the_optimum_of_a_known_landscape_is_found(answer):
    plan = search(answer=answer)
    assert (plan.actions - OPTIMUM).abs().max() < 0.02
    assert plan.energy == pytest.approx(quadratic()(plan.actions[None]).item())


def test_the_same_seed_gives_the_same_plan_and_another_seed_another():
    assert torch.equal(search(seed=1).actions, search(seed=1).actions)
    assert not torch.equal(search(seed=1).actions, search(seed=2).actions)


def test_the_spread_shrinks_around_the_optimum():
    plan = search()
    assert plan.means.shape == plan.stds.shape == (12, 2, 7)
    free = plan.stds[:, :, SPACE.free_axes]
    assert (free[-1] < 0.2 * free[0]).all()


def test_an_optimum_beyond_the_bounds_is_met_at_the_bounds():
    plan = search(energy_of=quadratic(10.0 * OPTIMUM))
    bound = torch.tensor(SPACE.max_abs)
    assert (plan.actions.abs() <= bound).all()
    assert torch.allclose(plan.actions, 10.0 * OPTIMUM.sign() * bound / 10.0, atol=0.03)


def test_no_candidate_leaves_the_bounds_and_held_axes_never_move():
    landscape = Recorder(quadratic())
    search(energy_of=landscape, proposals=torch.full((1, 2, 7), 9.0), use_warm_start=True, mean_as_candidate=True)
    candidates = torch.cat(landscape.batches)
    assert (candidates.abs() <= torch.tensor(SPACE.max_abs) + 1e-7).all()
    assert (candidates[:, :, 3:6] == 0).all()


def test_the_gripper_dead_band_acts_on_the_plan_and_not_on_the_search():
    landscape = Recorder(quadratic())
    space = ActionSpace(SPACE.max_abs, gripper_deadband=0.5)
    plan = search(energy_of=landscape, space=space)
    assert plan.actions[0, 6] == pytest.approx(0.6, abs=0.05)
    assert plan.actions[1, 6] == 0.0
    gripper = landscape.batches[0][:, :, 6].abs()
    assert ((gripper > 0) & (gripper < 0.5)).any()
    assert plan.energy == pytest.approx(quadratic()(plan.actions[None]).item())


def test_a_warm_start_is_the_first_mean_only_when_asked_for():
    narrow = ActionSpace(SPACE.max_abs, initial_std=(1e-4,) * 7)
    given = {"space": narrow, "proposals": OPTIMUM[None], "iterations": 1}
    assert torch.allclose(search(use_warm_start=True, **given).actions, OPTIMUM, atol=1e-3)
    assert torch.allclose(search(**given).actions, torch.zeros(2, 7), atol=1e-3)


def test_the_mean_is_a_candidate_when_asked_for():
    landscape = Recorder(quadratic())
    plan = search(
        energy_of=landscape, mean_as_candidate=True, proposals=OPTIMUM[None], use_warm_start=True, answer="best"
    )
    assert (landscape.batches[0] == OPTIMUM).all(dim=(1, 2)).sum() == 1
    assert torch.allclose(plan.actions, OPTIMUM, atol=1e-6)
    assert plan.energy == pytest.approx(0.0, abs=1e-9)


def test_kept_elites_come_back_in_the_next_iteration():
    landscape = Recorder(quadratic())
    search(energy_of=landscape, kept_elites=3, iterations=2)
    first, second = landscape.batches[:2]
    best = first[quadratic()(first).topk(3, largest=False).indices]
    assert torch.equal(second[:3], best)


def test_seeded_candidates_take_part_in_every_iteration():
    landscape = Recorder(quadratic())
    search(energy_of=landscape, seeded_candidates=("noop", "open", "close"), iterations=2)
    for batch in landscape.batches[:2]:
        assert batch[:3, 0, 6].tolist() == [0.0, -1.0, 1.0]
        assert len(batch) == 200


def test_noise_is_correlated_over_the_horizon_when_asked_for():
    landscape = Recorder(quadratic())
    unclipped = ActionSpace(SPACE.max_abs, initial_std=(0.01,) * 7)
    search(energy_of=landscape, space=unclipped, noise_correlation=0.9, samples=4000, iterations=1)
    correlation = torch.corrcoef(landscape.batches[0][:, :, 0].T)[0, 1]
    assert correlation == pytest.approx(0.9, abs=0.02)


def test_momentum_keeps_that_share_of_the_old_mean_for_arm_and_gripper_apart():
    given = {"iterations": 1, "proposals": OPTIMUM[None], "use_warm_start": True}
    free = search(momentum_mean=0.0, momentum_mean_gripper=0.0, **given).means[0]
    held = search(momentum_mean=0.5, momentum_mean_gripper=0.25, **given).means[0]
    share = torch.tensor([0.5] * 6 + [0.25])
    assert torch.allclose(held, free * (1 - share) + OPTIMUM * share, atol=1e-6)


def test_evaluations_are_counted_with_the_final_plan():
    landscape = Recorder(quadratic())
    plan = search(energy_of=landscape, iterations=3)
    assert plan.evaluations == sum(len(batch) for batch in landscape.batches) == 601
    assert plan.seconds > 0


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_an_energy_that_is_not_finite_is_named(bad):
    def broken(actions: torch.Tensor) -> torch.Tensor:
        energies = quadratic()(actions)
        energies[3:5] = bad
        return energies

    with pytest.raises(NonFiniteEnergyError, match="2 of 200 energies are NaN or infinite in iteration 1"):
        search(energy_of=broken)


def test_a_broken_energy_of_the_final_plan_is_named():
    def broken_alone(actions: torch.Tensor) -> torch.Tensor:
        return quadratic()(actions) if len(actions) > 1 else torch.tensor([float("nan")])

    with pytest.raises(NonFiniteEnergyError, match="the final plan"):
        search(energy_of=broken_alone)


def test_further_proposals_are_tried_in_every_iteration_when_a_warm_start_is_asked_for():
    landscape = Recorder(quadratic())
    others = 0.01 * torch.ones(2, 2, 7) * (torch.tensor(SPACE.max_abs) > 0)
    search(energy_of=landscape, proposals=torch.cat([OPTIMUM[None], others]), use_warm_start=True, iterations=2)
    for batch in landscape.batches[:2]:
        assert torch.equal(batch[:2], others)


def test_a_best_candidate_that_the_dead_band_leaves_alone_is_not_computed_again():
    landscape = Recorder(quadratic())
    plan = search(energy_of=landscape, iterations=3, answer="best")
    assert plan.evaluations == sum(len(batch) for batch in landscape.batches) == 600


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"horizon": 0}, "horizon"),
        ({"iterations": 0}, "iterations"),
        ({"elites": 1}, "elites"),
        ({"elites": 401}, "elites"),
        ({"kept_elites": 11}, "kept_elites"),
        ({"samples": 11, "elites": 10, "kept_elites": 10, "mean_as_candidate": True}, "samples"),
        ({"noise_correlation": 1.0}, "noise_correlation"),
        ({"momentum_mean": 1.0}, "momentum_mean"),
        ({"momentum_std_gripper": -0.1}, "momentum_std_gripper"),
        ({"answer": "median"}, "answer"),
    ],
)
def test_impossible_settings_are_refused_by_name(changes, name):
    with pytest.raises(ValueError, match=f"^{name} is"):
        CemSettings(**changes)
