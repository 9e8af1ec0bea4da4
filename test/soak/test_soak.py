"""An hour of goals through the nodes: memory, limits and rate. `make soak` runs it and prints the table."""

import os
from pathlib import Path

import numpy as np
import pytest
from witness import Witness

from jepa_planner.cli.ros.trials import simulated_planner
from jepa_planner.nodes.client import PlannerClient
from jepa_planner.nodes.conversions import seconds
from jepa_planner.nodes.running import NodeThread

HOUR_S = float(os.environ.get("SOAK_SECONDS", "3600"))
SPEED = float(os.environ.get("SOAK_SPEED", "4"))
WARM_SHARE = 0.2
"""Caches fill before memory is compared."""
MAX_GROWTH = 0.02
TASKS = ("reach", "grasp", "push", "pick_place")
FIRST_SEED = 2_000_000
PERIOD_S = 0.01


def memory_of_planner_mib() -> float:
    """Resident memory of this program's `jepa-planner run` and its simulator."""
    total = 0
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                command = (process / "cmdline").read_bytes()
                ours = b"jepa_planner" in command and _descends_from(int(process.name), os.getpid())
                total += int((process / "statm").read_text().split()[1]) if ours else 0
            except OSError:  # it ended meanwhile
                continue
    return total * os.sysconf("SC_PAGE_SIZE") / 2**20


def _descends_from(process: int, ancestor: int) -> bool:
    while process > 1:
        process = int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])
        if process == ancestor:
            return True
    return False


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_an_hour_of_goals_keeps_memory_limits_and_rate():
    memory: list[tuple[float, float]] = []
    outcomes: dict[str, int] = {}
    with simulated_planner(speed=SPEED), PlannerClient() as client:
        client.wait_for_planner()
        witness = Witness()
        thread = NodeThread(witness, lambda: None)
        began_s, goals = seconds(client.arm_state.header.stamp), 0
        while (passed_s := seconds(client.arm_state.header.stamp) - began_s) < HOUR_S:
            task = client.set_up_task(TASKS[goals % len(TASKS)], FIRST_SEED + goals)
            result = client.reach(task.goals, task.max_steps)
            outcomes[result.outcome.name] = outcomes.get(result.outcome.name, 0) + 1
            memory.append((passed_s, memory_of_planner_mib()))
            goals += 1
        thread.stop()
    warm = [mib for at_s, mib in memory if at_s >= WARM_SHARE * HOUR_S]
    tenth = max(1, len(warm) // 10)
    early, late = np.median(warm[:tenth]), np.median(warm[-tenth:])
    p50_ms, p99_ms = np.percentile(np.array(witness.gaps_s) * 1e3, [50, 99])
    row = {
        "simulated": f"{passed_s:.0f} s at {SPEED:g} x", "goals": goals, "outcomes": outcomes,
        "commands": witness.count, "outside limits": witness.outside,
        "memory early, late": f"{early:.0f}, {late:.0f} MiB ({100 * (late / early - 1):+.2f} %)",
        "interval p50, p99": f"{p50_ms:.1f}, {p99_ms:.1f} ms of simulated time",
    }  # fmt: skip
    print("\n", *(f"| {name} | {value} |\n" for name, value in row.items()), sep="")
    assert witness.count > 0 and witness.outside == 0
    assert late / early - 1 <= MAX_GROWTH
    assert p50_ms == pytest.approx(PERIOD_S * 1e3, abs=1.0)
