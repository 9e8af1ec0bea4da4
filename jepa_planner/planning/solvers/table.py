"""The solvers by name, as planner.yaml, parameters and the command line give them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args, get_type_hints

from jepa_planner.core.ranges import check_ranges
from jepa_planner.planning.solvers.cem import CemSettings
from jepa_planner.planning.solvers.gradient import GradientSettings
from jepa_planner.planning.solvers.icem import IcemSettings
from jepa_planner.planning.solvers.mppi import MppiSettings
from jepa_planner.planning.solvers.seeded_cem import SeededCemSettings
from jepa_planner.planning.solvers.settings import SearchSettings


@dataclass(frozen=True, kw_only=True)
class SolverSections:
    """The table of solvers: a line of each, with its name and its settings; None stands for its own defaults.

    Construction raises ValueError naming what is impossible.
    """

    solver: str = "cem"
    """Which of those below is recommended."""
    cem: CemSettings = field(default_factory=CemSettings)
    icem: IcemSettings | None = None
    mppi: MppiSettings | None = None
    gradient: GradientSettings | None = None
    seeded_cem: SeededCemSettings | None = None

    def __post_init__(self) -> None:
        check_ranges(self)
        self.search()

    def search(self, solver: str = "") -> SearchSettings:
        """Settings of a solver by name, or of the recommended one.

        One without settings here has its own defaults and the horizon of cem. Raises ValueError for an unknown name.
        """
        name = solver or self.solver
        if name not in SETTINGS:
            raise ValueError(f"solver {name!r} is unknown; known are {', '.join(SETTINGS)}")
        return getattr(self, name) or SETTINGS[name](horizon=self.cem.horizon)


SETTINGS: dict[str, type[SearchSettings]] = {
    name: (get_args(hint) or (hint,))[0] for name, hint in get_type_hints(SolverSections).items() if name != "solver"
}
SOLVER_NAMES = tuple(SETTINGS)


def name_of(settings: SearchSettings) -> str:
    """The name under which a solver with such settings is known."""
    return next(name for name, kind in SETTINGS.items() if kind is type(settings))
