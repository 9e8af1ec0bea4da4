from dataclasses import replace
from functools import partial

import pytest
import torch

from jepa_planner.model.bundle import save_bundle
from jepa_planner.planning.action_space import ActionSpace
from jepa_planner.planning.solvers.cem import CemSettings
from jepa_planner.planning.solvers.gradient import GradientSettings
from jepa_planner.planning.solvers.mppi import MppiSettings
from jepa_planner.planning.solvers.noise import SeededNoise
from jepa_planner.planning.solvers.plan import PlanningProblem
from jepa_planner.planning.solvers.table import SETTINGS, SOLVER_NAMES
from studies.__main__ import main as study
from studies.search import planning_problems
from studies.search import verb as tune_search
from studies.search.search_comparison import (
    Candidate,
    EnergyResult,
    best_shapes,
    candidates,
    compare_energies,
    energy_table,
    missed_shares,
    success_table,
)
from studies.sweep.sweep import Cell, Result

from tiny_model import tiny_model, tiny_planner  # isort: skip

SPACE = ActionSpace((0.1, 0.1, 0.1, 0.0, 0.0, 0.0, 1.0))
PLANNING = replace(tiny_planner(), cem=CemSettings())


def problem(optimum: float) -> PlanningProblem:
    return PlanningProblem(lambda actions: (actions - optimum).square().sum(dim=(1, 2)), SPACE, None)


def result(missed: float, budget: int = 64, **shape) -> EnergyResult:
    return EnergyResult(Candidate(MppiSettings(**shape), budget), 64.0, 0.01, 1.0, missed)


def test_what_is_missed_is_a_share_of_what_could_be_found():
    found = torch.tensor([[1.0, 4.0, 5.0], [3.0, 2.0, 5.0]])
    still = torch.tensor([5.0, 6.0, 5.0])  # in the last problem there is nothing to find
    assert missed_shares(found, still).tolist() == pytest.approx([0.25, 0.25])


def test_a_larger_search_misses_less_and_time_and_evaluations_are_told():
    small, large = (Candidate(MppiSettings(samples=n, iterations=6), n) for n in (12, 100))
    ticks = []
    results = compare_energies([problem(0.05), problem(-0.03)], [small, large], lambda: ticks.append(1))
    assert results[1].missed < results[0].missed < 1.0 and results[1].energy < results[0].energy
    assert [r.evaluations for r in results] == [73, 601] and len(ticks) == 2
    assert all(r.seconds > 0 for r in results)


def test_every_named_search_comes_in_the_shapes_that_fit_the_budget_beside_the_models_own():
    found = candidates(PLANNING, ["mppi", "cem"], [48])
    assert found[0].search == PLANNING.cem and found[0].name == "cem (the model's)"
    shapes = {(c.name, c.search.samples, c.search.iterations) for c in found[1:]}
    assert shapes == {("mppi", 16, 3), ("mppi", 8, 6), ("cem", 16, 3), ("cem", 8, 6)}
    crowded = replace(PLANNING, cem=CemSettings(samples=64, seeded_candidates=("noop", "open", "close")))
    fitting = [(c.search.samples, c.search.iterations) for c in candidates(crowded, ["cem"], [18])[1:]]
    assert fitting == [(6, 3)]  # three samples would leave no room for random ones


@pytest.mark.parametrize("name", SOLVER_NAMES)
@pytest.mark.parametrize(("budget", "iterations"), [(100, 3), (600, 6)])
def test_a_sized_search_evaluates_about_as_often_as_its_budget(name, budget, iterations):
    search = SETTINGS[name](horizon=2).sized(budget, iterations)
    plan = search.solver().plan(problem(0.05), SeededNoise(0))
    assert 0.7 * budget < plan.evaluations < 1.2 * budget


def test_a_gradient_search_affords_more_starts_with_a_larger_budget():
    starts = [GradientSettings().sized(budget, 6).starts for budget in (16, 64, 256)]
    assert starts == [1, 2, 8]


def test_of_each_search_and_budget_the_better_shape_is_kept():
    shapes = [result(0.3, iterations=3), result(0.1, iterations=6), result(0.2, budget=128)]
    assert best_shapes(shapes) == shapes[1:]


def test_the_tables_name_search_shape_share_and_successes():
    own = EnergyResult(Candidate(PLANNING.cem), 4001.0, 0.5, 0.9, 0.12)
    energies = [own, result(0.25, samples=10, iterations=6), result(0.05, budget=128, samples=21, iterations=6)]
    table = energy_table(energies)
    assert "| search | 64 evaluations | 128 evaluations |" in table
    assert "| mppi | 25.0% (10 x 6, 10 ms) | 5.0% (21 x 6, 10 ms) |" in table
    assert "cem (the model's): 400 x 10, 4001 evaluations: 12.0% missed" in table
    successes = [
        Result(Cell(own.candidate.label, task, "standard", "dense"), 3, 4, 0.3, 0.95, 5.0, seconds)
        for task, seconds in (("reach", 0.1), ("push", 0.3))
    ]
    row = "| cem (the model's) | 400 x 10 | 4001 | 12.0% | 3/4 (30% to 95%) | 3/4 (30% to 95%) | 0.30 |"
    assert row in success_table(successes, energies)


def test_the_verb_records_compares_and_prints_both_tables(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tune_search, "TASKS", ("reach",))
    quick = partial(planning_problems.record_problems, scenes=1)
    monkeypatch.setattr(planning_problems, "record_problems", quick)
    model = tiny_model()
    save_bundle(tmp_path / "model", model.encoder, model.predictor, model.contract)
    tiny_planner().save(tmp_path / "model")
    threads = torch.get_num_threads()
    search = ["--solvers", "mppi", "icem", "--evaluations", "24", "--try-evaluations", "24", "--problems", "2"]
    trials = ["--episodes", "1", "--tasks", "reach", "--json", str(tmp_path / "table.json"), "--out", str(tmp_path)]
    assert study(["search", "--model", str(tmp_path / "model"), *search, *trials]) == 0
    torch.set_num_threads(threads)
    printed = capsys.readouterr().out
    assert "2 planning problems" in printed and "| icem |" in printed and "cem (the model's): 8 x 1" in printed
    assert "| search | size | evaluations | missed | reach | s per plan |" in printed
    assert (tmp_path / "table.json").stat().st_size > 100
