import torch
from tiny_model import tiny_model, tiny_planner

from jepa_planner.planning.action_space import ActionSpace
from jepa_planner.planning.solvers.mppi import MppiSettings
from jepa_planner.planning.solvers.noise import SeededNoise
from jepa_planner.planning.solvers.plan import PlanningProblem
from studies.search.planning_problems import RecordingSolver, evenly, record_problems

SPACE = ActionSpace((0.1, 0.1, 0.1, 0.0, 0.0, 0.0, 1.0))


def squares(actions: torch.Tensor) -> torch.Tensor:
    return actions.square().sum(dim=(1, 2))


def test_a_recording_changes_no_plan_and_its_problem_can_be_solved_again():
    search, proposals = MppiSettings(horizon=2), 0.05 * torch.ones(1, 2, 7)
    recorder = RecordingSolver(search.solver())
    plan = recorder.plan(PlanningProblem(squares, SPACE, proposals), SeededNoise(3))
    (problem,) = recorder.problems
    assert torch.equal(search.solver().plan(problem, SeededNoise(3)).actions, plan.actions)


def test_problems_are_spread_over_what_was_recorded():
    assert evenly(range(10), 4) == [0, 2, 5, 7]
    assert evenly(range(3), 5) == [0, 1, 2]


def test_problems_are_those_of_trials_and_stay_what_they_were():
    settings = tiny_planner(steps_per_sub_goal=1)
    problems = record_problems(tiny_model(), settings, "reach", count=5, scenes=1)
    assert len(problems) == 5
    assert len(problems[0].proposals) == 0 and len(problems[1].proposals) == 1
    candidates = 0.05 * torch.ones(1, 2, 7)
    energies = [problem.energy_of(candidates).item() for problem in problems]
    assert len(set(energies)) == 5
    assert energies == [problem.energy_of(candidates).item() for problem in problems]
