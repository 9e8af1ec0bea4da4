"""The example tree, with the planner's own nodes over DDS: which code leads where."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from harness import ENDLESS, FAR, Rig, goal_of, moves
from jepa_planner.msg import ArmState
from rclpy.node import Node
from small_planner import small_planner
from std_srvs.srv import Trigger
from test_mpc_node import monitored_bundle

from jepa_planner.planning.progress import ProgressSettings

py_trees = pytest.importorskip("py_trees")
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "behaviour_tree.py"
SUCCESS, FAILURE = py_trees.common.Status.SUCCESS, py_trees.common.Status.FAILURE


@pytest.fixture(scope="module")
def example():
    spec = spec_from_file_location("behaviour_tree", EXAMPLE)
    module = module_from_spec(spec)
    sys.modules["behaviour_tree"] = module
    spec.loader.exec_module(module)
    return module


class Operator:
    """Answers questions as told, and keeps them."""

    def __init__(self, answer: bool = True) -> None:
        self.answer, self.questions = answer, []

    def __call__(self, question: str) -> bool:
        self.questions.append(question)
        return self.answer


def run(example, rig: Rig, goal, operator: Operator, keep_on=lambda: True, attempts: int = 3):
    """How the tree ends, and the outcome of its last goal."""
    node = Node("tree", namespace=rig.namespace)
    try:
        tree = example.make_tree(node, [goal], attempts, operator)
        status = example.run(node, tree, keep_on)
    finally:
        node.destroy_node()
    return status, tree


def call(rig: Rig, name: str) -> None:
    client = rig.robot.create_client(Trigger, name)
    rig.until(client.service_is_ready)
    rig.until(rig.ask(lambda: client.call_async(Trigger.Request())).done)


@pytest.fixture(scope="module")
def ready(ros, bundle):
    rig = Rig(bundle)
    rig.planner()
    yield rig
    rig.close()


def test_a_goal_that_is_reached_needs_nobody(example, ready):
    operator = Operator()
    status, tree = run(example, ready, goal_of(*ready.robot.views), operator)
    assert status is SUCCESS and operator.questions == []
    assert [child.status.name for child in tree.children] == ["SUCCESS", "INVALID", "INVALID"]


@pytest.mark.parametrize("answer", [True, False])
def test_a_stopped_arm_is_reset_only_when_the_operator_says_so(example, ready, answer):
    call(ready, "arm_node/stop")
    ready.until(lambda: ready.state().mode == ArmState.MODE_STOPPED)
    operator = Operator(answer)
    status, _ = run(example, ready, goal_of(*ready.robot.views), operator)
    assert status is (SUCCESS if answer else FAILURE)
    assert (
        operator.questions[0].startswith("the arm is stopped") and "Is the arm free to move?" in operator.questions[0]
    )
    ready.until(lambda: (ready.state().mode == ArmState.MODE_STOPPED) is not answer)
    call(ready, "arm_node/reset")
    ready.until(ready.holding)


def test_a_goal_that_can_never_be_pursued_is_given_up_at_once(example, ready):
    operator = Operator()
    status, tree = run(example, ready, goal_of(FAR[0]), operator)
    assert status is FAILURE and operator.questions == []
    assert tree.children[-1].children[-1].status.name == "INVALID"


def test_a_tree_that_is_interrupted_cancels_its_goal(example, ready):
    status, _ = run(example, ready, ENDLESS, Operator(), keep_on=lambda: len(moves(ready)) < 2)
    assert status.name == "INVALID"
    mpc = next(thread.node for thread in ready.threads if thread.node.get_name() == "mpc_node")
    ready.until(lambda: mpc._goals.last_outcome.startswith("CANCELLED"))
    ready.assert_at_rest()


def test_what_is_unlike_training_is_asked_about_each_time(example, rig, bundle, tmp_path):
    rig.bundle = monitored_bundle(bundle, tmp_path / "monitored", latent_distance=1e-9)
    rig.planner()
    operator = Operator()
    status, _ = run(example, rig, ENDLESS, operator)
    assert status is FAILURE and len(operator.questions) == 2
    assert "goal image 1 is unlike what the model was trained on" in operator.questions[0]
    assert rig.robot.commands == []


def test_a_goal_that_stalls_is_tried_again_without_a_question(example, rig, bundle, tmp_path):
    folder = tmp_path / "stalls"
    folder.mkdir()
    for file in Path(bundle).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    small_planner(progress=ProgressSettings(patience=2)).save(folder)
    rig.bundle = str(folder)
    rig.planner()
    operator = Operator()
    status, tree = run(example, rig, ENDLESS, operator)
    assert status is FAILURE and operator.questions == []
    assert tree.children[-1].status is FAILURE
    assert len({plan.id for plan in moves(rig)}) == 6
