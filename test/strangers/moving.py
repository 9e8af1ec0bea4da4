"""The stranger's UR5e with arm_node before it, and plans as mpc_node would send them: no model knows this arm."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import yaml
from bench import ROBOTS, on_core, processes, until
from geometry_msgs.msg import Pose
from jepa_planner.msg import ArmState, Plan
from rclpy.node import Node
from std_srvs.srv import Trigger

from jepa_planner.control.limits import SafetyLimits
from jepa_planner.nodes import qos
from jepa_planner.nodes.conversions import duration_message, numbers, point
from jepa_planner.nodes.running import NodeThread

PREFIX = "ur_"
LIMITS = {
    "joint_prefix": PREFIX,
    "base_frame": "base_link",
    "tcp_frame": "grasp_point",
    "gripper_joints": ["robotiq_85_left_knuckle_joint"],
    "gripper_open": 0.0,
    "gripper_closed": 0.8,
    "workspace_min_m": [0.30, -0.20, 0.05],
    "workspace_max_m": [0.60, 0.30, 0.45],
    "workspace_yaw_rad": [-3.0, 3.0],
    "linear_velocity_m_s": 0.6,
    "linear_acceleration_m_s2": 4.0,
    "linear_jerk_m_s3": 200.0,
    "angular_velocity_rad_s": 1.0,
    "angular_acceleration_rad_s2": 6.0,
    "angular_jerk_rad_s3": 200.0,
    "gripper_rate_per_s": 5.0,
    "joint_margin_rad": 0.05,
    "joint_slowdown_rad": 0.10,
    "joint_velocity_scale": 0.4,
    "singularity_slowdown": 0.05,
    "max_step_m": 0.11,
}


class MovingBench(Node):
    """Sends plans, hears the arm's state, and asks the robot's physics what it did."""

    def __init__(self, folder: Path, gripper_closed: float, whole_motions: bool) -> None:
        super().__init__("plans", use_global_arguments=False)
        self.folder, self.gripper_closed, self.whole_motions = folder, gripper_closed, whole_motions
        self.state: ArmState | None = None
        self._number = 0
        self._plans = self.create_publisher(Plan, "plan", qos.COMMAND)
        self.create_subscription(ArmState, "arm_state", self._on_state, qos.STATE)
        self._ask = {
            name: self.create_client(Trigger, name) for name in ("arm_node/stop", "arm_node/reset", "/bench/measured")
        }
        self.thread = NodeThread(self, lambda: None)

    def close(self) -> None:
        self.thread.stop()

    def call(self, name: str) -> Trigger.Response:
        client, sent = self._ask[name], []
        until(client.service_is_ready, name)
        assert self.thread.call(lambda: sent.append(client.call_async(Trigger.Request())))
        until(sent[0].done, f"an answer of {name}")
        return sent[0].result()

    def measured(self) -> dict:
        """What the physics did since this was asked last: extremes [least, most] by name, and counts."""
        return json.loads(self.call("/bench/measured").message)

    def tcp_m(self) -> np.ndarray:
        """Measured by arm_node."""
        return numbers(self.state.pose.position)

    @property
    def is_heard(self) -> bool:
        """Whether a plan would come to arm_node: what is sent before is lost."""
        return self._plans.get_subscription_count() > 0

    def at_rest(self, mode: int = ArmState.MODE_HOLDING) -> bool:
        return self.state is not None and self.state.mode == mode and not self.state.moving

    def send(
        self, xyz_m: np.ndarray, closure: float | None = None, kind: int = Plan.KIND_MOVE, takes_s: float = 0.25
    ) -> int:
        """A plan with one step, made now."""
        self._number += 1
        now = self.get_clock().now().to_msg()
        closure = self.state.closure_commanded if closure is None else closure
        plan = Plan(id=self._number, kind=kind, observed_at=now, gripper_closure=[float(closure)])
        plan.header.stamp, plan.header.frame_id = now, "base_link"
        plan.valid_for, plan.time_step = duration_message(1.0), duration_message(takes_s)
        plan.poses = [Pose(position=point(xyz_m), orientation=self.state.commanded_pose.orientation)]
        self._plans.publish(plan)
        return self._number

    def move(self, xyz_m: np.ndarray, closure: float | None = None) -> None:
        """Sends a step and waits until it was taken and the arm rests."""
        number = self.send(xyz_m, closure)
        until(lambda: number in (self.state.plan_id, self.state.refused_plan_id), f"answer to plan {number}", 5.0)
        assert self.state.refused_plan_id != number, self.state.reason
        until(self.at_rest, f"rest after plan {number}: {self.state.reason}", 10.0)

    def _on_state(self, message: ArmState) -> None:
        self.state = message


def write_limits(folder: Path, changes: Mapping[str, object]) -> SafetyLimits:
    """A limits file for the robot's own description; its driver puts a prefix before the names."""
    urdf, file = folder / "ur5e.urdf", folder / "limits.yaml"
    command = [sys.executable, ROBOTS / "ur5e_mujoco.py", "--write-urdf", urdf]
    subprocess.run(command, check=True, timeout=60)
    file.write_text(yaml.safe_dump({"robot_description": str(urdf)} | LIMITS | dict(changes)))
    return SafetyLimits.load(file)


@contextmanager
def ur5e_bench(
    folder: Path, *options: str, limits: Mapping[str, object] = {}, **parameters: object
) -> Iterator[MovingBench]:
    """The robot and arm_node in processes of their own, arm_node on one core; ROS is initialised."""
    gripper_closed = write_limits(folder, limits).gripper_closed
    arm = {"limits_file": str(folder / "limits.yaml"), **parameters}
    file = folder / "ur5e.yaml"
    file.write_text(yaml.safe_dump({"/**/arm_node": {"ros__parameters": arm}}))
    node = [sys.executable, "-m", "jepa_planner.nodes.arm_node", "--ros-args", "--params-file", file]
    remap = ["-r", "joint_trajectory:=/scaled_joint_trajectory_controller/joint_trajectory"]
    robot = [sys.executable, ROBOTS / "ur5e_mujoco.py", "--prefix", PREFIX, *options]
    with processes(folder, arm_node=[*on_core(0), *node, *remap], robot=robot):
        bench = MovingBench(folder, gripper_closed, "output" in parameters)
        try:
            until(lambda: bench.at_rest() and bench.is_heard, "arm that can be moved")
            yield bench
        finally:
            bench.close()
