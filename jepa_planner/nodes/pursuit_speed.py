"""How long a search takes while nodes pursue a goal with the simulated robot, beside the same search without ROS."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jepa_planner.evaluation.benchmark.replanning import time_replanning
from jepa_planner.evaluation.benchmark.tables import Table, milliseconds
from jepa_planner.evaluation.benchmark.timing import Timing
from jepa_planner.nodes.client import PlannerClient, keep_views
from jepa_planner.nodes.trials import Separate, simulated_planner
from jepa_planner.world_model.world_model import WorldModel

SCENE_SEED = 1_000_000
WAYS: dict[str, Separate] = {"simulator apart": "sim", "all in one process": "none", "each in its own": "all"}
WARM_UP_PLANS = 2


@dataclass(frozen=True)
class PursuitSpeed:
    """Seconds of each search: `alone` without ROS, the others by how the nodes are put together."""

    alone: Timing
    pursued: dict[str, Timing]


def measure_pursuit_speed(
    folder: Path, model: WorldModel, threads: int, plans: int, advance: Callable[[], object] = lambda: None
) -> PursuitSpeed:
    """`plans` searches each way, for a goal that is never reached, on the CPU; `advance` is called after each way.

    Those without ROS are spread between the others, so that what else the machine does meets all.
    """
    alone: list[float] = []
    pursued = {}
    for way, separate in WAYS.items():
        search = model.contract.planning.search()
        alone += time_replanning(model, search, math.ceil(plans / len(WAYS))).search.seconds
        seconds: dict[int, float] = {}

        def note(feedback, seconds=seconds) -> None:
            if feedback.step:
                seconds[feedback.step] = feedback.seconds_per_plan

        with simulated_planner(folder, 1.0, "never", separate, threads), PlannerClient() as client:
            client.wait_for_planner()
            task = client.set_up_task("reach", SCENE_SEED, "one")
            keep_views(task.goals, model.contract)
            for goal in task.goals:
                goal.step_budget, goal.tolerance = WARM_UP_PLANS + plans, 1e-9
            client.reach(task.goals, on_feedback=note)
        pursued[way] = Timing(tuple(seconds.values())[WARM_UP_PLANS:])
        advance()
    return PursuitSpeed(Timing(tuple(alone)), pursued)


def pursuit_table(result: PursuitSpeed) -> Table:
    """A row per way; ratios are of medians, since what disturbs a search in use is what is asked for."""
    rows = tuple(
        (way, milliseconds(timing.p50_s), milliseconds(timing.p95_s), f"{timing.p50_s / result.alone.p50_s:.2f}")
        for way, timing in {"no ROS": result.alone, **result.pursued}.items()
    )
    title = "A search while a goal is pursued, with the simulated robot on the same machine"
    return Table(title, ("nodes", "median, ms", "95 %, ms", "times no ROS"), rows)
