"""A grid of trials, run cell by cell over several processes; what was run before is read from a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from jepa_planner.learning.evaluation.report import summarise
from jepa_planner.learning.evaluation.spread_trials import PolicySpec, spread_trials
from jepa_planner.learning.evaluation.trials import TrialSettings
from studies.result_cache import cached, trials_asked

STANDARD = "standard"
TUNING_SEED = 500_000
"""First `TrialSettings.seed` of scenes for choosing settings; those of reported numbers stay unseen."""


@dataclass(frozen=True)
class Scenes:
    """What scenes vary, and how much; as they are, standard ones."""

    vary: frozenset[str] = frozenset()
    strength: float = 1.0


@dataclass(frozen=True)
class Cell:
    """One place of the grid, by its names along the axes."""

    policy: str
    task: str
    scenes: str
    goal_images: str

    @property
    def file(self) -> str:
        """Where its trials are kept."""
        names = (self.policy, self.scenes, self.task, self.goal_images)
        return "-".join(re.sub(r"[/:\s]+", "_", name) for name in names) + ".json"


@dataclass(frozen=True)
class Result:
    """How often a cell was solved, with the 95 % Wilson interval; steps of the median solved trial, seconds of the
    median plan (None: nothing was solved, or planned).
    """

    cell: Cell
    successes: int
    trials: int
    wilson_low: float
    wilson_high: float
    steps: float | None
    plan_seconds: float | None

    def in_words(self) -> str:
        """As a table shows it."""
        return f"{self.successes}/{self.trials} ({self.wilson_low:.0%} to {self.wilson_high:.0%})"


@dataclass(frozen=True)
class Sweep:
    """The axes of a grid, each by name: policies, tasks, scenes and goal pictures (as `eval --goal-images`); and what
    all cells have in common: trials of each from which seed on, and who ends them.

    Raises ValueError for trials that there are not.
    """

    policies: Mapping[str, PolicySpec]
    tasks: tuple[str, ...]
    trials: int
    seed: int = 0
    scenes: Mapping[str, Scenes] = field(default_factory=lambda: {STANDARD: Scenes()})
    goal_images: tuple[str, ...] = ("dense",)
    stop_at_success: bool = False

    def __post_init__(self) -> None:
        for cell in self.cells():
            self.settings(cell)

    def cells(self) -> list[Cell]:
        """All places, those of one policy and kind of scenes one after the other."""
        places = product(self.policies, self.scenes, self.tasks, self.goal_images)
        return [Cell(policy, task, scenes, goal_images) for policy, scenes, task, goal_images in places]

    def settings(self, cell: Cell) -> TrialSettings:
        """The trials of a cell."""
        scenes = self.scenes[cell.scenes]
        return TrialSettings(
            cell.task, self.trials, self.seed, cell.goal_images, scenes.vary, scenes.strength, self.stop_at_success
        )

    def run(self, out: Path, processes: int = 1, cluster: str = "") -> Iterator[Result]:
        """Tries each cell, or reads it from `out` where it is already; processes, cluster: see `in_parallel`.

        Raises ValueError where what is kept there is of another policy or of other trials.
        """
        for cell in self.cells():
            yield self._result(cell, out, processes, cluster)

    def _result(self, cell: Cell, out: Path, processes: int, cluster: str) -> Result:
        policy, settings = self.policies[cell.policy], self.settings(cell)

        def evaluate() -> dict[str, object]:
            seconds: list[float] = []
            trials = sorted(spread_trials(policy, settings, seconds, processes, cluster), key=lambda trial: trial.seed)
            return summarise(
                trials, settings, seconds, str(policy.folder), policy.baseline,
                imagine_sub_goals=policy.imagine_sub_goals, monitored=policy.monitored, verdict=policy.verdict,
            )  # fmt: skip

        summary = cached(out / cell.file, trials_asked(policy.folder, settings, **policy.settings()), evaluate)
        names = "successes", "episodes", "wilson_low", "wilson_high", "steps_median", "plan_seconds_median"
        return Result(cell, *(summary[name] for name in names))
