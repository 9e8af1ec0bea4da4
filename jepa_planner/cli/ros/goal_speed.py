"""How long goals and their steps take with the simulated robot, where that time goes, and a search without ROS."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rclpy.node import Node

from jepa_planner.cli.ros.trials import Separate, simulated_planner
from jepa_planner.learning.evaluation.benchmark.replanning import time_replanning
from jepa_planner.learning.evaluation.benchmark.tables import Table, milliseconds
from jepa_planner.learning.evaluation.benchmark.timing import Timing
from jepa_planner.learning.evaluation.statistics import percentile
from jepa_planner.model.world_model import WorldModel
from jepa_planner.msg import PlanStats
from jepa_planner.nodes import qos
from jepa_planner.nodes.client import GoalResult, PlannerClient, PlannerError, keep_views
from jepa_planner.nodes.running import NodeThread
from jepa_planner.nodes.step_clock import PARTS, StepSeconds
from jepa_planner.planning.planner_settings import PlannerSettings

SCENE_SEED = 1_000_000
TASK, GOAL_IMAGES = "pick_place", "dense"
WAYS: dict[str, Separate] = {"simulator apart": "sim", "all in one process": "none", "each in its own": "all"}
WARM_UP_PLANS = 2
STEP_AND_PARTS = ("step", *PARTS)


@dataclass(frozen=True)
class ExecutedGoals:
    """Goals pursued one way: seconds of each search and of each step, and of each goal its seconds, steps and end."""

    searches: Timing
    steps: tuple[StepSeconds, ...]
    goal_s: tuple[float, ...]
    goal_steps: tuple[int, ...]
    outcomes: tuple[str, ...]


@dataclass(frozen=True)
class GoalSpeed:
    """Seconds of a search without ROS, and what was pursued by how the nodes are put together."""

    alone: Timing
    executed: dict[str, ExecutedGoals]


class _Listener(Node):
    """Keeps what `mpc_node/stats` says."""

    def __init__(self) -> None:
        super().__init__("goal_speed", use_global_arguments=False)
        self.stats: list[PlanStats] = []
        self.create_subscription(PlanStats, "mpc_node/stats", self.stats.append, qos.STATE)


def measure_goal_speed(
    folder: Path,
    model: WorldModel,
    settings: PlannerSettings,
    threads: int,
    plans: int,
    advance: Callable[[], object] = lambda: None,
) -> GoalSpeed:
    """Pick and place, scene after scene, until `plans` plans were made each way, on the CPU; `advance` is called after
    each way.

    Searches without ROS are spread between the others, so that what else the machine does meets all.
    """
    alone: list[float] = []
    executed = {}
    for way, separate in WAYS.items():
        alone += time_replanning(model, settings, settings.search(), math.ceil(plans / len(WAYS))).search.seconds
        with simulated_planner(folder, 1.0, separate=separate, threads=threads), PlannerClient() as client:
            client.wait_for_planner()
            executed[way] = _execute_goals(client, model, plans)
        advance()
    return GoalSpeed(Timing(tuple(alone)), executed)


def _execute_goals(client: PlannerClient, model: WorldModel, plans: int) -> ExecutedGoals:
    listener = _Listener()
    results: list[GoalResult] = []
    goal_s: list[float] = []
    thread = NodeThread(listener, lambda: None)
    try:
        while len(listener.stats) < WARM_UP_PLANS + plans:
            task = client.set_up_task(TASK, SCENE_SEED + len(results), GOAL_IMAGES)
            keep_views(task.goals, model.contract)
            began_s = time.monotonic()
            results.append(client.reach(task.goals, task.max_steps))
            goal_s.append(time.monotonic() - began_s)
            if not results[-1].steps:  # it would not with the next either
                raise PlannerError(f"no plan was made: {results[-1].message}")
    finally:
        thread.stop()
    stats = listener.stats[WARM_UP_PLANS:]
    steps = (StepSeconds(*(getattr(told, f"{part}_seconds") for part in STEP_AND_PARTS)) for told in stats)
    return ExecutedGoals(
        Timing(tuple(told.seconds for told in stats)),
        tuple(step for step in steps if math.isfinite(step.step)),
        tuple(goal_s),
        tuple(result.steps for result in results),
        tuple(result.outcome.name for result in results),
    )


def search_table(result: GoalSpeed) -> Table:
    """A row per way; ratios are of medians, since what disturbs a search in use is what is asked for."""
    timings = {"no ROS": result.alone} | {way: found.searches for way, found in result.executed.items()}
    rows = tuple(
        (way, milliseconds(timing.p50_s), milliseconds(timing.p95_s), f"{timing.p50_s / result.alone.p50_s:.2f}")
        for way, timing in timings.items()
    )
    title = "A search while a goal is pursued, with the simulated robot on the same machine"
    return Table(title, ("nodes", "median, ms", "95 %, ms", "times no ROS"), rows)


def step_table(result: GoalSpeed) -> Table:
    """A row per way: means, since those of the parts add up to that of steps."""

    def mean(goals: ExecutedGoals, part: str) -> str:
        return milliseconds(math.fsum(getattr(step, part) for step in goals.steps) / len(goals.steps))

    rows = tuple((way, *(mean(found, part) for part in STEP_AND_PARTS)) for way, found in result.executed.items())
    notes = (
        "answer: until the arm took the plan before; motion: until it rested; picture: until the next one was taken;",
        "encoding: until its latent was there; decision: until the next plan left. Means, in ms.",
    )
    return Table("Where the time of a step goes", ("nodes", "a step", *PARTS), rows, notes)


def goal_table(result: GoalSpeed) -> Table:
    """A row per way: from goal to verdict."""
    rows = tuple(
        (
            way,
            str(len(goals.goal_s)),
            f"{percentile(goals.goal_s, 50):.1f}",
            f"{percentile(goals.goal_steps, 50):.0f}",
            ", ".join(f"{name} {goals.outcomes.count(name)}" for name in sorted(set(goals.outcomes))),
        )
        for way, goals in result.executed.items()
    )
    title = f"From goal to verdict, {TASK}, {GOAL_IMAGES} goal pictures"
    return Table(title, ("nodes", "goals", "median, s", "median steps", "ended as"), rows)
