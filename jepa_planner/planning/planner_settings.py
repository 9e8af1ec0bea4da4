"""How to plan with a model: what stands in `planner.yaml` beside its `model.yaml`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jepa_planner.core.ranges import Count, NotNegative, Positive, check_ranges
from jepa_planner.core.strict_fields import FieldError, from_plain, to_plain
from jepa_planner.core.yaml_changes import changes
from jepa_planner.model.bundle import read_planner, write_planner
from jepa_planner.model.bundle_files import DECODER_FILE, PLANNER_FILE, BundleError
from jepa_planner.planning.action_space import ActionSpace
from jepa_planner.planning.energy import PIXELS
from jepa_planner.planning.progress import ProgressSettings
from jepa_planner.planning.solvers.table import SolverSections
from jepa_planner.planning.sub_goals import ImagineMode, SubGoalSettings, imagines
from jepa_planner.planning.verdict import VerdictSettings

if TYPE_CHECKING:
    from jepa_planner.model.contract import Contract


@dataclass(frozen=True, kw_only=True)
class EnergySettings:
    """What searches make small."""

    kind: str
    """Its name in planning/energy.py."""
    scale: NotNegative
    """What is typical of unrelated frames, for display."""

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def in_pixels(self) -> bool:
        """Whether the energy compares the pixels that the bundle's decoder draws."""
        return self.kind.startswith(PIXELS)

    @property
    def difference(self) -> Literal["l1", "mse"]:
        """How two latents are compared: by the mean absolute or squared difference."""
        return "l1" if self.kind.endswith("_l1") else "mse"


@dataclass(frozen=True, kw_only=True)
class PlannerSettings(SolverSections):
    """Recommended planning: the search, when a goal image counts as reached, steps allowed per goal image."""

    energy: EnergySettings
    reached_energy: NotNegative
    """At which a goal image counts as reached."""
    steps_per_sub_goal: Count
    """Actions for each goal image."""
    gripper_deadband: NotNegative = 0.0
    """Planned gripper changes smaller than this, in closure, become 0."""
    gripper_full_strokes: bool = False
    """Whether the others open or close the gripper all the way."""
    initial_std: tuple[float, ...] | None = None
    """Spread of the first candidates per action channel, m, rad and closure; None stands for the largest action."""
    final_reached_energy: NotNegative | None = None
    """At which the last goal image counts as reached; None: at reached_energy."""
    deadline_s: Positive | None = None
    """Time for each search; None leaves it alone."""
    progress: ProgressSettings = field(default_factory=ProgressSettings)
    """When work that nothing advances ends."""
    sub_goals: SubGoalSettings | None = None
    """How those that the model imagines are pursued; None: none are."""
    verdict: VerdictSettings | None = None
    """How the model's head tells that the work is done; None: energies alone tell."""

    @classmethod
    def load(cls, folder: str | Path, contract: Contract) -> PlannerSettings:
        """Those of a bundle whose contract this is.

        Raises BundleError naming an unknown, missing or impossible field, or one that does not fit the model.
        """
        try:
            settings = from_plain(cls, read_planner(folder))
            settings.check(contract)
        except BundleError:
            raise
        except ValueError as error:
            raise BundleError(f"{Path(folder) / PLANNER_FILE}: {error}") from error
        return settings

    def save(self, folder: str | Path) -> list[str]:
        """Writes them into the folder of a bundle, as `planner.yaml`; returns what changes in one that is there, a line
        for each value: all else in it, comments included, stays. Raises BundleError for one that cannot be read.
        """
        after = self._plain()
        if not (Path(folder) / PLANNER_FILE).is_file():
            write_planner(folder, after)
            return []
        before = from_plain(PlannerSettings, read_planner(folder))._plain()
        write_planner(folder, after, before)
        if not self._stands_in(folder):  # such as under names of before, which cannot be changed one by one
            write_planner(folder, after)
        return list(changes(before, after))

    def _stands_in(self, folder: str | Path) -> bool:
        with suppress(ValueError):
            return from_plain(PlannerSettings, read_planner(folder)) == self
        return False

    def _plain(self) -> dict[str, object]:
        """As the file has it; the solvers come last there."""
        plain = to_plain(self)
        return plain | {section.name: plain.pop(section.name) for section in fields(SolverSections)}

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
                raise FieldError(f"{self.solver}.horizon: {steps} steps with the context; the model predicts {most}")
        for section, given, part in (
            ("sub_goals", self.sub_goals, contract.sub_goals),
            ("verdict", self.verdict, contract.verdict),
        ):
            if given is not None and part is None:
                raise FieldError(f"{section}: the model has no head for it; leave it out, or add one by training")

    def action_space(self, contract: Contract) -> ActionSpace:
        """The bounds within which the model was trained, and how actions are drawn within them."""
        return ActionSpace(contract.action.max_abs, self.initial_std, self.gripper_deadband, self.gripper_full_strokes)

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
