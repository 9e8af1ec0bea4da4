"""How tests plan with the small models of `small_models`."""

from __future__ import annotations

from dataclasses import replace

from jepa_planner.planning.energy import SummedMse
from jepa_planner.planning.planner_settings import EnergySettings, PlannerSettings
from jepa_planner.planning.solvers.cem import CemSettings

ENERGY = SummedMse()


def small_planner(**changes) -> PlannerSettings:
    defaults = PlannerSettings(
        energy=EnergySettings(kind="summed_mse", scale=2.0),
        reached_energy=0.2,
        steps_per_sub_goal=5,
        cem=CemSettings(horizon=3, samples=16, iterations=2, elites=4, seeded_candidates=("noop",)),
    )
    return replace(defaults, **changes)
