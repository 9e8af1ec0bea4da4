"""Blocking calls to a running planner and simulator, for command lines and programs."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from action_msgs.msg import GoalStatus
from action_msgs.srv import CancelGoal
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.action import ActionClient
from rclpy.node import Node
from std_srvs.srv import Trigger

from jepa_planner.action import ReachGoalImage
from jepa_planner.model.contract import Contract
from jepa_planner.msg import ArmState, GoalImage
from jepa_planner.nodes import qos
from jepa_planner.nodes.conversions import array_to_image, array_to_png, seconds
from jepa_planner.nodes.goal_executor import Outcome
from jepa_planner.nodes.goal_server import LAST_REJECTION, REJECTIONS
from jepa_planner.nodes.planner_node import diagnostic_statuses, statuses, wait_until
from jepa_planner.nodes.running import NodeThread
from jepa_planner.srv import GetActionChunk, Look, SetUpTask, TaskStatus

CALL_TIMEOUT_S = 10.0
SET_UP_TIMEOUT_S = 60.0
CANCEL_TIMEOUT_S = 2.0
"""For an answer on its way when the one who asked wants to leave."""
REJECTION_TIMEOUT_S = 2.0
"""For the diagnostics of a node that rejected a goal."""
MAX_RAW_BYTES = 200_000
"""Goal images with more pixels than that are sent as PNG: DDS splits them into fewer parts."""
QUIET_S = 0.3
"""Simulated time without commands after which a scene may change."""


class PlannerError(RuntimeError):
    """A node did not answer, or answered that it cannot."""


class Interrupted(PlannerError):
    """Whoever waited wanted to leave, and no goal is being pursued for them."""


@dataclass(frozen=True)
class GoalResult:
    """How a goal ended: outcome with its explanation, actions taken, goal images reached, energy at the end.

    certainty: chance, 0..1, that the objects then lay as the goal pictures show; object_offset_m: how far off they were
    thought to be, infinite where they are elsewhere or not the same ones. Both NaN where nothing was judged.
    """

    outcome: Outcome
    message: str
    steps: int
    sub_goals_reached: int
    final_energy: float
    certainty: float
    object_offset_m: float

    @classmethod
    def of(cls, result: ReachGoalImage.Result) -> GoalResult:
        """From what the action says."""
        return cls(
            Outcome(result.code),
            result.message,
            result.steps,
            result.sub_goals_reached,
            result.final_energy,
            result.certainty,
            result.object_offset_m,
        )


def goal_image(
    views: Sequence[np.ndarray], step_budget: int = 0, tolerance: float = 0.0, view_names: Sequence[str] = ()
) -> GoalImage:
    """A goal from pictures, uint8 RGB [H, W, 3], one per view; 0 leaves budget and tolerance to the model.

    view_names: whose pictures these are; none: of the model's views, in its order. Large ones travel as PNG.
    """
    goal = GoalImage(step_budget=step_budget, tolerance=tolerance, view_names=list(view_names))
    if sum(view.nbytes for view in views) > MAX_RAW_BYTES:
        goal.compressed_views = [array_to_png(view) for view in views]
    else:
        goal.views = [array_to_image(view) for view in views]
    return goal


def named_goal(name: str, step_budget: int = 0, tolerance: float = 0.0) -> GoalImage:
    """A goal of the planner's library; budget and tolerance are of each of its goal images."""
    return GoalImage(name=name, step_budget=step_budget, tolerance=tolerance)


def keep_views(goals: Sequence[GoalImage], contract: Contract) -> None:
    """Leaves the pictures of the model's cameras in goals that name their views.

    Raises ContractError naming a camera that is not there.
    """
    for goal in goals:
        goal.views = [goal.views[place] for place in contract.pick_views(goal.view_names)]
        goal.view_names = list(contract.image.views)


def remap_arguments(remaps: Iterable[tuple[str, str]]) -> list[str]:
    """What a node takes as `cli_args`, of names FROM and TO; FROM may name the planner's node that it is meant for."""
    pairs = [f"{old.rpartition(':')[2]}:={new}" for old, new in remaps]
    return ["--ros-args", *(word for pair in pairs for word in ("-r", pair))] if pairs else []


class PlannerClient:
    """Talks to the nodes of one namespace; `rclpy.init` comes first. Close it, or use it as a context manager.

    Methods raise PlannerError naming the node that did not answer.
    """

    def __init__(self, namespace: str = "", remaps: Sequence[tuple[str, str]] = ()) -> None:
        """remaps: other names of topics and services, each FROM and TO."""
        self.node = Node(
            f"planner_client_{os.getpid()}",
            namespace=namespace,
            cli_args=remap_arguments(remaps),
            use_global_arguments=False,
        )
        self.arm_state: ArmState | None = None
        self.arm_state_came_s = 0.0
        """When it did, on the steady clock."""
        self._reach = ActionClient(self.node, ReachGoalImage, "reach_goal_image")
        self._cancel = self.node.create_client(CancelGoal, "reach_goal_image/_action/cancel_goal")
        self._set_up = self.node.create_client(SetUpTask, "sim_node/set_up_task")
        self._look = self.node.create_client(Look, "encoder_node/look")
        self._chunks = self.node.create_client(GetActionChunk, "mpc_node/get_action_chunk")
        self._status = self.node.create_client(TaskStatus, "sim_node/task_status")
        self._stop = self.node.create_client(Trigger, "arm_node/stop")
        self._reset = self.node.create_client(Trigger, "arm_node/reset")
        self.node.create_subscription(ArmState, "arm_state", self._on_arm_state, qos.STATE)
        self._said: dict[str, str] = {}
        self._rejections, self._last_rejection = 0, ""
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.DIAGNOSTICS)
        self._thread = NodeThread(self.node, lambda: None)

    def __enter__(self) -> PlannerClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the client's thread and node."""
        self._thread.stop()

    def wait_for_planner(self, timeout_s: float = 60.0, cancel: threading.Event | None = None) -> None:
        """Waits until goals can be sent and the arm is known; raises Interrupted when `cancel` is set before."""
        cancel = cancel or threading.Event()
        there = lambda: self._reach.server_is_ready() and self.arm_state is not None  # noqa: E731
        in_time = self._until(lambda: cancel.is_set() or there(), timeout_s)
        if cancel.is_set():
            raise Interrupted("interrupted while waiting for the planner; no goal was sent")
        if not in_time:
            node, what = "mpc_node", "no mpc_node takes goals"
            if self._reach.server_is_ready():
                node, what = "arm_node", "arm_node sends no arm_state"
            said = self._said.get(node)
            why = f"{node}: {said}" if said else "start one with `jepa-planner run`"
            raise PlannerError(f"{what} after {timeout_s:.0f} s; {why}")

    def set_up_task(
        self, task: str, seed: int, goal_images: str = "dense", options: dict | None = None
    ) -> SetUpTask.Response:
        """Stops the arm, builds a simulated scene and returns its goals; the arm starts from its new place."""
        self.stop_arm()
        if not self._until(self._arm_is_quiet, CALL_TIMEOUT_S):
            raise PlannerError("the arm does not come to rest")
        request = SetUpTask.Request(task=task, seed=seed, goal_images=goal_images)
        request.options = json.dumps(options) if options else ""
        response = self._call(self._set_up, request, SET_UP_TIMEOUT_S)
        built_s = seconds(response.goals[0].views[0].header.stamp)
        seen = lambda: self.arm_state is not None and seconds(self.arm_state.header.stamp) > built_s  # noqa: E731
        if not self._until(seen, CALL_TIMEOUT_S):
            raise PlannerError("arm_node does not see the new scene's joint states")
        self.reset_arm()
        return response

    def task_status(self) -> TaskStatus.Response:
        """The simulator's verdict on the task, for evaluation."""
        return self._call(self._status, TaskStatus.Request())

    def look(self, save_as: str = "", append: bool = False, wait_s: float = CALL_TIMEOUT_S) -> Look.Response:
        """What the cameras show now, kept in the planner's library where a name is given; wait_s: for the planner."""
        self._until(self._look.service_is_ready, wait_s)
        return self._call(self._look, Look.Request(save_as=save_as, append=append))

    def action_chunk(self, goals: Sequence[GoalImage], timeout_s: float = 60.0, **seen: Any) -> GetActionChunk.Response:
        """The next actions towards goals; nothing moves. seen: fields of the request, for what is not seen now."""
        request = GetActionChunk.Request(goals=list(goals), **seen)
        response = self._wait_for(self._chunks, request, timeout_s)
        if response.status == GetActionChunk.Response.ERROR:
            raise PlannerError(f"{self._chunks.srv_name}: {response.message}")
        return response

    def cancel_goals(self) -> int:
        """Cancels all goals, whoever sent them; returns how many there were."""
        answer: CancelGoal.Response = self._wait_for(self._cancel, CancelGoal.Request(), CALL_TIMEOUT_S)
        return len(answer.goals_canceling)

    def stop_arm(self) -> None:
        """Stops the arm until `reset_arm`."""
        self._call(self._stop, Trigger.Request())

    def reset_arm(self) -> None:
        """Releases a stop and makes the measured state the starting point."""
        self._call(self._reset, Trigger.Request())

    def reach(
        self,
        goals: Sequence[GoalImage],
        max_steps: int = 0,
        on_feedback: Callable[[ReachGoalImage.Feedback], None] = lambda _: None,
        cancel: threading.Event | None = None,
        timeout_s: float = 600.0,
    ) -> GoalResult:
        """Sends goals and waits for the outcome; setting `cancel` cancels them and the arm stops.

        Raises PlannerError for goals that are rejected, saying why, do not end in time or are lost with their planner.
        """
        cancel = cancel or threading.Event()
        request = ReachGoalImage.Goal(goals=list(goals), max_steps=max_steps)
        rejections_before = self._rejections
        sent = self._ask(
            lambda: self._reach.send_goal_async(
                request, feedback_callback=lambda message: on_feedback(message.feedback)
            )
        )
        self._until(lambda: sent.done() or cancel.is_set(), CALL_TIMEOUT_S)
        if not self._until(sent.done, CANCEL_TIMEOUT_S):
            raise PlannerError("mpc_node did not answer; should it still take the goal, arm_node/stop stops the arm")
        handle = sent.result()
        if not handle.accepted:
            is_told = self._until(lambda: self._rejections > rejections_before, REJECTION_TIMEOUT_S)
            why = self._last_rejection if is_told else self._said.get("mpc_node")
            raise PlannerError(f"mpc_node rejected the goal: {why or 'its log says why'}")
        ended = self._ask(handle.get_result_async)
        if not self._until(lambda: ended.done() or cancel.is_set(), timeout_s):
            self._wait(self._ask(handle.cancel_goal_async), "mpc_node", CALL_TIMEOUT_S)
            raise PlannerError(f"the goal did not end within {timeout_s:.0f} s and was cancelled")
        if not ended.done():
            taken: CancelGoal.Response = self._wait(self._ask(handle.cancel_goal_async), "mpc_node", CALL_TIMEOUT_S)
            if taken.return_code not in (CancelGoal.Response.ERROR_NONE, CancelGoal.Response.ERROR_GOAL_TERMINATED):
                raise PlannerError("mpc_node did not take the cancellation")
        answer = self._wait(ended, "mpc_node", CALL_TIMEOUT_S)
        result = GoalResult.of(answer.result)
        if result.outcome is Outcome.REACHED and answer.status != GoalStatus.STATUS_SUCCEEDED:  # an empty result
            raise PlannerError("mpc_node lost the goal; its log says why, or it was started anew")
        return result

    def _arm_is_quiet(self) -> bool:
        state = self.arm_state
        return (
            state is not None and not state.moving and seconds(state.header.stamp) > seconds(state.rest_since) + QUIET_S
        )

    def _on_arm_state(self, message: ArmState) -> None:
        self.arm_state, self.arm_state_came_s = message, time.monotonic()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self._said |= {name: status.text for name, status in statuses(message, self.node.get_namespace()).items()}
        if status := diagnostic_statuses(message, self.node.get_namespace()).get("mpc_node"):
            told = {value.key: value.value for value in status.values}
            self._last_rejection = told.get(LAST_REJECTION, "")
            self._rejections = int(told.get(REJECTIONS, 0))

    def _wait_for(self, client, request, timeout_s: float):
        if not self._until(client.service_is_ready, CALL_TIMEOUT_S):
            raise PlannerError(f"service {client.srv_name} is not there; start its node with `jepa-planner run`")
        return self._wait(self._ask(lambda: client.call_async(request)), client.srv_name, timeout_s)

    def _call(self, client, request, timeout_s: float = CALL_TIMEOUT_S):
        response = self._wait_for(client, request, timeout_s)
        if not response.success:
            raise PlannerError(f"{client.srv_name}: {response.message}")
        return response

    def _ask(self, request: Callable[[], Any]) -> Any:
        """Sends a request from the node's own thread: from another one, its answer can arrive before it is noted and
        is then dropped.
        """
        sent: list[Any] = []
        if not self._thread.call(lambda: sent.append(request()), CALL_TIMEOUT_S):
            raise PlannerError("the client's own node does not run any more")
        return sent[0]

    def _wait(self, future, who: str, timeout_s: float):
        if not self._until(future.done, timeout_s):
            raise PlannerError(f"{who} did not answer within {timeout_s:.0f} s")
        return future.result()

    def _until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Waits for a condition; raises PlannerError when ROS is shut down meanwhile."""
        if not wait_until(lambda: not self.node.context.ok() or condition(), timeout_s):
            return False
        if not self.node.context.ok():
            raise PlannerError("ROS was shut down")
        return True
