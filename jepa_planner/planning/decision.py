"""What a controller pursues, and what it decides."""

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from torch import Tensor

from jepa_planner.core.observation import Observation
from jepa_planner.planning.candidates import Candidates
from jepa_planner.planning.solvers.plan import Plan
from jepa_planner.planning.sub_goals import SubGoal
from jepa_planner.planning.verdict import Verdict


class DecisionKind(Enum):
    """What the caller has to do: execute the action, or hold because the work has ended."""

    MOVE = "move"
    REACHED = "reached"
    GAVE_UP = "gave up"


class Reason(Enum):
    """Why a decision is what it is; the value says it in words."""

    ON_THE_WAY = "moving toward the goal image"
    REACHED = "the last goal image is reached"
    BUDGET_SPENT = "the steps allowed are spent"
    STALLED = "nothing brings the goal nearer"
    INVALID_LATENT = "the observed latent holds NaN or infinite numbers"
    INVALID_STATE = "the arm state holds NaN or infinite numbers"
    INVALID_ENERGY = "the energies cannot be planned with"
    INVALID_PLAN = "the plan is not finite or leaves the action bounds"
    UNFAMILIAR_IMAGE = "the picture is unlike what the model was trained on"
    UNFAMILIAR_GOAL = "a goal image is unlike what the model was trained on"
    SURPRISED = "what came is not what was imagined"


OUT_OF_DISTRIBUTION = (Reason.UNFAMILIAR_IMAGE, Reason.UNFAMILIAR_GOAL, Reason.SURPRISED)
"""Reasons of a monitored controller."""


@dataclass(frozen=True)
class Goal:
    """One goal image: what it shows, actions allowed for it, and the energy at which it counts as reached."""

    shown: Observation
    budget_steps: int
    tolerance: float

    @property
    def latent(self) -> Tensor:
        """That of the picture, [N, D]."""
        return self.shown.latent

    def __post_init__(self) -> None:
        if self.budget_steps < 1:
            raise ValueError(f"budget_steps is {self.budget_steps}; a goal image needs at least 1 step")
        if not self.tolerance >= 0.0:
            raise ValueError(f"tolerance is {self.tolerance}; expected an energy >= 0")
        if not self.latent.isfinite().all():
            raise ValueError("the goal's latent holds NaN or infinite numbers")


@dataclass(frozen=True)
class Decision:
    """What to do now, and what led to it.

    action [A] float32 for MOVE, else None; plan: whole plan for MOVE; energy from the observation to the
    pursued goal; sub_goal: index of that goal; steps count actions, the present one included; imagined: what is
    planned for instead of the goal itself, where sub-goals are imagined; verdict: on the last goal, where the model
    tells when the work is done. unfamiliarity: how unlike the training data the observation is, 1 at the limit beyond
    which the work ends; None where nothing is monitored. candidates: some of those that were compared, for MOVE.
    """

    kind: DecisionKind
    reason: Reason
    message: str
    energy: float
    sub_goal: int
    sub_goals_reached: int
    steps_in_sub_goal: int
    total_steps: int
    action: np.ndarray | None = None
    plan: Plan | None = None
    imagined: SubGoal | None = None
    verdict: Verdict | None = None
    unfamiliarity: float | None = None
    candidates: Candidates | None = None


def gave_up(reason: Reason, message: str) -> Decision:
    """The decision that ends work before anything was compared with a goal."""
    return Decision(
        kind=DecisionKind.GAVE_UP,
        reason=reason,
        message=message,
        energy=math.nan,
        sub_goal=0,
        sub_goals_reached=0,
        steps_in_sub_goal=0,
        total_steps=0,
    )
