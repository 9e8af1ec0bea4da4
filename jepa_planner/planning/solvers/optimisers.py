"""The optimisers by name, as contracts, parameters and the command line give them."""

from __future__ import annotations

from typing import Literal, get_args

from jepa_planner.planning.solvers.cem import CemSettings, CrossEntropyMethod
from jepa_planner.planning.solvers.gradient import GradientRefinement, GradientSettings
from jepa_planner.planning.solvers.icem import IcemSettings, ImprovedCem
from jepa_planner.planning.solvers.mppi import MppiSettings, PathIntegral
from jepa_planner.planning.solvers.plan import Optimiser
from jepa_planner.planning.solvers.seeded_cem import SeededCem, SeededCemSettings
from jepa_planner.planning.solvers.settings import SearchSettings

OptimiserName = Literal["cem", "icem", "mppi", "gradient", "seeded_cem"]
OPTIMISER_NAMES: tuple[str, ...] = get_args(OptimiserName)
SETTINGS: dict[str, type[SearchSettings]] = {
    "cem": CemSettings,
    "icem": IcemSettings,
    "mppi": MppiSettings,
    "gradient": GradientSettings,
    "seeded_cem": SeededCemSettings,
}
_OPTIMISERS = {
    CemSettings: CrossEntropyMethod,
    IcemSettings: ImprovedCem,
    MppiSettings: PathIntegral,
    GradientSettings: GradientRefinement,
    SeededCemSettings: SeededCem,
}


def name_of(settings: SearchSettings) -> str:
    """The name under which an optimiser with such settings is known."""
    return next(name for name, kind in SETTINGS.items() if kind is type(settings))


def optimiser_of(settings: SearchSettings) -> Optimiser:
    """The optimiser that settings are meant for."""
    return _OPTIMISERS[type(settings)](settings)
