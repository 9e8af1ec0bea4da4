"""A controller in a world of points, and what drives it."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from landscapes import SPACE, PointWorld, settings

from jepa_planner.core.observation import Observation
from jepa_planner.planning.controller import ControllerSettings, RecedingHorizonController
from jepa_planner.planning.decision import Decision, DecisionKind, Goal
from jepa_planner.planning.energy import SummedMse
from jepa_planner.planning.solvers.cem import CrossEntropyMethod
from jepa_planner.planning.solvers.plan import Plan, PlanningProblem

REACHED_ENERGY = 1e-4


def goal(*xyz: float, budget_steps: int = 10, tolerance: float = REACHED_ENERGY) -> Goal:
    return Goal(Observation(torch.tensor([xyz])), budget_steps, tolerance)


def controller(
    cost=None,
    solver=None,
    context_frames: int = 1,
    max_steps: int = 0,
    seed: int = 0,
    proposals=None,
    sub_goals=None,
    judge=None,
    progress=None,
    **search,
) -> RecedingHorizonController:
    return RecedingHorizonController(
        cost or PointWorld(),
        solver or CrossEntropyMethod(settings(**{"samples": 100, "iterations": 6, "elites": 8, **search})),
        SPACE,
        SummedMse(),
        ControllerSettings(context_frames, max_steps),
        seed,
        proposals,
        sub_goals,
        judge,
        progress,
    )


def observe(xyz: Sequence[float]) -> Observation:
    latent = torch.tensor([list(xyz)], dtype=torch.float32)
    return Observation(latent, state=torch.cat([latent[0], torch.zeros(5)]))


def run(
    control: RecedingHorizonController, goals: Sequence[Goal], most: int = 100
) -> tuple[list[Decision], np.ndarray]:
    """Obeys every decision in a world that does what it is told; returns the decisions and the last position."""
    control.start(goals)
    position, decisions = np.zeros(3), []
    for _ in range(most):
        decisions.append(control.step(observe(position)))
        if decisions[-1].kind is not DecisionKind.MOVE:
            return decisions, position
        position = position + decisions[-1].action[:3]
    raise AssertionError(f"no end after {most} steps")


class FixedPlan:
    """`Solver` that always gives the same actions and records what it was given; moves nothing by default."""

    def __init__(self, actions: torch.Tensor | None = None) -> None:
        self.actions = torch.zeros(2, 7) if actions is None else actions
        self.proposals: list[torch.Tensor | None] = []
        self.deadlines_s: list[float] = []
        self.horizon = len(self.actions)

    def plan(self, problem: PlanningProblem, noise, deadline_s=math.inf) -> Plan:
        self.proposals.append(problem.proposals)
        self.deadlines_s.append(deadline_s)
        problem.energy_of(self.actions[None])
        return Plan(self.actions, energy=1.0, evaluations=1, seconds=0.0)
