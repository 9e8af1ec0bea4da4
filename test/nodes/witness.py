"""Who looks at every command that passes, and judges it by the limits; and how much memory the planner has."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from rclpy.node import Node
from rclpy.parameter import Parameter
from trajectory_msgs.msg import JointTrajectory

from jepa_planner.control.limits import SafetyLimits
from jepa_planner.nodes import qos

LIMITS = SafetyLimits.panda()
KINEMATICS = LIMITS.kinematics()


class Witness(Node):
    """Checks every command as it passes, and times those of one motion on the simulation's clock."""

    def __init__(self) -> None:
        super().__init__("witness", parameter_overrides=[Parameter("use_sim_time", value=True)])
        self.count = self.outside = 0
        self.gaps_s: list[float] = []
        self.came_at_s: list[float] = []
        """When commands did, on the steady clock."""
        self._last_s: float | None = None
        self.create_subscription(JointTrajectory, "joint_trajectory", self._judge, qos.COMMAND)

    def _judge(self, message: JointTrajectory) -> None:
        arrived_s, point = self.get_clock().now().nanoseconds * 1e-9, message.points[0]
        self.came_at_s.append(time.monotonic())
        q, dq = np.array(point.positions), np.array(point.velocities)
        if self._last_s is not None:
            self.gaps_s.append(arrived_s - self._last_s)
        self._last_s = arrived_s if np.any(dq) else None
        speed_max = KINEMATICS.velocity_rad_s * LIMITS.joint_velocity_scale * (1 + 1e-6)
        good = np.all((q >= KINEMATICS.lower_rad - 1e-9) & (q <= KINEMATICS.upper_rad + 1e-9))
        good &= np.all(np.abs(dq) <= speed_max)
        good &= LIMITS.inside_workspace(KINEMATICS.tcp_pose(q)[0], tolerance_m=2e-3)
        good &= not np.any(message.points[-1].velocities)
        self.count += 1
        self.outside += not good


def memory_of_planner_mib() -> float:
    """Resident memory of the planner's and the simulator's processes that this one started."""
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
