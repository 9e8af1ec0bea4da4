"""Trials over several processes: what is tried travels as settings, and each process builds it once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from jepa_planner.core.parallel import in_parallel
from jepa_planner.core.strict_fields import to_plain
from jepa_planner.learning.evaluation.policies import Policy, WorldModelPolicy, baseline_policy
from jepa_planner.learning.evaluation.trials import Trial, TrialSettings, run_trials
from jepa_planner.model.bundle import load_latent_statistics, load_sub_goal_head, load_verdict_head
from jepa_planner.model.bundle_files import CONTRACT_FILE, PLANNER_FILE
from jepa_planner.model.rollout.threads import one_core
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.solvers.settings import SearchSettings
from jepa_planner.planning.sub_goals import ImagineMode

SCENES_PER_JOB = 5


@dataclass(frozen=True)
class PolicySpec:
    """What is tried: a baseline, or a model bundle run as `jepa-planner eval` is told."""

    folder: Path | None
    """Of the bundle; None: the baseline is tried."""
    baseline: str = "none"
    """By its name; "none" where a bundle is tried."""
    search: SearchSettings | None = None
    """How plans are searched for; None: the bundle's way."""
    deadline_s: float | None = None
    """Time for each search, more than 0; None: the bundle's."""
    imagine_sub_goals: ImagineMode = "auto"
    """When the bundle's sub-goals are used, where it has some."""
    dtype: str = "float32"
    """Number type of the matrix products, as `WorldModel` takes it."""
    backend: str = "torch"
    """What runs the model: torch or onnx."""
    threads: int = 1
    """Cores that rollouts use on a CPU, at least 1."""
    views: tuple[str, ...] = ()
    """Those of the model's that there are cameras for; empty: all of them."""
    monitored: bool = True
    """The trial ends at what the model does not know, where the bundle tells."""
    verdict: bool = True
    """The bundle's head, where it has one, says when the work is done."""

    def settings(self) -> dict[str, object]:
        """How the bundle is run, by the fields' names, as plain JSON types."""
        return to_plain(replace(self, folder=None))

    def policy(self, plan_seconds: list[float]) -> Policy:
        """Loads what is tried; plan_seconds grows as `WorldModelPolicy` says. Raises as `WorldModel.load` does."""
        if self.folder is None:
            return baseline_policy(self.baseline)
        model = WorldModel.load(
            self.folder, dtype=self.dtype, backend=self.backend, threads=self.threads, views=self.views
        )
        planner_settings = PlannerSettings.load(self.folder, model.contract)
        solver = None if self.search is None else self.search.solver()
        head = load_sub_goal_head(self.folder, self.views)
        policy = WorldModelPolicy(model, planner_settings, plan_seconds, solver, self.deadline_s, head)
        policy.imagine_sub_goals = self.imagine_sub_goals
        policy.latent_statistics = load_latent_statistics(self.folder) if self.monitored else None
        policy.verdict_head = load_verdict_head(self.folder, self.views) if self.verdict else None
        return policy


def spread_trials(
    policy_spec: PolicySpec, settings: TrialSettings, plan_seconds: list[float], processes: int, cluster: str = ""
) -> Iterator[Trial]:
    """The trials of `run_trials` in any order, a few scenes to a job; see `in_parallel`."""
    starts = range(0, settings.episodes, SCENES_PER_JOB)
    jobs = []
    for start in starts:
        count = min(SCENES_PER_JOB, settings.episodes - start)
        jobs.append((policy_spec, replace(settings, seed=settings.seed + start, episodes=count)))
    for trials, seconds in in_parallel(_trials, jobs, processes, cluster):
        plan_seconds.extend(seconds)
        yield from trials


def _trials(policy_spec: PolicySpec, settings: TrialSettings) -> tuple[list[Trial], list[float]]:
    folder, files = policy_spec.folder, (CONTRACT_FILE, PLANNER_FILE)
    said = [path.read_text(encoding="utf-8") for name in files if folder and (path := folder / name).is_file()]
    with one_core():  # for all but rollouts: at this size their products are too small to share
        policy, seconds = _built(policy_spec, "".join(said))
        seconds.clear()
        return list(run_trials(policy, settings)), list(seconds)


@lru_cache(maxsize=1)
def _built(policy_spec: PolicySpec, said: str) -> tuple[Policy, list[float]]:
    """Once for each contract and settings of planning: workers of a cluster outlive the bundle that they loaded."""
    seconds: list[float] = []
    return policy_spec.policy(seconds), seconds
