"""Planning problems as they come up on the way to goal pictures: for comparing searches without a closed loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jepa_planner.learning.evaluation.policies import WorldModelPolicy
from jepa_planner.learning.evaluation.trials import TrialSettings, run_trials
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.action_space import ActionSpace
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.solvers.noise import NoiseSource, SeededNoise
from jepa_planner.planning.solvers.optimisers import optimiser_of
from jepa_planner.planning.solvers.plan import EnergyFunction, Optimiser, Plan
from jepa_planner.planning.solvers.settings import SearchSettings
from studies.sweep.sweep import TUNING_SEED


@dataclass(frozen=True)
class PlanningProblem:
    """One moment of a trial: the energy toward the goal picture pursued then, and what was left of the plan before."""

    energy_of: EnergyFunction
    action_space: ActionSpace
    proposals: Tensor | None

    def solve(self, search: SearchSettings, seed: int) -> Plan:
        """The plan of a search."""
        return optimiser_of(search).plan(self.energy_of, self.action_space, self.proposals, SeededNoise(seed))

    def energy_of_no_action(self, horizon: int) -> float:
        """What doing nothing leads to."""
        return self.energy_of(torch.zeros(1, horizon, len(self.action_space.max_abs))).item()


class RecordingOptimiser:
    """`Optimiser` that keeps every problem it is given, and lets another one solve it."""

    def __init__(self, inner: Optimiser) -> None:
        self._inner, self.horizon = inner, inner.horizon
        self.problems: list[PlanningProblem] = []

    def plan(
        self,
        energy_of: EnergyFunction,
        action_space: ActionSpace,
        proposals: Tensor | None,
        noise: NoiseSource,
        deadline_s: float = math.inf,
    ) -> Plan:
        """See `Optimiser.plan`."""
        self.problems.append(PlanningProblem(energy_of, action_space, proposals))
        return self._inner.plan(energy_of, action_space, proposals, noise, deadline_s)


def record_problems(
    model: WorldModel, planner: PlannerSettings, task: str, count: int, scenes: int = 2
) -> list[PlanningProblem]:
    """So many problems, evenly spread over the steps that the model's own search takes in some tuning scenes.

    Fewer where it takes fewer steps.
    """
    recorder = RecordingOptimiser(optimiser_of(planner.search()))
    settings = TrialSettings(task, scenes, TUNING_SEED, stop_at_success=True)  # what follows is no way to a goal
    for _ in run_trials(WorldModelPolicy(model, planner, optimiser=recorder), settings):
        pass
    return evenly(recorder.problems, count)


def evenly(problems: Sequence[PlanningProblem], count: int) -> list[PlanningProblem]:
    """So many of them, evenly spread; all where they are fewer."""
    count = min(count, len(problems))
    return [problems[index * len(problems) // count] for index in range(count)]
