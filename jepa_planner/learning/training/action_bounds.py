"""What may be planned with a model: bounds of actions, and what depends on them, follow the data it learned from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor, tensor

from jepa_planner.core.arm_layout import GRIPPER, XYZ
from jepa_planner.learning.data.episodes import EpisodeError
from jepa_planner.planning.planner_settings import PlannerSettings

SLIPS_SHARE = 0.005
"""A channel that moves in no more of the actions is never moved on purpose."""
SHARE_WITHIN = 0.999
"""Of the actions that move a channel, so many lie within its bound: a single slip does not widen it."""
STILL = (5e-4,) * 3 + (5e-3,) * 3 + (0.02,)
"""A channel whose actions (m, rad, closure) are all smaller is never moved: joints are measured with noise."""
PART_OF_A_STROKE, FULL_SHARE = 0.1, 0.85
"""A gripper acts where it is told to change by more; so large a share of all strokes are full, or they are not."""
SPREAD = 2.0 / 3.0
"""First candidates spread over so much of a bound, for axes that had none."""


def action_max(actions: np.ndarray) -> tuple[float, ...]:
    """Bounds of what is planned with a model of actions [E, T, A]: the largest of each channel; 0 where it rests.

    Raises EpisodeError where none moves.
    """
    sizes = np.abs(actions.reshape(-1, actions.shape[-1]))
    bounds = tuple(_bound(sizes[:, channel], still) for channel, still in enumerate(STILL))
    if not any(bounds):
        raise EpisodeError("the actions are all 0: there is nothing to plan with")
    return bounds


def action_scale(bounds: Sequence[float]) -> Tensor:
    """Typical actions [A], by which a new predictor divides what it is given: half of the bounds."""
    return tensor([bound / 2 if bound else 1.0 for bound in bounds])


def strokes_are_full(states: np.ndarray, actions: np.ndarray) -> bool:
    """Whether a gripper was only ever opened or closed wholly, in states [E, T+1, S] and actions [E, T, A]: of others
    nothing was learned.
    """
    before, after = states[:, :-1, GRIPPER], states[:, 1:, GRIPPER]
    acts = np.abs(actions[..., GRIPPER]) > PART_OF_A_STROKE
    full = np.abs(after - before) > 1.0 - PART_OF_A_STROKE
    return bool(acts.any() and full[acts].mean() >= FULL_SHARE)


def planned_within(settings: PlannerSettings, before: Sequence[float], bounds: Sequence[float]) -> PlannerSettings:
    """Settings of a search that was tuned for other bounds: candidates spread over as much of the new ones, and where
    steps are shorter there are more of them.
    """
    spread, sub_goals = settings.initial_std, settings.sub_goals
    if spread is not None:
        spread = tuple(
            float(f"{std * new / old if std and old else SPREAD * new:.4g}")
            for std, old, new in zip(spread, before, bounds, strict=True)
        )
    if sub_goals is not None:
        sub_goals = replace(sub_goals, steps=as_far(sub_goals.steps, before, bounds))
    return replace(
        settings,
        initial_std=spread,
        gripper_deadband=settings.gripper_deadband * min(1.0, bounds[GRIPPER] / (before[GRIPPER] or 1.0)),
        gripper_full_strokes=settings.gripper_full_strokes and bounds[GRIPPER] >= 1.0,
        steps_per_sub_goal=as_far(settings.steps_per_sub_goal, before, bounds),
        sub_goals=sub_goals,
    )


def as_far(steps: int, before: Sequence[float], bounds: Sequence[float]) -> int:
    """As many steps as lead as far as so many did before, and never fewer."""
    old, new = max(before[XYZ]), max(bounds[XYZ])
    return math.ceil(round(steps * max(1.0, old / new), 6)) if new else steps


def _bound(sizes: np.ndarray, still: float) -> float:
    moved = sizes[sizes > still]
    if len(moved) <= SLIPS_SHARE * len(sizes):
        return 0.0
    return float(f"{np.quantile(moved, SHARE_WITHIN, method='higher'):.3g}")
