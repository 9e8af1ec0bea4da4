"""How to plan with a model: what stands in `planner.yaml` beside its `model.yaml`."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jepa_planner.core.strict_fields import FieldError, from_plain, to_plain
from jepa_planner.core.yaml_changes import changes
from jepa_planner.model.bundle import read_planner, write_planner
from jepa_planner.model.bundle_files import DECODER_FILE, PLANNER_FILE, BundleError
from jepa_planner.planning.action_space import ActionSpace
from jepa_planner.planning.energy import PIXELS
from jepa_planner.planning.progress import ProgressSettings
from jepa_planner.planning.solvers.cem import CemSettings
from jepa_planner.planning.solvers.gradient import GradientSettings
from jepa_planner.planning.solvers.icem import IcemSettings
from jepa_planner.planning.solvers.mppi import MppiSettings
from jepa_planner.planning.solvers.optimisers import SETTINGS, OptimiserName
from jepa_planner.planning.solvers.seeded_cem import SeededCemSettings
from jepa_planner.planning.solvers.settings import SearchSettings
from jepa_planner.planning.sub_goals import ImagineMode, SubGoalSettings, imagines
from jepa_planner.planning.verdict import VerdictSettings

if TYPE_CHECKING:
    from jepa_planner.model.contract import Contract


@dataclass(frozen=True, kw_only=True)
class EnergySettings:
    """kind names an energy of planning/energy.py; scale is typical of unrelated frames, for display."""

    kind: str
    scale: float

    @property
    def in_pixels(self) -> bool:
        """Whether the energy compares the pixels that the bundle's decoder draws."""
        return self.kind.startswith(PIXELS)

    @property
    def difference(self) -> Literal["l1", "mse"]:
        """How two latents are compared: by the mean absolute or squared difference."""
        return "l1" if self.kind.endswith("_l1") else "mse"


@dataclass(frozen=True, kw_only=True)
class PlannerSettings:
    """Recommended planning: the search, when a goal image counts as reached, steps allowed per goal image.

    energy: what searches make small. reached_energy holds for every goal image but the last, which may ask for less:
    final_reached_energy, where given. steps_per_sub_goal: actions for each goal image. gripper_deadband: planned
    gripper changes smaller than this become 0. gripper_full_strokes: the others open or close the gripper all the way.
    initial_std: spread of the first candidates per action channel; None stands for max_abs. optimiser: which of the
    searches below is used. deadline_s: time for each search; None leaves it alone. progress: when work that nothing
    advances ends. sub_goals: how those that the model imagines are pursued; None: none are. verdict: how the model's
    head tells that the work is done; None: energies alone tell.
    """

    energy: EnergySettings
    reached_energy: float
    steps_per_sub_goal: int
    gripper_deadband: float = 0.0
    gripper_full_strokes: bool = False
    initial_std: tuple[float, ...] | None = None
    final_reached_energy: float | None = None
    optimiser: OptimiserName = "cem"
    deadline_s: float | None = None
    cem: CemSettings = field(default_factory=CemSettings)
    icem: IcemSettings | None = None
    mppi: MppiSettings | None = None
    gradient: GradientSettings | None = None
    seeded_cem: SeededCemSettings | None = None
    progress: ProgressSettings = field(default_factory=ProgressSettings)
    sub_goals: SubGoalSettings | None = None
    verdict: VerdictSettings | None = None

    def __post_init__(self) -> None:
        if self.deadline_s is not None and not 0.0 < self.deadline_s < math.inf:
            raise ValueError(f"deadline_s is {self.deadline_s}; it must be positive, or null for none")

    @classmethod
    def load(cls, folder: str | Path, contract: Contract) -> PlannerSettings:
        """Those of a bundle whose contract this is.

        Raises BundleError naming an unknown, missing or impossible field, or one that does not fit the model.
        """
        try:
            found = from_plain(cls, read_planner(folder))
            found.check(contract)
        except BundleError:
            raise
        except ValueError as error:
            raise BundleError(f"{Path(folder) / PLANNER_FILE}: {error}") from error
        return found

    def save(self, folder: str | Path) -> list[str]:
        """Writes them into the folder of a bundle, as `planner.yaml`; returns what changes in one that is there, a line
        for each value: all else in it, comments included, stays.
        """
        before, after = None, to_plain(self)
        with suppress(ValueError):  # none is there, or none that can be read
            before = to_plain(from_plain(PlannerSettings, read_planner(folder)))
        write_planner(folder, after, before)
        return [] if before is None else list(changes(before, after))

    def check(self, contract: Contract) -> None:
        """Raises FieldError naming what the model cannot do."""
        channels, predictor = contract.action.channels, contract.predictor
        if self.initial_std is not None and len(self.initial_std) != len(channels):
            raise FieldError(f"initial_std: {len(self.initial_std)} given; actions have {len(channels)} channels")
        if self.energy.in_pixels and DECODER_FILE not in contract.files:
            raise FieldError(f"energy.kind: {self.energy.kind!r} needs {DECODER_FILE}, which the model does not have")
        if predictor is not None:
            steps = contract.context_frames - 1 + self.search().horizon
            if steps > predictor.max_steps:
                most = predictor.max_steps
                raise FieldError(f"{self.optimiser}.horizon: {steps} steps with the context; the model predicts {most}")
        for section, given, part in (
            ("sub_goals", self.sub_goals, contract.sub_goals),
            ("verdict", self.verdict, contract.verdict),
        ):
            if given is not None and part is None:
                raise FieldError(f"{section}: the model has no head for it; leave it out, or add one by training")

    def action_space(self, contract: Contract) -> ActionSpace:
        """The bounds within which the model was trained, and how actions are drawn within them."""
        return ActionSpace(
            contract.action.max_abs, self.initial_std, self.gripper_deadband, self.gripper_full_strokes
        )

    def search(self, optimiser: str = "") -> SearchSettings:
        """Settings of an optimiser by name, or of the recommended one.

        One without settings here has its own defaults and the horizon of cem. Raises ValueError for an unknown name.
        """
        name = optimiser or self.optimiser
        if name not in SETTINGS:
            raise ValueError(f"optimiser {name!r} is unknown; known are {', '.join(SETTINGS)}")
        return getattr(self, name) or SETTINGS[name](horizon=self.cem.horizon)

    def tolerances(self, goals: int) -> list[float]:
        """The energy at which each of so many goal images counts as reached."""
        last = self.reached_energy if self.final_reached_energy is None else self.final_reached_energy
        return [self.reached_energy] * (goals - 1) + [last]

    def imagines(self, mode: ImagineMode, goals: int) -> bool:
        """Whether sub-goals are imagined on the way to so many goal images; raises ValueError where they cannot be."""
        return imagines(mode, self.sub_goals, goals)

    def steps_per_goal_image(self, mode: ImagineMode, goals: int, max_steps: int = 0) -> int:
        """Actions recommended for each of so many goal images; max_steps bounds them all, 0 does not."""
        if self.sub_goals is not None and self.imagines(mode, goals):
            return self.sub_goals.steps_per_goal_image(goals, max_steps)
        return self.steps_per_sub_goal
