"""What executing a goal does to the world: plans for the arm, numbers and pictures for people."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.action.server import ServerGoalHandle
from visualization_msgs.msg import MarkerArray

from jepa_planner.action import ReachGoalImage
from jepa_planner.core.arm_layout import XYZ
from jepa_planner.core.observation import Observation
from jepa_planner.msg import Latent, Plan, PlanStats
from jepa_planner.nodes import qos
from jepa_planner.nodes.conversions import time_message
from jepa_planner.nodes.latents import latent_message
from jepa_planner.nodes.markers import candidate_marker, path_markers
from jepa_planner.nodes.plan_publisher import PlanPublisher, tcp_path
from jepa_planner.nodes.planner_node import PlannerNode
from jepa_planner.nodes.state_buffer import ArmReport
from jepa_planner.nodes.step_clock import StepSeconds
from jepa_planner.nodes.verdicts import verdict_numbers
from jepa_planner.planning.candidates import Candidates
from jepa_planner.planning.decision import Decision, Goal


def actions_of(decision: Decision) -> np.ndarray:
    """The actions [H, 7] of a decision to move; raises ValueError for another."""
    if decision.action is None:
        raise ValueError(f"a decision that says {decision.kind.value} has no action; expected one to move")
    return decision.action[None] if decision.plan is None else decision.plan.actions.numpy()


class PlannerPublisher(PlanPublisher):
    """Publishes what mpc_node says: plans, the numbers behind them, markers for people, and when it wants pictures."""

    def __init__(self, node: PlannerNode, base_frame: str, time_step_s: float, valid_s: float) -> None:
        super().__init__(node, base_frame, time_step_s, valid_s)
        self.unfamiliarity: float | None = None
        """Of the newest decision; None where nothing is monitored."""
        self._stats = node.create_lifecycle_publisher(PlanStats, "~/stats", qos.STATE)
        self._markers = node.create_lifecycle_publisher(MarkerArray, "~/markers", qos.STATE)
        self._observations = node.create_lifecycle_publisher(Latent, "~/observation", qos.STREAM)
        self._picture_wanted = node.create_lifecycle_publisher(Time, "picture_wanted", qos.COMMAND)

    def want_picture(self, from_s: float) -> None:
        """Tells from when on (node time) a picture is wanted; a camera that can be triggered then takes one."""
        self._picture_wanted.publish(time_message(from_s))

    def tell_observation(self, observation: Observation, model: str) -> None:
        """Sends what a plan was made from, where somebody hears it."""
        if self._observations.get_subscription_count():
            self._observations.publish(latent_message(observation, model))

    def draw(self, plan: Plan, arm: ArmReport, candidates: Candidates | None) -> None:
        """Shows a plan that was sent, and what it was chosen from, to people, where somebody looks."""
        if not self._markers.get_subscription_count():
            return
        start_m = arm.commanded_pose[XYZ]
        markers = path_markers(plan, start_m)
        if candidates is not None:
            targets_m = tcp_path(candidates.actions.numpy(), arm)[..., XYZ]
            markers.markers.append(candidate_marker(plan, start_m, targets_m))
        self._markers.publish(markers)

    def publish_stats(self, stats: PlanStats) -> None:
        """Sends statistics, stamped now."""
        stats.header.stamp = self._node.get_clock().now().to_msg()
        self._stats.publish(stats)

    def destroy(self) -> None:
        super().destroy()
        for publisher in (self._stats, self._markers, self._observations, self._picture_wanted):
            self._node.destroy_lifecycle_publisher(publisher)


class PlanSink:
    """`Sink` for one action goal: plans go to the arm, progress to whoever sent the goal."""

    def __init__(self, node: PlannerNode, plans: PlannerPublisher, handle: ServerGoalHandle, model: str) -> None:
        """model: whose observations these are, by `model_id`."""
        self.goals: list[Goal] = []
        self._count = len(handle.request.goals)
        self._node = node
        self._plans = plans
        self._handle = handle
        self._model = model

    def send(self, decision: Decision, observation: Observation, arm: ArmReport, spent: StepSeconds) -> int:
        """Publishes the plan of a decision and its statistics; returns the plan's id."""
        plan = self._plans.publish(actions_of(decision), observation.stamp_s, arm)
        stats = PlanStats(
            plan_id=plan.id, sub_goal=decision.sub_goal, sub_goals=self._count, **verdict_numbers(decision.verdict),
            **{f"{part}_seconds": seconds for part, seconds in asdict(spent).items()},
        )  # fmt: skip
        stats.step, stats.step_in_sub_goal = decision.total_steps, decision.steps_in_sub_goal
        stats.energy, stats.tolerance = decision.energy, self.goals[decision.sub_goal].tolerance
        if decision.plan is not None:
            stats.planned_energy, stats.evaluations = decision.plan.energy, decision.plan.evaluations
            stats.seconds = decision.plan.seconds
        stats.observation_age_s = self._node.now_s() - observation.stamp_s
        self._plans.publish_stats(stats)
        try:
            self._plans.draw(plan, arm, decision.candidates)
            self._plans.tell_observation(observation, self._model)
        except Exception as error:  # the plan is on its way: what is shown to people ends no goal
            self._node.get_logger().error(f"the plan cannot be shown: {error}", throttle_duration_sec=5.0)
        return plan.id

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
            self._plans.unfamiliarity = decision.unfamiliarity
            feedback.sub_goal, feedback.step = decision.sub_goal, decision.total_steps
            feedback.energy, feedback.tolerance = decision.energy, self.goals[decision.sub_goal].tolerance
            if decision.plan is not None:
                feedback.planned_energy = decision.plan.energy
                feedback.seconds_per_plan = decision.plan.seconds
        if self._handle.is_active:
            self._handle.publish_feedback(feedback)
