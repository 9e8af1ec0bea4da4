"""How far ahead a new model is planned with: no farther than what it imagines is worth something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.solvers.table import SOLVER_NAMES

KINDS = ("object_moves", "arm_only")
WORTH = 0.5
"""Imagined latents that are off by more than so much of what copies of the present are, lead a search astray."""


def steps_worth_imagining(errors: Mapping[str, Sequence[float]]) -> int:
    """The most steps, at least 1, after which imagined latents of held-out episodes are still worth something.

    errors: squared errors after 1, 2, ... steps, by kind of motion and, under KIND_copy, of copying the present.
    """
    shown = [kind for kind in KINDS if any(errors[f"{kind}_copy"])]
    of_each = [list(zip(errors[kind], errors[f"{kind}_copy"], strict=True)) for kind in shown]
    worth = [
        max((number for number, (error, copied) in enumerate(steps, 1) if error <= WORTH * copied), default=1)
        for steps in of_each
    ]
    return min(worth, default=1)


def planned_ahead(settings: PlannerSettings, errors: Mapping[str, Sequence[float]]) -> PlannerSettings:
    """The settings of all solvers with horizons that are no longer than that."""
    most = steps_worth_imagining(errors)
    searches = {name: getattr(settings, name) for name in SOLVER_NAMES}
    shorter = {name: replace(each, horizon=min(each.horizon, most)) for name, each in searches.items() if each}
    return replace(settings, **shorter)
