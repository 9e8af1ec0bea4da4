"""A dry run of one plan: nothing is sent, nothing moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from jepa_planner.cli.doctor.findings import Finding, green, red, yellow

if TYPE_CHECKING:
    from jepa_planner.core.observation import Observation
    from jepa_planner.model.contract import Contract
    from jepa_planner.planning.offline_plan import OfflinePlan
    from jepa_planner.planning.planner import Planner

SLOW_S = 1.5
"""A plan that takes longer makes a step of a quarter of a second look like standing still."""
HOW_TO_PLAN_FASTER = "fewer samples or iterations, deadline_s, another device or dtype: `jepa-planner bench` compares"


def made_up(contract: Contract, seed: int) -> np.ndarray:
    """Pictures of nothing, uint8 RGB [views, H, W, 3], to plan with where no camera is there."""
    image = contract.image
    shape = (len(image.views), image.height, image.width, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def dry_run(
    planner: Planner, now: Observation, shown: Observation, mpc: Mapping[str, Any], is_real: bool
) -> OfflinePlan:
    """One plan from an observation with the arm's state to a goal picture; of two, the second, which is warm.

    is_real: of cameras and of a goal; else nothing is monitored, as the pictures mean nothing. Raises NoPlanError.
    """
    from jepa_planner.planning.offline_plan import plan_offline

    monitors = is_real and mpc["monitor_out_of_distribution"]
    factory = planner.factory(mpc["seed"])
    if not monitors:
        factory = replace(factory, latent_statistics=None)
    plan = plan_offline(planner.model, now, shown, factory)
    return plan if plan.seconds > SLOW_S else plan_offline(planner.model, now, shown, factory)


def verdict(plan: OfflinePlan, observation_timeout_s: float, what: str) -> Finding:
    """How long a plan took, against the age at which the arm refuses one; what: it was planned for."""
    if not len(plan.actions):
        return green("dry run", f"{what}: the goal is what is there already, nothing was planned")
    action = ", ".join(f"{value:+.3f}" for value in plan.actions[0].tolist())
    text = f"{plan.seconds:.2f} s for a plan {what}; first action {action}"
    if plan.seconds > observation_timeout_s:
        how = f"arm_node refuses plans from pictures older than {observation_timeout_s:g} s: {HOW_TO_PLAN_FASTER}"
        return red("dry run", text, how)
    if plan.seconds > SLOW_S:
        return yellow("dry run", text, HOW_TO_PLAN_FASTER)
    return green("dry run", text)
