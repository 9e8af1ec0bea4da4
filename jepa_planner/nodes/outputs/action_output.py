"""Commands as goals of one action server, of which the newest counts: it takes the place of those before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future

from jepa_planner.core.status import OK, Status, StatusCode
from jepa_planner.nodes.outputs.packages import message_type

ANSWER_TIMEOUT_S = 1.0
"""Longest wait for a server to take or reject a goal."""


@dataclass
class _Sent:
    """A goal on its way; `before`: the one that it takes the place of."""

    sent_s: float
    due_s: float
    before: _Sent | None
    handle: ClientGoalHandle | None = None
    ended: bool = False
    is_cancelled: bool = False

    def cancel(self) -> None:
        """Cancels it, or as soon as it is accepted."""
        self.is_cancelled = True
        if self.handle is not None and not self.ended:
            self.handle.cancel_goal_async()


class ActionClients:
    """The action clients of a node; they live as long as it does.

    One that is taken away while a message for it is waiting ends the process: the events executor of rclpy 7 then drops
    that message without holding the interpreter.
    """

    def __init__(self) -> None:
        self._clients: dict[tuple[Any, str], ActionClient] = {}

    def of(self, node: LifecycleNode, action_type: Any, name: str) -> ActionClient:
        """The client for an action, made where there is none yet."""
        key = (action_type, name)
        if key not in self._clients:
            self._clients[key] = ActionClient(node, action_type, name)
        return self._clients[key]

    def destroy(self) -> None:
        """Takes all of them away; for a node whose executor is gone."""
        for client in self._clients.values():
            client.destroy()
        self._clients.clear()


class ActionOutput(ABC):
    """Client of one action server; all is done in the node's thread.

    parameter: the one that names the action. Raises ValueError where control_msgs has no such action.
    """

    is_action = True
    action: str
    """Of control_msgs."""
    failure_code: StatusCode

    def __init__(self, node: LifecycleNode, parameter: str, clients: ActionClients) -> None:
        self._type = message_type("control_msgs", "action", self.action)
        given = node.get_parameter(parameter).value
        self._client = clients.of(node, self._type, given)
        self.name, self.name_from = node.resolve_service_name(given), parameter
        self.type_name = f"control_msgs/action/{self.action}"
        self._newest: _Sent | None = None
        self._failure = OK

    @property
    def goes_to(self) -> str:
        """The action, for people."""
        return f"action {self.name}"

    @property
    def accepted(self) -> bool:
        """Whether the newest goal was accepted, or none is under way."""
        return self._newest is None or self._newest.handle is not None

    @property
    def ended(self) -> bool:
        """Whether the newest goal has its result, or none is under way."""
        return self._newest is None or self._newest.ended

    def is_overdue(self, now_s: float) -> bool:
        """Whether the newest goal's result should have been here."""
        return self._newest is not None and not self._newest.ended and now_s > self._newest.due_s

    def is_listened_to(self) -> bool:
        """Whether the server is there."""
        return self._client.server_is_ready()

    def failure(self, now_s: float) -> Status:
        """Why the newest goal is not carried out; it is told once, and nothing is left under way then."""
        newest = self._newest
        if newest is not None and newest.handle is None and now_s > newest.sent_s + ANSWER_TIMEOUT_S:
            self._fail(f"did not answer a goal within {ANSWER_TIMEOUT_S:g} s")
        failure, self._failure = self._failure, OK
        if not failure.ok:
            self.give_up()
        return failure

    def give_up(self) -> None:
        """Cancels what is under way."""
        sent, self._newest = self._newest, None
        while sent is not None:
            sent.cancel()
            sent = sent.before

    def destroy(self) -> None:
        """Forgets what is under way; the client stays with the node."""
        self._newest = None

    @abstractmethod
    def _what_went_wrong(self, status: int, result: Any) -> str:
        """What a goal's last state and its result say, as the end of a sentence; empty: all is well."""

    def _send_goal(self, goal: Any, now_s: float, due_s: float) -> None:
        """Sends a goal whose result is expected until due_s."""
        before = self._newest if self._newest is not None and not self._newest.ended else None
        if before is not None and before.handle is not None:
            before.before = None
        sent = self._newest = _Sent(now_s, due_s, before)
        self._client.send_goal_async(goal).add_done_callback(partial(self._on_answer, sent))

    def _fail(self, what: str, code: StatusCode | None = None) -> None:
        self._failure = Status(self.failure_code if code is None else code, f"{self.goes_to} {what}")

    def _on_answer(self, sent: _Sent, future: Future) -> None:
        handle = future.result()
        if not handle.accepted:
            sent.ended = True
            if sent is self._newest:
                self._fail("rejected a goal: is its controller active, and does it command these joints?")
            return
        sent.handle, sent.before = handle, None
        if sent.is_cancelled:
            handle.cancel_goal_async()
        handle.get_result_async().add_done_callback(partial(self._on_result, sent))

    def _on_result(self, sent: _Sent, future: Future) -> None:
        sent.ended = True
        if sent is not self._newest:
            return
        status, result = future.result().status, future.result().result
        if status == GoalStatus.STATUS_CANCELED:
            words = getattr(result, "error_string", "")
            because = f" ({words})" if words else ""
            others = "another client has its controller now, or that was deactivated"
            self._fail(f"cancelled a goal by itself{because}: {others}", StatusCode.ARM_CONTESTED)
        elif what := self._what_went_wrong(status, result):
            self._fail(what)
