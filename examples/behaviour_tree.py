"""A behaviour tree that has a saved goal pursued, and goes by how it ended: try again, have the arm reset, or give up.

    pip install py_trees
    jepa-planner goal --save cup_on_plate
    python examples/behaviour_tree.py cup_on_plate

It needs rclpy, py_trees and the messages of jepa_planner, nothing else of it. The outcome codes stand in
`action/ReachGoalImage.action`, and docs/troubleshooting.md explains each.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import py_trees
import rclpy
from jepa_planner.action import ReachGoalImage
from jepa_planner.msg import GoalImage
from py_trees.behaviour import Behaviour
from py_trees.blackboard import Client
from py_trees.common import Access, Status
from py_trees.composites import Selector, Sequence
from rclpy.action import ActionClient
from rclpy.node import Node
from std_srvs.srv import Trigger

Result = ReachGoalImage.Result
TICK_S = 0.05
TRY_AGAIN = (Result.STALLED, Result.BUDGET_SPENT, Result.SURPRISED, Result.STALE_IMAGE, Result.STALE_JOINT_STATE)
"""Another attempt begins with another look at the scene."""
RESET = (Result.ARM_STOPPED,)
LOOK = (
    *(Result.UNFAMILIAR_IMAGE, Result.UNFAMILIAR_GOAL, Result.NOBODY_LISTENS),
    *(Result.ARM_NOT_FOLLOWING, Result.GRIPPER_NOT_FOLLOWING, Result.ARM_CONTESTED),
)


class Pursue(Behaviour):
    """Running while the goal is pursued, successful if it is reached; `ended` on the blackboard is the result."""

    def __init__(self, name: str, reach: ActionClient, goal: ReachGoalImage.Goal) -> None:
        super().__init__(name)
        self._reach, self._goal = reach, goal
        self._board = board(self, Access.WRITE)

    def initialise(self) -> None:
        self._board.ended = None
        self._handle = self._result = None
        self._sent = self._reach.send_goal_async(self._goal, feedback_callback=self._on_feedback)

    def update(self) -> Status:
        if self._handle is None:
            if not self._sent.done():
                return Status.RUNNING
            self._handle = self._sent.result()
            if not self._handle.accepted:
                self._board.ended = Result(code=Result.INVALID_GOAL, message="rejected: /diagnostics says why")
                return Status.FAILURE
            self._result = self._handle.get_result_async()
        if not self._result.done():
            return Status.RUNNING
        self._board.ended = ended = self._result.result().result
        self.feedback_message = ended.message
        return Status.SUCCESS if ended.code == Result.REACHED else Status.FAILURE

    def terminate(self, new_status: Status) -> None:
        """What ends the tree ends the goal, and the arm brakes."""
        if new_status is Status.INVALID and self._handle is not None and self._handle.accepted:
            self._handle.cancel_goal_async()

    def _on_feedback(self, message) -> None:
        self.feedback_message = message.feedback.status


class EndedWith(Behaviour):
    """Successful if the goal ended with one of these codes."""

    def __init__(self, name: str, codes: tuple[int, ...]) -> None:
        super().__init__(name)
        self._codes = codes
        self._board = board(self, Access.READ)

    def update(self) -> Status:
        return Status.SUCCESS if self._board.ended.code in self._codes else Status.FAILURE


class AskOperator(Behaviour):
    """Tells how the goal ended and asks whether to go on; the tree does not wait for the answer."""

    def __init__(self, name: str, question: str, ask: Callable[[str], bool]) -> None:
        super().__init__(name)
        self._question, self._ask = question, ask
        self._board = board(self, Access.READ)
        self._asking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="operator")
        self._answer: Future[bool]

    def initialise(self) -> None:
        self._answer = self._asking.submit(self._ask, f"{self._board.ended.message}. {self._question}")

    def update(self) -> Status:
        if not self._answer.done():
            return Status.RUNNING
        return Status.SUCCESS if self._answer.result() else Status.FAILURE


class ResetArm(Behaviour):
    """Leaves the latched stop."""

    def __init__(self, name: str, node: Node) -> None:
        super().__init__(name)
        self._client = node.create_client(Trigger, "arm_node/reset")

    def initialise(self) -> None:
        self._answer = self._client.call_async(Trigger.Request())

    def update(self) -> Status:
        if not self._answer.done():
            return Status.RUNNING
        return Status.SUCCESS if self._answer.result().success else Status.FAILURE


def board(behaviour: Behaviour, access: Access) -> Client:
    """The blackboard with `ended`, how the last goal ended."""
    client = behaviour.attach_blackboard_client(name=behaviour.name)
    client.register_key(key="ended", access=access)
    return client


def mend(node: Node, ask: Callable[[str], bool]) -> Behaviour:
    """Successful once another attempt may help, by the code with which the last one ended."""
    stopped = Sequence("stopped", memory=True)
    stopped.add_children(
        [
            EndedWith("was it stopped?", RESET),
            AskOperator("ask for a reset", "Is the arm free to move?", ask),
            ResetArm("reset the arm", node),
        ]
    )
    amiss = Sequence("amiss", memory=True)
    amiss.add_children(
        [
            EndedWith("is something amiss?", LOOK),
            AskOperator("ask for a look", "Look at cameras, light and controllers. Try again?", ask),
        ]
    )
    ways = Selector("mend", memory=True)
    ways.add_children([EndedWith("may it work next time?", TRY_AGAIN), stopped, amiss])
    return ways


def make_tree(node: Node, goals: list[GoalImage], attempts: int, ask: Callable[[str], bool]) -> Behaviour:
    """Pursues goals; where that fails and can be mended, again. Failed once attempts are used up, or nothing helps."""
    reach = ActionClient(node, ReachGoalImage, "reach_goal_image")
    goal = ReachGoalImage.Goal(goals=goals)
    tree = Selector("bring it about", memory=True)
    tree.add_child(Pursue("pursue", reach, goal))
    for number in range(2, attempts + 1):
        again = Sequence(f"attempt {number}", memory=True)
        again.add_children([mend(node, ask), Pursue("pursue again", reach, goal)])
        tree.add_child(again)
    reach.wait_for_server(timeout_sec=10.0)
    return tree


def run(node: Node, tree: Behaviour, keep_on: Callable[[], bool] = rclpy.ok) -> Status:
    """Ticks until the tree is done; where it is not to go on, what runs is interrupted."""
    while keep_on():
        tree.tick_once()
        if tree.status is not Status.RUNNING:
            return tree.status
        rclpy.spin_once(node, timeout_sec=TICK_S)
    tree.stop(Status.INVALID)
    rclpy.spin_once(node, timeout_sec=TICK_S)
    return tree.status


def ask_in_terminal(question: str) -> bool:
    return input(f"{question} [y/N] ").strip().lower().startswith("y")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("goals", nargs="+", metavar="NAME", help="goals that were saved, one after the other")
    parser.add_argument("--attempts", type=int, default=3, help="how often to try at most")
    parser.add_argument("--namespace", default="", help="of the planner's nodes")
    args = parser.parse_args()
    rclpy.init()
    node = Node("behaviour_tree", namespace=args.namespace)
    tree = make_tree(node, [GoalImage(name=name) for name in args.goals], args.attempts, ask_in_terminal)
    status = run(node, tree)
    print(py_trees.display.unicode_tree(tree, show_status=True))
    node.destroy_node()
    rclpy.shutdown()
    return 0 if status is Status.SUCCESS else 1


if __name__ == "__main__":
    sys.exit(main())
