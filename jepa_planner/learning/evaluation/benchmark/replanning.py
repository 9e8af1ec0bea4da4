"""How often a controller can observe and plan."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from jepa_planner.core.context import Context
from jepa_planner.core.observation import Observation
from jepa_planner.learning.evaluation.benchmark.encoding import noise_pictures
from jepa_planner.learning.evaluation.benchmark.subjects import bundle_subject
from jepa_planner.learning.evaluation.benchmark.tables import Table, milliseconds
from jepa_planner.learning.evaluation.benchmark.timing import Timing
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.confirmation import cuts_of
from jepa_planner.planning.decision import Goal
from jepa_planner.planning.factory import ControllerFactory
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.rollout_cost import WorldModelCost
from jepa_planner.planning.solvers.settings import SearchSettings
from jepa_planner.planning.solvers.table import name_of

STEPS_PER_GOAL = 5


@dataclass(frozen=True)
class Replanning:
    """Observes and plans one after the other: seconds of each from the picture to the plan, of which the search, and
    evaluations of a search.
    """

    backend: str
    dtype: str
    solver: str
    samples: int
    iterations: int
    horizon: int
    evaluations: int
    observe_and_plan: Timing
    search: Timing

    @property
    def rate_hz(self) -> float:
        """With the median."""
        return 1.0 / self.observe_and_plan.p50_s


def time_replanning(
    model: WorldModel,
    settings: PlannerSettings,
    search: SearchSettings,
    plans: int,
    advance: Callable[[], object] = lambda: None,
) -> Replanning:
    """The controller as evaluation and nodes run it, in a world that behaves as imagined; the first goal warms up.

    Pictures of noise are encoded, but what the controller gets to see is where its last action led in the rollout: so
    it is on its way to goals within reach, as in use, with no simulator needed.
    """
    subject, pictures = bundle_subject(model, settings), noise_pictures(model.contract.image)
    factory = ControllerFactory(
        model.contract, settings, WorldModelCost(model, subject.energy, cuts_of(settings.search())),
        subject.energy, search.solver(), imagine_sub_goals="never",
    )  # fmt: skip
    seconds: list[float] = []
    searches: list[float] = []
    evaluations = 0
    for number in range(1 + math.ceil(plans / STEPS_PER_GOAL)):
        problem = subject.problem(seed=number)
        goal = Goal(Observation(problem.goal.cpu()), budget_steps=STEPS_PER_GOAL, tolerance=0.0)
        controller = factory.controller([goal])
        latent, state = problem.context.latents[-1].cpu(), problem.context.states[-1].cpu()
        for _ in range(STEPS_PER_GOAL):
            began_s = time.perf_counter()
            model.encode(pictures)
            decision = controller.step(Observation(latent, state=state))
            seconds.append(time.perf_counter() - began_s)
            if decision.plan is None:
                raise ValueError(f"{model.contract.name} cannot be timed: {decision.message}")
            searches.append(decision.plan.seconds)
            evaluations = decision.plan.evaluations
            action = decision.plan.actions[:1]
            latent = _imagined(model, latent, state, action)
            advance()
    return Replanning(
        model.backend, model.engine.dtype, name_of(search), search.samples, search.iterations, search.horizon,
        evaluations, *(Timing(tuple(taken[STEPS_PER_GOAL:][:plans])) for taken in (seconds, searches)),
    )  # fmt: skip


@torch.inference_mode()
def _imagined(model: WorldModel, latent: torch.Tensor, state: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
    nothing_before = torch.zeros(0, action.shape[-1])
    return model.rollout(Context(latent[None], state[None], nothing_before), action[None])[0, 0].cpu()


def replanning_table(results: Sequence[Replanning]) -> Table:
    """A row per way of planning."""
    columns = ("observe and plan", "evaluations", "median, ms", "95 %, ms", "Hz")
    rows = []
    for result in results:
        size = f"{result.solver} {result.samples} x {result.iterations}, horizon {result.horizon}"
        timing = result.observe_and_plan
        rows.append(
            (
                f"{size}, {result.backend}, {result.dtype}", str(result.evaluations), milliseconds(timing.p50_s),
                milliseconds(timing.p95_s), f"{result.rate_hz:.1f}",
            )
        )  # fmt: skip
    return Table("Replanning, from the picture to the plan", columns, tuple(rows))
