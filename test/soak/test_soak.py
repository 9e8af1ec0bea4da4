"""An hour of goals through the nodes: memory, limits and rate. `make soak` runs it and prints the table."""

import os
from pathlib import Path

import numpy as np
import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter
from trajectory_msgs.msg import JointTrajectory

from jepa_planner.cli.ros.trials import simulated_planner
from jepa_planner.control.limits import SafetyLimits
from jepa_planner.nodes import qos
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
LIMITS = SafetyLimits.panda()
KINEMATICS = LIMITS.kinematics()


class Witness(Node):
    """Checks every command as it passes, and times those of one motion on the simulation's clock."""

    def __init__(self) -> None:
        super().__init__("soak_witness", parameter_overrides=[Parameter("use_sim_time", value=True)])
        self.count = self.outside = 0
        self.gaps_s: list[float] = []
        self._last: tuple[float, np.ndarray] | None = None
        self.create_subscription(JointTrajectory, "joint_trajectory", self._judge, qos.COMMAND)

    def _judge(self, message: JointTrajectory) -> None:
        arrived_s, point = self.get_clock().now().nanoseconds * 1e-9, message.points[0]
        q, dq = np.array(point.positions), np.array(point.velocities)
        moving = bool(np.any(dq))
        if self._last is not None:
            self.gaps_s.append(arrived_s - self._last[0])
        self._last = (arrived_s, q) if moving else None
        speed_max = KINEMATICS.velocity_rad_s * LIMITS.joint_velocity_scale * (1 + 1e-6)
        good = np.all((q >= KINEMATICS.lower_rad - 1e-9) & (q <= KINEMATICS.upper_rad + 1e-9))
        good &= np.all(np.abs(dq) <= speed_max)
        good &= LIMITS.inside_workspace(KINEMATICS.tcp_pose(q)[0], tolerance_m=2e-3)
        good &= not np.any(message.points[-1].velocities)
        self.count += 1
        self.outside += not good


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
