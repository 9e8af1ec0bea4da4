"""What ros2_control's controllers offer on ROS 2: trajectories by topic and action, grippers by action."""

from __future__ import annotations

import numpy as np
from control_msgs.action import FollowJointTrajectory, GripperCommand, ParallelGripperCommand
from joint_trajectory import Follower, Rejected, Waypoint
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

STALL_TIMEOUT_S = 0.5
PREEMPTED = "a newer goal took its place"


class CyclicActionServer(ActionServer):
    """One goal at a time, which begins when it is accepted and ends in a cycle of the driver, without a thread."""

    def __init__(self, node: Node, kind, name: str, judge, begin) -> None:
        """judge: says of a goal's message whether it is accepted. begin: is told the message of one that was."""
        self.active: ServerGoalHandle | None = None
        self.outcomes: list[str] = []
        self._begin_goal = begin
        super().__init__(
            node, kind, name, execute_callback=lambda _: None, goal_callback=judge,
            handle_accepted_callback=self._accept, cancel_callback=lambda _: CancelResponse.ACCEPT,
        )  # fmt: skip

    @property
    def cancelling(self) -> bool:
        return self.active is not None and self.active.is_cancel_requested

    def end(self, how: str, result) -> None:
        """how: succeed, abort or canceled."""
        if self.active is None:
            return
        handle, self.active = self.active, None
        self.outcomes.append(how)

        def finish(handle: ServerGoalHandle):
            getattr(handle, how)()
            return result

        super().notify_execute(handle, finish)

    def notify_execute(self, goal_handle: ServerGoalHandle, execute_callback) -> None:
        """rclpy calls this when a goal begins, to run it to its end; here it ends later."""

    def _accept(self, handle: ServerGoalHandle) -> None:
        self._begin_goal(handle.request)
        handle.execute()
        self.active = handle


class TrajectoryController:
    """`NAME/joint_trajectory` and `NAME/follow_joint_trajectory` for the joints of a follower.

    The driver calls `update` in each of its cycles, in the thread that spins the node.
    """

    def __init__(self, node: Node, name: str, follower: Follower) -> None:
        self.follower = follower
        self.taken = self.rejected = 0
        self._node = node
        self._q = follower.update(0.0, np.zeros(len(follower.joints)))[0]
        self._dq = np.zeros(len(self._q))
        node.create_subscription(JointTrajectory, f"{name}/joint_trajectory", self._on_topic, 10)
        self.goals = CyclicActionServer(
            node, FollowJointTrajectory, f"{name}/follow_joint_trajectory", self._judge, self._begin
        )

    def update(self, q: np.ndarray, dq: np.ndarray, now_s: float) -> np.ndarray:
        """The positions to command in the cycle of a time (s since the epoch)."""
        self._q, self._dq = q, dq
        if self.goals.cancelling:
            self.follower.hold(q)
            self._end("canceled", 0, "cancelled")
        command, ended = self.follower.update(now_s, q)
        if ended is not None:
            self._end("abort" if ended else "succeed", ended, "" if ended == 0 else "out of tolerance")
        return command

    def hold(self, q: np.ndarray) -> None:
        """Stay here, whatever was being followed."""
        self.follower.hold(q)
        self._q, self._dq = q, np.zeros(len(q))
        self._end("abort", 0, "held")

    def _on_topic(self, message: JointTrajectory) -> None:
        try:
            self._follow(self.follower, message)
        except Rejected as error:
            self.rejected += 1
            self._node.get_logger().error(f"trajectory rejected: {error}", throttle_duration_sec=1.0)

    def _judge(self, goal: FollowJointTrajectory.Goal) -> GoalResponse:
        try:
            self._follow(Follower(self.follower.joints, self._q), goal.trajectory, goal.path_tolerance)
        except Rejected as error:
            self.rejected += 1
            self._node.get_logger().error(f"goal rejected: {error}")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _begin(self, goal: FollowJointTrajectory.Goal) -> None:
        self._end("canceled" if self.goals.cancelling else "abort", -1, PREEMPTED)
        try:
            self._follow(self.follower, goal.trajectory, goal.path_tolerance)
        except Rejected as error:  # between its acceptance and now it may have become old
            self._node.get_logger().error(f"goal not followed: {error}")
            self.follower.hold(self._q)

    def _follow(self, follower: Follower, message: JointTrajectory, path_tolerance=()) -> None:
        now_s, stamp = self._now_s(), message.header.stamp
        follower.take(
            message.joint_names, [_waypoint(point) for point in message.points],
            (stamp.sec + stamp.nanosec * 1e-9) or now_s, now_s, (self._q, self._dq),
            {limit.name: limit.position for limit in path_tolerance},
        )  # fmt: skip
        self.taken += follower is self.follower

    def _end(self, how: str, code: int, text: str) -> None:
        self.goals.end(how, FollowJointTrajectory.Result(error_code=code, error_string=text))

    def _now_s(self) -> float:
        return self._node.get_clock().now().nanoseconds * 1e-9


def _waypoint(point) -> Waypoint:
    after_s = point.time_from_start.sec + point.time_from_start.nanosec * 1e-9
    dq, ddq = (np.array(part) if len(part) else None for part in (point.velocities, point.accelerations))
    return Waypoint(after_s, np.array(point.positions), dq, ddq)


class GripperController:
    """`NAME/gripper_cmd` with positions of one finger joint; `kind` is gripper_command or parallel.

    A goal ends when the finger is there or stalled; stalled it is aborted unless `allow_stalling`, as by
    gripper_action_controller and parallel_gripper_action_controller.
    """

    def __init__(
        self, node: Node, name: str, joint: str, kind: str, position: float, tolerance: float, allow_stalling: bool
    ) -> None:
        self.target = self._seen = position
        self._joint, self._kind = joint, {"gripper_command": GripperCommand, "parallel": ParallelGripperCommand}[kind]
        self._tolerance, self._allow_stalling = tolerance, allow_stalling
        self._node = node
        self._moved_s = 0.0
        self.goals = CyclicActionServer(node, self._kind, f"{name}/gripper_cmd", self._judge, self._begin)

    def update(self, position: float, now_s: float) -> float:
        """The position to command in the cycle of a time (s since the epoch)."""
        if self.goals.active is None or abs(position - self._seen) > 0.1 * self._tolerance:
            self._seen, self._moved_s = position, now_s
        if self.goals.cancelling:
            self.target = position
            self._end("canceled")
        elif abs(position - self.target) < self._tolerance:
            self._end("succeed", reached=True)
        elif now_s - self._moved_s > STALL_TIMEOUT_S:
            self._end("succeed" if self._allow_stalling else "abort", stalled=True)
        return self.target

    def _judge(self, goal) -> GoalResponse:
        right = self._kind is GripperCommand or (
            list(goal.command.name) == [self._joint] and len(goal.command.position) == 1
        )
        if not right:
            self._node.get_logger().error(f"gripper goal rejected: {goal.command}")
        return GoalResponse.ACCEPT if right else GoalResponse.REJECT

    def _begin(self, goal) -> None:
        self._end("abort")
        self._moved_s = self._node.get_clock().now().nanoseconds * 1e-9
        position = goal.command.position
        self.target = float(position if self._kind is GripperCommand else position[0])

    def _end(self, how: str, stalled: bool = False, reached: bool = False) -> None:
        result = self._kind.Result(stalled=stalled, reached_goal=reached)
        if self._kind is GripperCommand:
            result.position = self._seen
        else:
            result.state = JointState(name=[self._joint], position=[self._seen])
        self.goals.end(how, result)
