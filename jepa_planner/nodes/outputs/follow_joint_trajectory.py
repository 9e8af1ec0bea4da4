"""Whole motions as goals of an action server, as MoveIt sends them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from action_msgs.msg import GoalStatus
from rclpy.lifecycle import LifecycleNode

from jepa_planner.control.setpoints import JointPoint, Setpoint
from jepa_planner.core.status import Status, StatusCode
from jepa_planner.nodes.outputs.action_output import ActionClients, ActionOutput
from jepa_planner.nodes.outputs.trajectories import trajectory

ERRORS = (
    "INVALID_GOAL", "INVALID_JOINTS", "OLD_HEADER_TIMESTAMP", "PATH_TOLERANCE_VIOLATED", "GOAL_TOLERANCE_VIOLATED",
)  # fmt: skip
"""Names of the action's error codes."""
RESULT_LATE_S = 2.0
"""So long after a trajectory's last point its result is waited for."""
ERRORS = (
    *("INVALID_GOAL", "INVALID_JOINTS", "OLD_HEADER_TIMESTAMP", "PATH_TOLERANCE_VIOLATED"),
    "GOAL_TOLERANCE_VIOLATED",
)
REST_S = 0.2
"""Coming to rest takes so long at least, also where the arm is thought to rest already."""


class FollowJointTrajectoryOutput(ActionOutput):
    """control_msgs/action/FollowJointTrajectory: the setpoints of a motion from its first to its last, in one goal.

    What brakes is a newer goal, which takes the place of the one before: one point at which the arm rests, so that the
    controller brakes evenly from wherever it is. A cancelled goal would stop it at once.
    """

    takes_whole_motions = True
    action, failure_code = "FollowJointTrajectory", StatusCode.ARM_NOT_FOLLOWING

    def __init__(
        self, node: LifecycleNode, clients: ActionClients, joint_names: tuple[str, ...], frame: str, period_s: float
    ) -> None:
        super().__init__(node, "arm_action", clients)
        self._names, self._frame, self._period_s = joint_names, frame, period_s
        self._is_motion = False

    @property
    def begun(self) -> bool:
        """Whether a motion was accepted; one that is under way and brakes goes on meanwhile."""
        return not self._is_motion or self.accepted

    def begin(self, way: Sequence[Setpoint], from_rest: bool, now_s: float) -> None:
        """Sends the setpoints of a motion from rest, or only the last one, which brakes."""
        points = self._motion(way) if from_rest else [self._rest(way)]
        self._is_motion = from_rest
        goal = self._type.Goal(trajectory=trajectory(self._names, self._frame, points))
        self._send_goal(goal, now_s, now_s + points[-1].after_s + RESULT_LATE_S)

    def send(self, setpoint: Setpoint) -> None:
        """All setpoints were sent when the motion began."""

    def failure(self, now_s: float) -> Status:
        """Why the last goal is not carried out, which includes that it does not end."""
        if self.is_overdue(now_s):
            self._fail(f"did not end a goal within {RESULT_LATE_S:g} s of its last point")
        return super().failure(now_s)

    def _motion(self, way: Sequence[Setpoint]) -> list[JointPoint]:
        """Positions of each period, with the velocities of a curve through them."""
        start_rad = way[0].q_rad - way[0].dq_rad_s * self._period_s
        q_rad = np.array([setpoint.q_rad for setpoint in way])
        dq_rad_s = np.zeros_like(q_rad)
        dq_rad_s[:-1] = (q_rad[1:] - np.concatenate([start_rad[None], q_rad[:-2]])) / (2.0 * self._period_s)
        return [JointPoint((i + 1) * self._period_s, q_rad[i], dq_rad_s[i]) for i in range(len(way))]

    def _rest(self, way: Sequence[Setpoint]) -> JointPoint:
        return JointPoint(max(len(way) * self._period_s, REST_S), way[-1].q_rad, np.zeros_like(way[-1].q_rad))

    def _what_went_wrong(self, status: int, result: Any) -> str:
        kind = self._type.Result
        if status == GoalStatus.STATUS_SUCCEEDED and result.error_code == kind.SUCCESSFUL:
            return ""
        name = next((name for name in ERRORS if getattr(kind, name) == result.error_code), "no error")
        because = f": {result.error_string}" if result.error_string else ""
        return f"ended a goal with error_code {result.error_code}, {name}{because}"
