"""The one place where a controller is put together: nodes, evaluation, `plan` and benchmarks decide with the same."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jepa_planner.planning.controller import ControllerSettings, RecedingHorizonController
from jepa_planner.planning.decision import Goal
from jepa_planner.planning.out_of_distribution import MonitoredController, check_goal
from jepa_planner.planning.sub_goals import SubGoals
from jepa_planner.planning.verdict import Judge

if TYPE_CHECKING:
    from torch import Tensor

    from jepa_planner.core.observation import Observation
    from jepa_planner.model.contract import Contract
    from jepa_planner.model.contract_sections import OutOfDistributionSpec
    from jepa_planner.model.latent_statistics import LatentStatistics
    from jepa_planner.planning.energy import Energy
    from jepa_planner.planning.planner_settings import PlannerSettings
    from jepa_planner.planning.rollout_cost import RolloutCost
    from jepa_planner.planning.solvers.plan import Solver
    from jepa_planner.planning.sub_goals import ImagineMode, SubGoalHeadLike
    from jepa_planner.planning.verdict import VerdictHeadLike

Controller = RecedingHorizonController | MonitoredController

NO_STATISTICS = (
    "the model has no measure of what it does not know, so monitor_out_of_distribution does nothing: no picture, goal "
    "or outcome is monitored; `jepa-planner model out-of-distribution` adds one"
)
NO_VERDICT = "the model has no head that tells when the work is done: it goes by energies alone"


@dataclass(frozen=True)
class Asked:
    """What is asked for a goal image: actions allowed, and the energy at which it is reached; 0: the model's own."""

    budget_steps: int = 0
    tolerance: float = 0.0


@dataclass(frozen=True)
class ControllerFactory:
    """How goals are pursued with a model.

    planner_settings: those that go with the model. solver and deadline_s: theirs where None or 0. sub_goal_head: the
    bundle's; imagine_sub_goals says when it is used. latent_statistics: the bundle's; with it the work ends at what the
    model does not know, without it never. verdict_head: the bundle's; with it the work is done when objects lie as
    shown, without it when energies say so.
    """

    contract: Contract
    planner_settings: PlannerSettings
    cost: RolloutCost
    energy: Energy
    solver: Solver | None = None
    deadline_s: float = 0.0
    seed: int = 0
    sub_goal_head: SubGoalHeadLike | None = None
    imagine_sub_goals: ImagineMode = "auto"
    latent_statistics: LatentStatistics | None = None
    verdict_head: VerdictHeadLike | None = None

    def goals(self, shown: Iterable[Observation], requests: Sequence[Asked], max_steps: int = 0) -> list[Goal]:
        """Goals from what their pictures show, see `WorldModel.observe`; requests: one for each.

        Where nothing is asked, each has the actions that the settings recommend, and the last one as many as
        max_steps leaves, if that is not 0. Pictures are judged one by one, before the next is taken. Raises
        OutOfDistributionGoalError.
        """
        goals: list[Goal] = []
        tolerances = self.planner_settings.tolerances(len(requests))
        budget = self.planner_settings.steps_per_goal_image(self.imagine_sub_goals, len(requests), max_steps)
        budgets = [budget] * len(requests)
        if max_steps:
            budgets[-1] = max_steps
        for picture, wish, budget, tolerance in zip(shown, requests, budgets, tolerances, strict=True):
            picture = picture.to("cpu")
            self._check_in_distribution(picture.latent, len(goals) + 1)
            goals.append(Goal(picture, wish.budget_steps or budget, wish.tolerance or tolerance))
        return goals

    def controller(self, goals: Sequence[Goal], max_steps: int = 0) -> Controller:
        """One that has begun with goals; max_steps bounds their actions together, 0 does not."""
        contract, planner_settings = self.contract, self.planner_settings
        settings = ControllerSettings(
            context_frames=contract.context_frames,
            max_steps=max_steps,
            deadline_s=self.deadline_s or planner_settings.deadline_s or math.inf,
        )
        solver = self.solver or planner_settings.search().solver()
        controller = RecedingHorizonController(
            self.cost, solver, planner_settings.action_space(contract), self.energy, settings, self.seed,
            sub_goals=self._sub_goals(len(goals)), judge=self.judge(), progress=planner_settings.progress,
        )  # fmt: skip
        controller.start(goals)
        if self.latent_statistics is None:
            return controller
        return MonitoredController(controller, self.latent_statistics, self._limits, self.cost)

    def judge(self) -> Judge | None:
        """One that has judged nothing yet; None without a verdict head, or where the settings do not use it."""
        if self.verdict_head is None or self.planner_settings.verdict is None:
            return None
        if self.contract.verdict is None:
            raise ValueError("a verdict_head is given, and the contract has no verdict; expected the bundle's own head")
        return Judge(self.verdict_head, self.contract.verdict.head.edges_m, self.planner_settings.verdict)

    def _sub_goals(self, goals: int) -> SubGoals | None:
        """What imagines them for so many goal images; None where none are imagined."""
        settings = self.planner_settings.sub_goals
        if not self.planner_settings.imagines(self.imagine_sub_goals, goals) or settings is None:
            return None
        if self.sub_goal_head is None:
            raise ValueError("sub-goals are imagined, and no sub_goal_head is given; expected the bundle's own")
        return SubGoals(self.sub_goal_head, settings, goals)

    @property
    def _limits(self) -> OutOfDistributionSpec:
        """Of what latent_statistics tell."""
        if self.contract.out_of_distribution is None:
            raise ValueError("latent_statistics are given, and the contract has no out_of_distribution for them")
        return self.contract.out_of_distribution

    def _check_in_distribution(self, goal: Tensor, number: int) -> None:
        if self.latent_statistics is not None:
            check_goal(goal, self.latent_statistics, self._limits, f"goal image {number}")
