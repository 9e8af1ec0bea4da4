"""A robot that is commanded by actions, with controllers that follow, reject, abort, stall or fall silent."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from control_msgs.action import FollowJointTrajectory, GripperCommand, ParallelGripperCommand
from harness import HOME_RAD, KINEMATICS, Robot
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node

from jepa_planner.nodes.conversions import seconds

GoalEvent = rclpy_implementation.GoalEvent
ARM_ACTION = "arm_controller/follow_joint_trajectory"
GRIPPER_ACTION = "gripper_controller/gripper_cmd"


class Controller(ActionServer):
    """An action server whose goals end when its node says so; a newer one takes the place of the one before."""

    def __init__(self, node: Node, action_type: Any, name: str) -> None:
        self.goals: list[Any] = []
        self.cancelled = 0
        self.rejects, self.slow_s = False, 0.0
        self.running: ServerGoalHandle | None = None
        self._action = action_type
        super().__init__(
            node,
            action_type,
            name,
            lambda _: None,
            goal_callback=self._judge,
            handle_accepted_callback=self._begin,
            cancel_callback=self._on_cancel,
        )

    def notify_execute(self, goal_handle: ServerGoalHandle, execute_callback: Any) -> None:
        """The node's timer goes on with it."""

    def taken(self, goal: Any) -> None:
        """What the robot does with a goal."""

    def dropped(self) -> None:
        """What it does when one is cancelled."""

    def end(self, how: str, **result: Any) -> None:
        """Ends what runs: succeed, abort or canceled."""
        handle, self.running = self.running, None
        if handle is not None:
            getattr(handle, how)()
            super().notify_execute(handle, lambda _: self._action.Result(**result))

    def cancel_by_itself(self, **result: Any) -> None:
        """Cancels what runs though nobody asked for it."""
        self.running._update_state(GoalEvent.CANCEL_GOAL)
        self.end("canceled", **result)

    def _judge(self, _: Any) -> GoalResponse:
        time.sleep(self.slow_s)
        return GoalResponse.REJECT if self.rejects else GoalResponse.ACCEPT

    def _begin(self, handle: ServerGoalHandle) -> None:
        if self.running is not None:
            self.replace()
        self.running = handle
        handle.execute()
        self.taken(handle.request)
        self.goals.append(handle.request)  # last: who waits for it looks at what was made of it

    def replace(self) -> None:
        """Ends a goal of which a newer one takes the place."""
        self.end("abort")

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        self.cancelled += 1
        self.dropped()
        return CancelResponse.ACCEPT


@dataclass
class Curve:
    """Cubic pieces through points with velocities, from a state that the controller was in."""

    began_s: float
    times_s: np.ndarray
    q_rad: np.ndarray
    dq_rad_s: np.ndarray

    def at(self, time_s: float) -> tuple[np.ndarray, np.ndarray]:
        passed_s = time_s - self.began_s
        if passed_s >= self.times_s[-1]:
            return self.q_rad[-1], np.zeros_like(self.q_rad[-1])
        i = int(np.searchsorted(self.times_s, passed_s, side="right")) - 1
        long_s = self.times_s[i + 1] - self.times_s[i]
        s = (passed_s - self.times_s[i]) / long_s
        (p0, p1), (v0, v1) = self.q_rad[i : i + 2], self.dq_rad_s[i : i + 2] * long_s
        a, b = 2 * p0 - 2 * p1 + v0 + v1, -3 * p0 + 3 * p1 - 2 * v0 - v1
        return ((a * s + b) * s + v0) * s + p0, ((3 * a * s + 2 * b) * s + v0) / long_s


class TrajectoryController(Controller):
    """Follows trajectories as joint_trajectory_controller does, by its own clock."""

    def __init__(self, node: Node, name: str = ARM_ACTION) -> None:
        super().__init__(node, FollowJointTrajectory, name)
        rest = np.zeros((1, len(HOME_RAD)))
        self.curves = [Curve(time.monotonic(), np.zeros(1), HOME_RAD[None], rest)]
        self.ends_goals, self.follows = True, True

    def taken(self, goal: FollowJointTrajectory.Goal) -> None:
        now_s, points = time.monotonic(), goal.trajectory.points
        order = [list(goal.trajectory.joint_names).index(name) for name in KINEMATICS.joint_names]
        q_rad, dq_rad_s = self.curves[-1].at(now_s)
        self.curves.append(
            Curve(
                now_s,
                np.array([0.0, *(seconds(point.time_from_start) for point in points)]),
                np.array([q_rad, *(np.array(point.positions)[order] for point in points)]),
                np.array([dq_rad_s, *(np.array(point.velocities)[order] for point in points)]),
            )
        )

    def replace(self) -> None:
        self.end("abort", error_code=-1, error_string="a newer goal came")

    def dropped(self) -> None:
        """Stands at once."""
        q_rad, _ = self.curves[-1].at(time.monotonic())
        self.curves.append(Curve(time.monotonic(), np.zeros(1), q_rad[None], np.zeros((1, len(q_rad)))))

    def give_up(self, **result: Any) -> None:
        """Stands at once and aborts."""
        self.dropped()
        self.end("abort", **result)

    def turn(self) -> np.ndarray:
        """Where the joints are now; ends a goal that is done."""
        now_s, curve = time.monotonic(), self.curves[-1]
        if self.running is not None and self.running.is_cancel_requested:
            self.end("canceled")
        elif self.ends_goals and now_s > curve.began_s + curve.times_s[-1]:
            self.end("succeed")
        return curve.at(now_s)[0]

    def sampled(self, period_s: float = 0.001) -> np.ndarray:
        """All that it did since its first goal, joint positions [times, joints]."""
        began_s, last = [curve.began_s for curve in self.curves], self.curves[-1]
        times_s = np.arange(began_s[1], last.began_s + last.times_s[-1] + 0.02, period_s)
        return np.array([self.curves[np.searchsorted(began_s, t, side="right") - 1].at(t)[0] for t in times_s])


class GripperController(Controller):
    """Moves the fingers at a speed; stalls on a thing of some width, or does nothing."""

    def __init__(self, node: Node, action_type: Any) -> None:
        super().__init__(node, action_type, GRIPPER_ACTION)
        self.speed_m_s, self.thing_m, self.m_per_unit = 0.2, 0.0, 1.0
        self.aborts_stalled, self.ends_goals = False, True
        self._aim_m = 0.04

    def taken(self, goal: Any) -> None:
        position = goal.command.position
        self._aim_m = (position[0] if self._action is ParallelGripperCommand else position) * self.m_per_unit

    def turn(self, finger_m: float, period_s: float) -> float:
        """Where the fingers are a period later; ends a goal that is done."""
        step_m = self.speed_m_s * period_s
        aim_m = max(self._aim_m, self.thing_m)
        finger_m += float(np.clip(aim_m - finger_m, -step_m, step_m))
        if self.running is not None and self.ends_goals and abs(finger_m - aim_m) < 1e-9:
            stalled = aim_m != self._aim_m
            how = "abort" if stalled and self.aborts_stalled else "succeed"
            self.end(how, stalled=stalled, reached_goal=not stalled)
        return finger_m


class ActionRobot(Robot):
    """Arm and gripper by actions; `arm` and `gripper` are their controllers."""

    gripper_type = ParallelGripperCommand

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        self.arm: TrajectoryController | None = TrajectoryController(self)
        self.gripper: GripperController | None = GripperController(self, self.gripper_type)

    def _publish_joints(self) -> None:
        arm, gripper = getattr(self, "arm", None), getattr(self, "gripper", None)
        if arm is not None:
            q_rad = arm.turn()
            self.q_rad = q_rad if arm.follows else self.q_rad
        if gripper is not None:
            self.finger_m = gripper.turn(self.finger_m, 0.01)
        super()._publish_joints()


class GripperCommandRobot(ActionRobot):
    """The same with the older action of grippers."""

    gripper_type = GripperCommand
