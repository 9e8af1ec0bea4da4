"""Goals one after another for a long time: what became of them, of memory, and of the stream of setpoints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from witness import Witness, memory_of_planner_mib

from jepa_planner.nodes.client import PlannerClient
from jepa_planner.nodes.conversions import seconds

TASKS = ("reach", "grasp", "push", "pick_place")
FIRST_SEED = 2_000_000
WARM_SHARE = 0.2
"""Caches fill before memory is compared."""
MAX_GROWTH = 0.02


@dataclass(frozen=True)
class Soak:
    """Numbers of a soak; times are simulated."""

    simulated_s: float
    goals: int
    outcomes: dict[str, int]
    commands: int
    outside_limits: int
    early_mib: float
    late_mib: float
    interval_ms: tuple[float, float]
    """Between setpoints of a motion: median and 99 %."""

    @property
    def growth(self) -> float:
        """Of memory, as a share."""
        return self.late_mib / self.early_mib - 1

    def table(self) -> str:
        """For people."""
        rows = {
            "simulated": f"{self.simulated_s:.0f} s", "goals": self.goals, "outcomes": self.outcomes,
            "commands": self.commands, "outside limits": self.outside_limits,
            "memory early, late": f"{self.early_mib:.0f}, {self.late_mib:.0f} MiB ({100 * self.growth:+.2f} %)",
            "interval p50, p99": "{:.1f}, {:.1f} ms of simulated time".format(*self.interval_ms),
        }  # fmt: skip
        return "\n".join(f"| {name} | {value} |" for name, value in rows.items())


def soak(client: PlannerClient, witness: Witness, span_s: float) -> Soak:
    """Sends goals of all tasks for so long, by simulated time."""
    memory: list[tuple[float, float]] = []
    outcomes: dict[str, int] = {}
    assert client.arm_state is not None
    began_s, goals, passed_s = seconds(client.arm_state.header.stamp), 0, 0.0
    while passed_s < span_s:
        task = client.set_up_task(TASKS[goals % len(TASKS)], FIRST_SEED + goals)
        result = client.reach(task.goals, task.max_steps)
        outcomes[result.outcome.name] = outcomes.get(result.outcome.name, 0) + 1
        passed_s = seconds(client.arm_state.header.stamp) - began_s
        memory.append((passed_s, memory_of_planner_mib()))
        goals += 1
    warm = [mib for at_s, mib in memory if at_s >= WARM_SHARE * span_s]
    tenth = max(1, len(warm) // 10)
    p50_ms, p99_ms = np.percentile(np.array(witness.gaps_s) * 1e3, [50, 99])
    return Soak(
        passed_s, goals, outcomes, witness.count, witness.outside, float(np.median(warm[:tenth])),
        float(np.median(warm[-tenth:])), (float(p50_ms), float(p99_ms)),
    )  # fmt: skip
