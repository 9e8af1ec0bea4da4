"""Planning problems as they come up on the way to goal pictures: for comparing searches without a closed loop."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jepa_planner.learning.evaluation.policies import WorldModelPolicy
from jepa_planner.learning.evaluation.trials import TrialSettings, run_trials
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.solvers.noise import NoiseSource
from jepa_planner.planning.solvers.plan import Plan, PlanningProblem, Solver
from studies.sweep.sweep import TUNING_SEED


class RecordingSolver:
    """`Solver` that keeps every problem it is given, and lets another one solve it."""

    def __init__(self, inner: Solver) -> None:
        self._inner, self.horizon = inner, inner.horizon
        self.problems: list[PlanningProblem] = []

    def plan(self, problem: PlanningProblem, noise: NoiseSource, deadline_s: float = math.inf) -> Plan:
        """See `Solver.plan`."""
        self.problems.append(problem)
        return self._inner.plan(problem, noise, deadline_s)


def record_problems(
    model: WorldModel, planner_settings: PlannerSettings, task: str, count: int, scenes: int = 2
) -> list[PlanningProblem]:
    """So many problems, evenly spread over the steps that the model's own search takes in some tuning scenes.

    Fewer where it takes fewer steps.
    """
    recorder = RecordingSolver(planner_settings.search().solver())
    settings = TrialSettings(task, scenes, TUNING_SEED, stop_at_success=True)  # what follows is no way to a goal
    for _ in run_trials(WorldModelPolicy(model, planner_settings, solver=recorder), settings):
        pass
    return evenly(recorder.problems, count)


def evenly(problems: Sequence[PlanningProblem], count: int) -> list[PlanningProblem]:
    """So many of them, evenly spread; all where they are fewer."""
    count = min(count, len(problems))
    return [problems[index * len(problems) // count] for index in range(count)]
