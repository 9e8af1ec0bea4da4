import threading
import time

import pytest
from geometry_msgs.msg import PoseStamped
from harness import ENDLESS, Rig, goal_of, picture, under_way
from jepa_planner.msg import ArmState, Plan
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory

from jepa_planner.nodes import qos
from jepa_planner.nodes.arm_node import LOOK_PERIOD_S, ArmNode
from jepa_planner.nodes.goal_executor import Outcome
from jepa_planner.nodes.planner_node import start
from jepa_planner.nodes.running import NodeThread


@pytest.fixture
def other(rig):
    """Somebody else's node."""
    node = Node("teleop", namespace=rig.namespace)
    rig.threads.append(NodeThread(node, lambda: None))
    return node


def refused(rig: Rig, capfd, **parameters: object) -> str:
    with pytest.raises(RuntimeError):
        rig.arm(**{"listener_timeout_s": 0.3, **parameters})
    return capfd.readouterr().err


def test_activation_refuses_an_output_that_nobody_subscribes_to_and_names_who_may_be_meant(rig, other, capfd):
    other.create_subscription(PoseStamped, "servo/pose_target_cmds", lambda _: None, 1)
    words = refused(rig, capfd, output="pose")
    assert f"topic {rig.namespace}/pose_command has no subscriber" in words
    assert f"remap pose_command to {rig.namespace}/servo/pose_target_cmds" in words


def test_activation_refuses_an_action_that_nobody_serves(rig, capfd):
    words = refused(rig, capfd, output="follow_joint_trajectory", arm_action="arm/follow")
    assert f"action {rig.namespace}/arm/follow has no server" in words
    assert "set the parameter arm_action to" in words


def test_activation_refuses_a_gripper_that_nobody_moves(rig, capfd):
    words = refused(rig, capfd, gripper_output="gripper_command", gripper_action="hand/move")
    assert f"action {rig.namespace}/hand/move has no server" in words


def test_activation_waits_for_a_listener_that_starts_later(rig, other):
    topic = f"{rig.namespace}/pose_command"
    later = threading.Timer(0.5, lambda: other.create_subscription(PoseStamped, topic, lambda _: None, 1))
    later.start()
    began_s = time.monotonic()
    rig.arm(output="pose")
    assert time.monotonic() - began_s >= 0.5
    rig.until(rig.holding)


def test_a_process_that_is_to_end_waits_for_no_listener(rig):
    node = ArmNode(**rig.options(output="pose", listener_timeout_s=60.0))
    node.going_down.set()
    began_s = time.monotonic()
    with pytest.raises(RuntimeError, match="pose_command has no subscriber"):
        start([node])
    assert time.monotonic() - began_s < 30.0
    node.destroy_node()


def test_where_no_listener_is_required_one_is_only_missed(rig):
    node = rig.arm(output="pose", require_listener=False, listener_timeout_s=0.0)
    rig.until(rig.holding)
    rig.until(lambda: "pose_command has no subscriber" in node.health()[0].text)
    rig.send_plan(1, (0.0, 0.0, 0.0))
    rig.until(lambda: rig.state().plan_id == 1)


def test_a_listener_that_goes_away_ends_the_goal_by_name(rig):
    rig.planner()
    handle = under_way(rig)
    commands = next(each for each in rig.robot.subscriptions if each.topic_name.endswith("/joint_trajectory"))
    assert rig.thread(rig.robot).call(lambda: rig.robot.destroy_subscription(commands))
    result = rig.result(handle)
    assert result.outcome is Outcome.NOBODY_LISTENS
    assert f"topic {rig.namespace}/joint_trajectory has no subscriber" in result.message
    assert "gripper_command" not in result.message
    rig.until(lambda: rig.state().fault == ArmState.FAULT_NOBODY_LISTENS)
    again = rig.result(rig.send_goals(ENDLESS))
    assert (again.outcome, again.steps) == (Outcome.NOBODY_LISTENS, 0)


def test_activation_refuses_an_output_that_another_node_publishes_on(rig, other, capfd):
    other.create_publisher(JointTrajectory, "joint_trajectory", 1)
    words = refused(rig, capfd)
    assert f"{rig.namespace}/joint_trajectory is published by others too: {rig.namespace}/teleop" in words


def test_another_publisher_can_be_allowed(rig, other):
    other.create_publisher(JointTrajectory, "joint_trajectory", 1)
    node = rig.arm(allow_other_publishers=True)
    rig.until(rig.holding)
    rig.send_plan(1)
    rig.until(lambda: rig.state().plan_id == 1)
    rig.until(lambda: "teleop" in node.health()[0].text)


@pytest.mark.parametrize(("kind", "topic"), [(JointTrajectory, "gripper_command"), (Plan, "plan")])
def test_a_publisher_that_comes_later_ends_the_goal_by_name(rig, other, kind, topic):
    rig.planner()
    handle = under_way(rig)
    assert rig.thread(other).call(lambda: other.create_publisher(kind, topic, 1))
    result = rig.result(handle)
    assert result.outcome is Outcome.ARM_CONTESTED
    assert f"{rig.namespace}/{topic} is published by others too" in result.message
    assert f"{rig.namespace}/teleop" in result.message


def test_a_second_arm_node_refuses_to_start_and_the_first_goes_on(rig, capfd):
    rig.arm()
    rig.until(rig.holding)
    words = refused(rig, capfd)
    assert f"another {rig.namespace}/arm_node, which is active" in words


def test_a_publisher_of_a_process_that_was_killed_is_let_alone(rig):
    ghost = Node("arm_node", namespace=rig.namespace)
    ghost.create_publisher(ArmState, "arm_state", qos.STATE)
    ghost.create_publisher(JointTrajectory, "joint_trajectory", 1)
    node = rig.arm()
    rig.until(rig.holding)
    time.sleep(3 * LOOK_PERIOD_S)
    assert node.executive.obstacle.ok
    ghost.destroy_node()


def test_an_arm_that_does_not_follow_ends_the_goal_by_name(rig):
    rig.robot.follows = False
    rig.planner()
    result = rig.result(rig.send_goals(ENDLESS))
    assert result.outcome is Outcome.ARM_NOT_FOLLOWING
    assert "is its controller active?" in result.message
    rig.robot.follows = True
    result = rig.result(rig.send_goals(goal_of(picture(11), picture(12), budget=1, tolerance=1e-9)))
    assert result.outcome is Outcome.BUDGET_SPENT


def test_a_gripper_that_does_not_follow_ends_the_goal_by_name(rig):
    rig.robot.grips = False
    rig.arm()
    rig.until(rig.holding)
    rig.send_plan(1, (0.0, 0.0, 0.0), gripper_closure=[1.0])
    rig.until(lambda: rig.state().fault == ArmState.FAULT_GRIPPER_NOT_FOLLOWING)
    assert "told to close to 1.00, it stays at 0.00" in rig.state().fault_reason
