"""What holds for every solver: a known optimum is found, within bounds, repeatably, in time; faults are named."""

import math

import pytest
import torch
from landscapes import OPTIMUM, SPACE, Recorder, ScriptedClock, quadratic

from jepa_planner.planning.action_space import ActionSpace
from jepa_planner.planning.solvers.noise import SeededNoise
from jepa_planner.planning.solvers.plan import NonFiniteEnergyError, Plan, PlanningProblem, Solver
from jepa_planner.planning.solvers.table import SETTINGS, SOLVER_NAMES, SolverSections, name_of

SIZES = {
    "cem": {"samples": 60, "iterations": 10, "elites": 8, "use_warm_start": True, "answer": "best"},
    "icem": {"samples": 60, "iterations": 10, "elites": 8},
    "mppi": {"samples": 60, "iterations": 12, "momentum_std": 0.7, "noise_correlation": 0.0},
    "gradient": {"samples": 16, "iterations": 20},
    "seeded_cem": {"samples": 60, "iterations": 12, "elites": 10, "spread": 1.0, "noise_correlation": 0.0},
}

every_solver = pytest.mark.parametrize("name", SOLVER_NAMES)


def solver(name: str, clock=None, **changes) -> Solver:
    made = SETTINGS[name](**{"horizon": 2, **SIZES[name], **changes}).solver()
    return made if clock is None else type(made)(made.settings, clock)


def search(name: str, energy_of=None, seed: int = 0, space: ActionSpace = SPACE, tried=None, **given) -> Plan:
    deadline_s = given.pop("deadline_s", math.inf)
    problem = PlanningProblem(energy_of or quadratic(), space, tried)
    return solver(name, **given).plan(problem, SeededNoise(seed), deadline_s)


@every_solver
def test_a_solver_is_found_by_its_name_and_told_by_its_settings(name):
    settings = SolverSections().search(name)
    assert name_of(settings) == name and settings.solver().settings is settings


@every_solver
def test_the_optimum_of_a_known_landscape_is_found(name):
    plan = search(name)
    assert ((plan.actions - OPTIMUM).abs() / torch.tensor([0.1] * 6 + [1.0])).max() < 0.15
    assert plan.energy == pytest.approx(quadratic()(plan.actions[None]).item(), abs=1e-6)


@every_solver
def test_an_optimum_beyond_the_bounds_is_met_at_the_bounds_and_never_beyond(name):
    landscape = Recorder(quadratic(10.0 * OPTIMUM))
    plan = search(name, landscape)
    bound = torch.tensor(SPACE.max_abs)
    assert torch.allclose(plan.actions, OPTIMUM.sign() * bound, atol=0.04)
    candidates = torch.cat(landscape.batches)
    assert (candidates.abs() <= bound + 1e-7).all()
    assert (candidates[:, :, 3:6] == 0).all()


@every_solver
def test_the_same_seed_gives_the_same_plan_and_another_seed_another(name):
    far, short = quadratic(3.0 * OPTIMUM), {"samples": 200, "iterations": 2}
    plans = [search(name, far, seed, **short).actions for seed in (1, 1, 2)]
    assert torch.equal(plans[0], plans[1])
    assert not torch.equal(plans[0], plans[2])


@every_solver
def test_evaluations_are_counted_and_gradients_weigh_more(name):
    landscape = Recorder(quadratic())
    plan = search(name, landscape)
    counted = sum(len(batch) * (3 if batch.requires_grad else 1) for batch in landscape.batches)
    assert plan.evaluations == counted


@every_solver
def test_the_plan_is_as_long_as_the_horizon_says(name):
    assert solver(name, horizon=4).horizon == 4
    assert search(name, lambda actions: actions.square().sum(dim=(1, 2)), horizon=4).actions.shape == (4, 7)


@every_solver
def test_the_plan_is_no_worse_than_the_best_proposal(name):
    """A landscape like a needle: only who tries the given sequences finds it."""

    def needle(actions: torch.Tensor) -> torch.Tensor:
        return 1.0 - torch.exp(-1e6 * (actions - OPTIMUM).square().sum(dim=(1, 2)))

    others = torch.full((3, 2, 7), 0.01) * (torch.tensor(SPACE.max_abs) > 0)
    mean_is_tried = {"mean_as_candidate": True} if name == "cem" else {}
    for place in range(4):
        sequences = torch.cat([others[:place], OPTIMUM[None], others[place:]])
        assert search(name, needle, tried=sequences, **mean_is_tried).energy < 1e-3


@every_solver
def test_proposals_of_another_length_are_refused(name):
    with pytest.raises(ValueError, match=r"proposals are \[1, 3, 7\]; expected \[P, 2, 7\]"):
        search(name, tried=torch.zeros(1, 3, 7))


@every_solver
def test_the_gripper_dead_band_acts_on_the_plan(name):
    space = ActionSpace(SPACE.max_abs, gripper_deadband=0.5)
    plan = search(name, space=space)
    assert plan.actions[1, 6] == 0.0 and plan.actions[0, 6] > 0.5
    assert plan.energy == pytest.approx(quadratic()(plan.actions[None]).item(), abs=1e-6)


@every_solver
@pytest.mark.parametrize("batches", [1, 3])
def test_a_deadline_ends_the_search_with_the_best_so_far_after_the_batch_in_progress(name, batches):
    """Every batch takes a second: with a deadline in the middle of batch n, n are computed and no more."""
    clock = ScriptedClock()
    landscape = Recorder(quadratic(), clock)
    plan = search(name, landscape, deadline_s=batches - 0.5, clock=clock)
    assert len(landscape.batches) == batches
    assert plan.seconds == batches
    candidates = torch.cat([batch.detach() for batch in landscape.batches])
    assert plan.energy == pytest.approx(quadratic()(candidates).min().item(), abs=1e-7)
    assert quadratic()(plan.actions[None]).item() == pytest.approx(plan.energy, abs=1e-7)


@every_solver
def test_a_deadline_that_is_never_met_changes_nothing(name):
    assert torch.equal(search(name, deadline_s=1e9).actions, search(name).actions)


@every_solver
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("batch", [0, 1])
def test_an_energy_that_is_not_finite_is_named(name, bad, batch):
    landscape = Recorder(quadratic())

    def broken(actions: torch.Tensor) -> torch.Tensor:
        energies = landscape(actions)
        return energies if len(landscape.batches) <= batch else torch.full_like(energies, bad) + 0.0 * energies

    with pytest.raises(NonFiniteEnergyError, match="are NaN or infinite in"):
        search(name, broken)


@every_solver
def test_sizes_can_be_changed_and_elites_keep_their_share(name):
    settings = SETTINGS[name](**{"horizon": 2, **SIZES[name]})
    smaller = settings.resized(samples=settings.samples // 2, horizon=3)
    assert (smaller.samples, smaller.horizon, smaller.iterations) == (settings.samples // 2, 3, settings.iterations)
    if hasattr(settings, "elites"):
        assert smaller.elites == settings.elites // 2
    assert settings.resized() == settings


@every_solver
@pytest.mark.parametrize("change", [{"horizon": 0}, {"samples": 1}, {"iterations": 0}])
def test_impossible_sizes_are_refused_by_name(name, change):
    with pytest.raises(ValueError, match=f"^{next(iter(change))} is"):
        SETTINGS[name](**change)


@every_solver
def test_unknown_names_of_sequences_are_refused_where_they_stand(name):
    field = "seeded_candidates" if name == "cem" else "proposals"
    with pytest.raises(ValueError, match=f"^{field} is .*'dance'.*among noop, open, close, axes, diagonals"):
        SETTINGS[name](**{field: ("noop", "dance")})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("icem", {"elites": 1}),
        ("icem", {"kept_elites": 7}),
        ("icem", {"decay": 0.9}),
        ("icem", {"noise_exponent": -1.0}),
        ("icem", {"momentum": 1.0}),
        ("mppi", {"temperature": 0.0}),
        ("mppi", {"momentum_std": 1.0}),
        ("mppi", {"noise_correlation": 1.0}),
        ("gradient", {"starts": 17}),
        ("gradient", {"step": 0.0}),
        ("seeded_cem", {"elites": 17}),
        ("seeded_cem", {"kept_elites": -1}),
        ("seeded_cem", {"spread": 0.0}),
    ],
)
def test_impossible_settings_are_refused_by_name(name, change):
    with pytest.raises(ValueError, match=f"^{next(iter(change))} is"):
        SETTINGS[name](**change)
