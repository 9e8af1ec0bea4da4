"""Plans as arm_node takes them: from mpc_node, and from a person at a keyboard."""

from __future__ import annotations

import time

import numpy as np
import torch
from geometry_msgs.msg import Pose

from jepa_planner.control.kinematics import rotation_from_rpy
from jepa_planner.core.arm_layout import GRIPPER, RPY, XYZ
from jepa_planner.core.poses import apply_action
from jepa_planner.msg import Plan
from jepa_planner.nodes import qos
from jepa_planner.nodes.conversions import duration_message, pose, time_message
from jepa_planner.nodes.planner_node import PlannerNode
from jepa_planner.nodes.state_buffer import ArmReport


def tcp_path(actions: np.ndarray, arm: ArmReport) -> np.ndarray:
    """Actions [.., H, 7] as tcp targets [.., H, 7] from the commanded pose on.

    Starting from where the arm was told to be keeps a resting arm's small sag from adding up over steps.
    """
    targets = [torch.from_numpy(arm.commanded)]
    for action in torch.from_numpy(np.asarray(actions, dtype=np.float64)).unbind(-2):
        targets.append(apply_action(targets[-1], action))
    return torch.stack(targets[1:], dim=-2).numpy()


def poses_and_closures(path: np.ndarray) -> tuple[list[Pose], list[float]]:
    """tcp targets [H, 7] as messages have them."""
    return [pose(target[XYZ], rotation_from_rpy(target[RPY])) for target in path], [float(x) for x in path[:, GRIPPER]]


class PlanPublisher:
    """Publishes plans and holds; ids grow even over restarts and over clocks that are set back, so that the arm
    can tell a replay.
    """

    def __init__(self, node: PlannerNode, base_frame: str, time_step_s: float, valid_s: float) -> None:
        self._node = node
        self.base_frame = base_frame
        """The frame of targets."""
        self._time_step_s = time_step_s
        self._valid_s = valid_s
        self._last_id = 0
        self._plans = node.create_lifecycle_publisher(Plan, "plan", qos.COMMAND)

    def hold(self) -> None:
        """Tells the arm to brake."""
        self._plans.publish(self._message(Plan.KIND_HOLD))

    def publish(self, actions: np.ndarray, observed_at_s: float, arm: ArmReport) -> Plan:
        """Sends actions [H, 7] as tcp targets; returns what was sent. observed_at_s: what they were chosen by is so
        old (node time).
        """
        newest = max(self._last_id, arm.plan_id, arm.refused_plan_id)
        self._last_id = max(newest + 1, time.time_ns() // 1000)
        message = self._message(Plan.KIND_MOVE)
        message.id = self._last_id
        message.observed_at = time_message(observed_at_s)
        message.poses, message.gripper_closure = poses_and_closures(tcp_path(actions, arm))
        self._plans.publish(message)
        return message

    def destroy(self) -> None:
        """Publishes no longer."""
        self._node.destroy_lifecycle_publisher(self._plans)

    def _message(self, kind: int) -> Plan:
        message = Plan(kind=kind)
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.header.frame_id = self.base_frame
        message.valid_for = duration_message(self._valid_s)
        message.time_step = duration_message(self._time_step_s)
        return message
