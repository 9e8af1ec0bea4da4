"""The published way of planning with V-JEPA 2-AC, for models that are imported."""

from __future__ import annotations

import math

from jepa_planner.planning.planner_settings import EnergySettings, PlannerSettings
from jepa_planner.planning.solvers.cem import CemSettings

UNRELATED_L1 = round(2.0 / math.sqrt(math.pi), 3)
"""Mean absolute difference of two independent numbers of N(0, 1); latents are normalised to that spread."""
GRIPPER_STD, GRIPPER_DEADBAND = 1.0, 0.25
STEPS_PER_GOAL_IMAGE = 10


def vjepa2_planner(max_step_m: float = 0.05, reached_energy: float = 0.0) -> PlannerSettings:
    """L1 energy of the last step and the cross-entropy search of V-JEPA 2-AC.

    max_step_m: spread of the first candidates per axis, which is also the bound of actions. reached_energy: none is
    published; 0 spends every goal image's steps as the reference does.
    """
    return PlannerSettings(
        energy=EnergySettings(kind="last_step_l1", scale=UNRELATED_L1),
        reached_energy=reached_energy,
        steps_per_sub_goal=STEPS_PER_GOAL_IMAGE,
        gripper_deadband=GRIPPER_DEADBAND,
        initial_std=(max_step_m, max_step_m, max_step_m, 0.0, 0.0, 0.0, GRIPPER_STD),
        cem=CemSettings(),
    )
