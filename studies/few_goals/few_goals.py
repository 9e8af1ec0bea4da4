"""Ways to reach what one goal picture shows, in the same scenes with the same latents and demonstrations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from jepa_planner.learning.data.episodes import read_episodes
from jepa_planner.learning.evaluation.policies import Policy, WorldModelPolicy
from jepa_planner.learning.evaluation.report import summarise
from jepa_planner.learning.evaluation.statistics import wilson_interval
from jepa_planner.learning.evaluation.trials import TrialSettings, run_trials
from jepa_planner.learning.training.demonstrations import Demonstrations, encoded_demonstrations
from jepa_planner.model.bundle import load_sub_goal_head, load_verdict_head
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.sub_goals import SubGoalHeadLike
from studies.few_goals.flat_policy import FlatPolicy
from studies.few_goals.retrieval import RetrievedMoments
from studies.result_cache import cached, episodes_asked, trials_asked

WAYS = {
    "imagined": "search toward imagined moments",
    "retrieved": "search toward moments of the demonstration that fits best",
    "search alone": "search toward the goal picture",
    "flat policy": "no search: a policy from latents to actions; it says nothing: solved at the end",
}


@dataclass(frozen=True)
class Row:
    """How often one way solved a task, and where it can say so, said so."""

    way: str
    task: str
    successes: int
    trials: int


class Ways:
    """Makes the policy of each way; what must be prepared is prepared when it is first asked for."""

    def __init__(self, bundle: Path, demonstrations: Sequence[Path], run_folder: Path, iterations: int) -> None:
        self._folders, self._run_folder, self._iterations = demonstrations, run_folder, iterations
        self._model = WorldModel.load(bundle)
        self._planner_settings = PlannerSettings.load(bundle, self._model.contract)
        self._planner_settings.imagines("always", goals=1)  # refuses a bundle that cannot
        self.bundle = bundle
        self._made: dict[str, Policy] = {}
        self._makers: dict[str, Callable[[], Policy]] = {
            "imagined": lambda: self._searching(load_sub_goal_head(bundle)),
            "retrieved": lambda: self._searching(RetrievedMoments(self._demonstrations())),
            "search alone": lambda: WorldModelPolicy(
                self._model, self._planner_settings, verdict_head=load_verdict_head(bundle)
            ),
            "flat policy": self._flat_policy,
        }

    def policy(self, way: str) -> Policy:
        """That of a way, made when it is first asked for."""
        if way not in self._made:
            self._made = {way: self._makers[way]()}
        return self._made[way]

    def asked(self, way: str) -> dict[str, object]:
        """What the outcome of a way depends on besides the bundle and the trials."""
        demonstrations = episodes_asked(self._folders) if way in ("retrieved", "flat policy") else None
        return {
            "way": way, "demonstrations": demonstrations,
            "iterations": self._iterations if way == "flat policy" else None,
        }  # fmt: skip

    def _searching(self, head: SubGoalHeadLike) -> WorldModelPolicy:
        verdict_head = load_verdict_head(self.bundle)
        return WorldModelPolicy(
            self._model, self._planner_settings, sub_goal_head=head, imagine_sub_goals="always",
            verdict_head=verdict_head,
        )

    def _flat_policy(self) -> FlatPolicy:
        demonstrations = self._demonstrations()
        policy = FlatPolicy(self._model, self._planner_settings, demonstrations)
        policy.train(demonstrations, self._iterations, self._run_folder)
        return policy

    def _demonstrations(self) -> Demonstrations:
        return encoded_demonstrations(read_episodes(self._folders), self._model, self._run_folder)


def try_ways(ways: Ways, names: Sequence[str], trials: Sequence[TrialSettings], out: Path) -> list[Row]:
    """Each way in the same trials; each cell's trials are kept in `out` and read from there the next time.

    Raises ValueError where what is kept is of another model, other trials, demonstrations or iterations.
    """
    torch.set_num_threads(1)  # as `eval`
    rows = []
    for name in names:
        for settings in trials:
            file = out / f"{name.replace(' ', '_')}-{settings.task}-{settings.seed}-{settings.episodes}.json"
            asked = trials_asked(ways.bundle, settings, **ways.asked(name))
            found = cached(file, asked, lambda name=name, settings=settings: _try(ways, name, settings))
            rows.append(Row(name, settings.task, found["successes"], found["episodes"]))
    return rows


def _try(ways: Ways, name: str, settings: TrialSettings) -> dict[str, object]:
    running = run_trials(ways.policy(name), settings)
    done = list(tqdm(running, total=settings.episodes, desc=f"{name}, {settings.task}", unit="trial"))
    return summarise(done, settings, [], str(ways.bundle), "none")


def table(rows: Sequence[Row]) -> str:
    """Markdown: a row per way, a column per task."""
    tasks = list(dict.fromkeys(row.task for row in rows))
    lines = [f"| way | {' | '.join(tasks)} |", "|---" * (len(tasks) + 1) + "|"]
    for way in dict.fromkeys(row.way for row in rows):
        of_tasks = {row.task: row for row in rows if row.way == way}
        lines.append(f"| {WAYS[way]} | " + " | ".join(_in_words(of_tasks[task]) for task in tasks) + " |")
    return "\n".join(lines)


def _in_words(row: Row) -> str:
    low, high = wilson_interval(row.successes, row.trials)
    return f"{row.successes}/{row.trials} ({low:.0%} to {high:.0%})"
