"""The service `~/get_action_chunk`: what the planner would do next, for those who move the arm themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from jepa_planner.action import ReachGoalImage
from jepa_planner.core.observation import Observation
from jepa_planner.model.contract import Contract
from jepa_planner.nodes.arm_states import arm_report
from jepa_planner.nodes.conversions import seconds, time_message
from jepa_planner.nodes.goal_executor import Ended, GoalExecutor, Outcome, Sink
from jepa_planner.nodes.goal_pictures import picked
from jepa_planner.nodes.goal_preparation import GoalPreparation
from jepa_planner.nodes.goal_server import GoalIsPursued, GoalServer
from jepa_planner.nodes.late_service import Give, LateService
from jepa_planner.nodes.local_model import LocalEncoder
from jepa_planner.nodes.plan_publisher import poses_and_closures, tcp_path
from jepa_planner.nodes.plan_sink import actions_of
from jepa_planner.nodes.planner_node import PlannerNode
from jepa_planner.nodes.remote_model import RemoteEncoder
from jepa_planner.nodes.state_buffer import ArmReport, StateBuffer
from jepa_planner.nodes.step_clock import StepSeconds
from jepa_planner.nodes.verdicts import verdict_numbers
from jepa_planner.planning.decision import Decision, DecisionKind, Goal
from jepa_planner.planning.factory import Controller
from jepa_planner.srv import GetActionChunk

Executors = Callable[[Callable[[], Controller], Sink], GoalExecutor]
"""What makes an executor of what prepares its controller, and of what it may do to the world."""


class ActionChunks:
    """Plans as the action does, in the thread of the goals; never while one is pursued, and the arm is told nothing."""

    def __init__(
        self,
        node: PlannerNode,
        contract: Contract,
        preparation: GoalPreparation,
        encoder: LocalEncoder | RemoteEncoder,
        state_buffer: StateBuffer,
        goals: GoalServer,
        executor_of: Executors,
        want_picture: Callable[[float], None],
    ) -> None:
        self._node, self._contract, self._preparation = node, contract, preparation
        self._encoder, self._buffer, self._goals = encoder, state_buffer, goals
        self._executor_of, self._want_picture = executor_of, want_picture
        self._service = LateService(node, GetActionChunk, "~/get_action_chunk", self._begin)

    def destroy(self) -> None:
        """Ends the service."""
        self._service.destroy()

    def _begin(self, request: GetActionChunk.Request, give: Give) -> None:
        asked = ReachGoalImage.Goal(goals=request.goals)
        try:
            if not self._node.active:
                raise Ended(Outcome.DEACTIVATED, "the planner is not active")
            self._preparation.check(asked)
            seen = self._seen_of(request)
            sink = _NoSink(self._want_picture)
            executor = self._executor_of(partial(self._preparation.controller, asked, sink), sink)
            self._goals.lend(executor, lambda: give(self._planned(executor, seen, sink)))
        except Ended as end:
            give(_refused(end.outcome, end.message))
        except GoalIsPursued as error:
            give(_refused(Outcome.PREEMPTED, str(error)))
        except ValueError as error:
            give(_refused(Outcome.INVALID_GOAL, str(error)))

    def _seen_of(self, request: GetActionChunk.Request) -> Callable[[], tuple[Observation, ArmReport]] | None:
        """What brings about the observation of a request; None for what is seen now.

        Raises ValueError for pictures that do not fit the model, and ConversionError for an arm that is in no pose.
        """
        if not request.images:
            if request.robot_state.header.frame_id:
                raise ValueError("robot_state is given without images; expected both, or neither for what is seen now")
            return None
        images = picked(request.images, request.image_names, self._contract)
        given = arm_report(request.robot_state) if request.robot_state.header.frame_id else None
        if given is not None:
            self._contract.check_frame(request.robot_state.header.frame_id)
        taken_s = min(seconds(image.header.stamp) for image in images)

        def seen() -> tuple[Observation, ArmReport]:
            observation = replace(self._encoder.encode(images), stamp_s=taken_s)
            if given is not None:
                return observation, given
            if not (status := self._buffer.arm_status()).ok or self._buffer.arm is None:
                raise Ended(Outcome.STALE_JOINT_STATE, status.text)
            return observation, self._buffer.arm

        return seen

    def _planned(
        self, executor: GoalExecutor, seen: Callable[[], tuple[Observation, ArmReport]] | None, sink: _NoSink
    ) -> GetActionChunk.Response:
        try:
            decision, observation, arm = executor.decide(seen)
        except Ended as end:
            return _refused(end.outcome, end.message)
        except Exception as error:
            return _refused(Outcome.INTERNAL_ERROR, f"{type(error).__name__}: {error}")
        if decision.kind is DecisionKind.GAVE_UP:
            return _refused(Outcome[decision.reason.name], decision.message)
        response = GetActionChunk.Response(
            status=GetActionChunk.Response.DONE,
            message=decision.message,
            observed_at=time_message(observation.stamp_s),
            native_control_period=self._contract.action.time_step_s,
            energy=decision.energy,
            tolerance=sink.goals[decision.sub_goal].tolerance,
            **verdict_numbers(decision.verdict),
        )
        response.header.stamp = self._node.get_clock().now().to_msg()
        response.header.frame_id = self._contract.state.frame
        if decision.kind is DecisionKind.MOVE:
            response.status = GetActionChunk.Response.CHUNK_PRODUCED
            path = tcp_path(actions_of(decision), arm)
            response.poses, response.gripper_closure = poses_and_closures(path)
            response.planned_energy = decision.energy if decision.plan is None else decision.plan.energy
        return response


class _NoSink:
    """`Sink` of what is planned without moving: cameras that can be triggered hear of it, and nobody else."""

    def __init__(self, want_picture: Callable[[float], None]) -> None:
        self.goals: list[Goal] = []
        self.want_picture = want_picture

    def send(self, decision: Decision, observation: Observation, arm: ArmReport, spent: StepSeconds) -> int:
        raise RuntimeError("nothing is sent for a chunk of actions")

    def hold(self) -> None:
        """The arm is another's."""

    def report(self, decision: Decision | None, status: str) -> None:
        """There is nobody who listens."""


def _refused(outcome: Outcome, message: str) -> GetActionChunk.Response:
    nothing = verdict_numbers(None)
    return GetActionChunk.Response(
        status=GetActionChunk.Response.ERROR, code=int(outcome), message=f"{outcome.name}: {message}", **nothing
    )
