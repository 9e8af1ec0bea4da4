"""What executing a goal does to the world: plans for the arm, numbers and pictures for people."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose
from rclpy.action.server import ServerGoalHandle
from visualization_msgs.msg import MarkerArray

from jepa_planner.action import ReachGoalImage
from jepa_planner.control.kinematics import rotation_from_rpy
from jepa_planner.core.arm_layout import GRIPPER, RPY, XYZ
from jepa_planner.core.observation import Observation
from jepa_planner.core.poses import apply_action
from jepa_planner.msg import Plan, PlanStats
from jepa_planner.nodes import qos
from jepa_planner.nodes.conversions import duration_message, pose, time_message
from jepa_planner.nodes.markers import path_markers
from jepa_planner.nodes.planner_node import PlannerNode
from jepa_planner.nodes.state_buffer import ArmReport
from jepa_planner.nodes.step_clock import StepSeconds
from jepa_planner.nodes.verdicts import verdict_numbers
from jepa_planner.planning.decision import Decision, Goal


def tcp_path(actions: np.ndarray, arm: ArmReport) -> np.ndarray:
    """Actions [H, 7] as tcp targets [H, 7] from the commanded pose on.

    Starting from where the arm was told to be keeps a resting arm's small sag from adding up over steps.
    """
    targets = [torch.from_numpy(arm.commanded)]
    for action in torch.from_numpy(np.asarray(actions, dtype=np.float64)):
        targets.append(apply_action(targets[-1], action))
    return torch.stack(targets[1:]).numpy()


def poses_and_closures(path: np.ndarray) -> tuple[list[Pose], list[float]]:
    """tcp targets [H, 7] as messages have them."""
    return [pose(target[XYZ], rotation_from_rpy(target[RPY])) for target in path], [float(x) for x in path[:, GRIPPER]]


def actions_of(decision: Decision) -> np.ndarray:
    """The actions [H, 7] of a decision to move; raises ValueError for another."""
    if decision.action is None:
        raise ValueError(f"a decision that says {decision.kind.value} has no action; expected one to move")
    return decision.action[None] if decision.plan is None else decision.plan.actions.numpy()


class PlanPublisher:
    """Publishes plans and holds; ids grow even over restarts and over clocks that are set back, so that the arm
    can tell a replay.
    """

    def __init__(self, node: Any, base_frame: str, time_step_s: float, valid_s: float) -> None:
        self._node = node
        self._base_frame = base_frame
        self._time_step_s = time_step_s
        self._valid_s = valid_s
        self._last_id = 0
        self._plans = node.create_lifecycle_publisher(Plan, "plan", qos.COMMAND)
        self._stats = node.create_lifecycle_publisher(PlanStats, "~/stats", qos.STATE)
        self._markers = node.create_lifecycle_publisher(MarkerArray, "~/markers", qos.STATE)
        self._picture_wanted = node.create_lifecycle_publisher(Time, "picture_wanted", qos.COMMAND)
        self.entities = (self._plans, self._stats, self._markers, self._picture_wanted)

    def hold(self) -> None:
        """Tells the arm to brake."""
        self._plans.publish(self._message(Plan.KIND_HOLD))

    def want_picture(self, from_s: float) -> None:
        """Tells from when on (node time) a picture is wanted; a camera that can be triggered then takes one."""
        self._picture_wanted.publish(time_message(from_s))

    def publish(self, actions: np.ndarray, observation: Observation, arm: ArmReport) -> tuple[int, np.ndarray]:
        """Sends actions [H, 7] as tcp targets; returns the plan's id and the targets [H, 7]."""
        path = tcp_path(actions, arm)
        newest = max(self._last_id, arm.plan_id, arm.refused_plan_id)
        self._last_id = max(newest + 1, time.time_ns() // 1000)
        message = self._message(Plan.KIND_MOVE)
        message.id = self._last_id
        message.observed_at = time_message(observation.stamp_s)
        message.poses, message.gripper_closure = poses_and_closures(path)
        self._plans.publish(message)
        if self._markers.get_subscription_count():
            self._markers.publish(path_markers(message, arm.commanded_pose[XYZ]))
        return self._last_id, path

    def publish_stats(self, stats: PlanStats) -> None:
        """Sends statistics, stamped now."""
        stats.header.stamp = self._node.get_clock().now().to_msg()
        self._stats.publish(stats)

    def _message(self, kind: int) -> Plan:
        message = Plan(kind=kind)
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.header.frame_id = self._base_frame
        message.valid_for = duration_message(self._valid_s)
        message.time_step = duration_message(self._time_step_s)
        return message


class PlanSink:
    """`Sink` for one action goal: plans go to the arm, progress to whoever sent the goal."""

    def __init__(self, node: PlannerNode, plans: PlanPublisher, handle: ServerGoalHandle) -> None:
        self.goals: list[Goal] = []
        self._count = len(handle.request.goals)
        self._node = node
        self._plans = plans
        self._handle = handle

    def send(self, decision: Decision, observation: Observation, arm: ArmReport, spent: StepSeconds) -> int:
        """Publishes the plan of a decision and its statistics; returns the plan's id."""
        plan_id, _ = self._plans.publish(actions_of(decision), observation, arm)
        stats = PlanStats(
            plan_id=plan_id, sub_goal=decision.sub_goal, sub_goals=self._count, **verdict_numbers(decision.verdict),
            **{f"{part}_seconds": seconds for part, seconds in asdict(spent).items()},
        )  # fmt: skip
        stats.step, stats.step_in_sub_goal = decision.total_steps, decision.steps_in_sub_goal
        stats.energy, stats.tolerance = decision.energy, self.goals[decision.sub_goal].tolerance
        if decision.plan is not None:
            stats.planned_energy, stats.evaluations = decision.plan.energy, decision.plan.evaluations
            stats.seconds = decision.plan.seconds
        stats.observation_age_s = self._node.now_s() - observation.stamp_s
        self._plans.publish_stats(stats)
        return plan_id

    def hold(self) -> None:
        """Tells the arm to brake."""
        self._plans.hold()

    def want_picture(self, from_s: float) -> None:
        """Tells cameras from when on a picture is wanted."""
        self._plans.want_picture(from_s)

    def report(self, decision: Decision | None, status: str) -> None:
        """Sends feedback."""
        verdict = None if decision is None else decision.verdict
        feedback = ReachGoalImage.Feedback(status=status, sub_goals=self._count, **verdict_numbers(verdict))
        feedback.missing = "" if verdict is None else verdict.missing
        if decision is not None:
            feedback.sub_goal, feedback.step = decision.sub_goal, decision.total_steps
            feedback.energy, feedback.tolerance = decision.energy, self.goals[decision.sub_goal].tolerance
            if decision.plan is not None:
                feedback.planned_energy = decision.plan.energy
                feedback.seconds_per_plan = decision.plan.seconds
        if self._handle.is_active:
            self._handle.publish_feedback(feedback)
