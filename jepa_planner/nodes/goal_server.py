"""The action `reach_goal_image`: accepted goals, one after another, in a thread that no callback waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from queue import Queue

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node

from jepa_planner.action import ReachGoalImage
from jepa_planner.nodes.goal_events import GoalEvents
from jepa_planner.nodes.goal_executor import Ended, GoalExecutor, Outcome
from jepa_planner.nodes.planner_node import wait_until
from jepa_planner.nodes.verdicts import verdict_numbers

REJECTIONS, LAST_REJECTION = "rejections", "last_rejection"
"""Where a node's diagnostics say how many goals it rejected, and why the last one, which a rejection cannot."""
RESULT_KEPT_S = 30
"""For who asks late; rclpy keeps a goal with all its pictures for as long, 900 s by default."""


class GoalIsPursued(RuntimeError):
    """What asks to plan, and not to move, comes second."""


class GoalServer:
    """Serves goals for a node; a newer one ends those before it, and begins when they have come to their end.

    judge: raises ValueError for a goal that can never be pursued. executor_of: makes the executor of an accepted goal.
    All but the execution itself, and what `~/goal_events` tells of it, happens in the node's own thread.
    """

    def __init__(
        self,
        node: Node,
        judge: Callable[[ReachGoalImage.Goal], None],
        executor_of: Callable[[ServerGoalHandle], GoalExecutor],
    ) -> None:
        self.last_outcome = self.last_rejection = ""
        self.rejections = 0
        self._node, self._judge, self._executor_of = node, judge, executor_of
        self._executors: dict[bytes, GoalExecutor] = {}
        self._lent: set[GoalExecutor] = set()
        self._running: GoalExecutor | None = None
        self._work: Queue[tuple[GoalExecutor, Callable[[], None]] | None] = Queue()
        self._server = _DeferringActionServer(
            node,
            ReachGoalImage,
            "reach_goal_image",
            execute_callback=lambda _: None,
            goal_callback=self._judge_goal,
            handle_accepted_callback=self._begin,
            cancel_callback=self._cancel,
            result_timeout=RESULT_KEPT_S,
        )
        self._events = GoalEvents(node)
        threading.Thread(target=self._execute_goals, name="goal_executor", daemon=True).start()

    @property
    def busy(self) -> bool:
        """Whether a goal was accepted that has no result yet."""
        return bool(self._executors)

    def check(self) -> None:
        """Raises Ended when the goal being pursued was interrupted; for the thread that pursues it."""
        if self._running is not None:
            self._running.check()

    def interrupt(self, outcome: Outcome, message: str) -> None:
        """Ends all goals, of which the arm is told to hold, and what else is planned."""
        for executor in (*self._executors.values(), *self._lent):
            executor.interrupt(outcome, message)

    def lend(self, executor: GoalExecutor, work: Callable[[], None]) -> None:
        """Has work done, by an executor that moves nothing, in the thread that pursues goals.

        A goal that comes interrupts it. Raises GoalIsPursued where one is there already.
        """
        if self.busy:
            raise GoalIsPursued("a goal is pursued: wait for its end, or cancel it")
        self._lent.add(executor)
        self._work.put((executor, work))

    def wait_for_rest(self, timeout_s: float) -> bool:
        """Waits until nothing is pursued any more; returns whether it came to that in time."""
        return wait_until(lambda: not self._work.unfinished_tasks, timeout_s)

    def destroy(self) -> None:
        """Ends the thread and the action."""
        self._work.put(None)
        self._server.destroy()

    def _judge_goal(self, goal: ReachGoalImage.Goal) -> GoalResponse:
        """A rejection carries no text: `last_rejection` and the log say why."""
        try:
            self._judge(goal)
        except ValueError as error:
            self.last_rejection, self.rejections = str(error), self.rejections + 1
            self._node.get_logger().error(f"goal rejected: {error}")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _begin(self, handle: ServerGoalHandle) -> None:
        executor = self._executor_of(handle)
        self.interrupt(Outcome.PREEMPTED, "a newer goal took its place")
        self._executors[bytes(handle.goal_id.uuid)] = executor
        handle.execute(lambda handle: self._work.put((executor, partial(self._pursue, handle, executor))))

    def _cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        if executor := self._executors.get(bytes(handle.goal_id.uuid)):
            executor.interrupt(Outcome.CANCELLED, "cancelled by the sender")
        return CancelResponse.ACCEPT

    def _execute_goals(self) -> None:
        """One goal after another, always in the same thread: each new one would keep memory of its own."""
        while (job := self._work.get()) is not None:
            self._running, work = job
            work()
            self._lent.discard(self._running)
            self._running = None
            self._work.task_done()

    def _pursue(self, handle: ServerGoalHandle, executor: GoalExecutor) -> None:
        self._events.began(handle)
        end = executor.run()
        self._events.ended(handle, partial(_result_of, executor, end))
        if (ros_executor := self._node.executor) is not None:  # else the node is going down
            self._server.finish(handle, partial(self._result, executor, end))
            ros_executor.wake()

    def _result(self, executor: GoalExecutor, end: Ended, handle: ServerGoalHandle) -> ReachGoalImage.Result:
        del self._executors[bytes(handle.goal_id.uuid)]
        self.last_outcome = f"{end.outcome.name}: {end.message}"
        self._node.get_logger().info(f"goal ended after {executor.steps} steps, {self.last_outcome}")
        if end.outcome is Outcome.REACHED:
            handle.succeed()
        elif end.outcome is Outcome.CANCELLED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return _result_of(executor, end)


def _result_of(executor: GoalExecutor, end: Ended) -> ReachGoalImage.Result:
    last = executor.last
    return ReachGoalImage.Result(
        code=int(end.outcome),
        message=end.message,
        steps=executor.steps,
        sub_goals_reached=0 if last is None else last.sub_goals_reached,
        final_energy=float("nan") if last is None else last.energy,
        **verdict_numbers(None if last is None else last.verdict),
    )


class _DeferringActionServer(ActionServer):
    """Sink a goal that begins to its callback at once, and takes its result when that is known, from any thread.

    rclpy would take what the callback returns for the result; one that awaits is resumed by the executors of rclpy 7
    over and over until it can go on, which takes a core.
    """

    def notify_execute(self, goal_handle: ServerGoalHandle, execute_callback) -> None:
        """Called by `goal_handle.execute(execute_callback)`."""
        execute_callback(goal_handle)

    def finish(self, goal_handle: ServerGoalHandle, result_of: Callable[[ServerGoalHandle], object]) -> None:
        """Has the node's thread set the goal's last state and send what `result_of` returns."""
        super().notify_execute(goal_handle, result_of)
