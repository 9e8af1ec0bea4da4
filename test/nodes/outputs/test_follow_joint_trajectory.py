import sys
import types

import numpy as np
import pytest
from action_rig import ActionRig
from controllers import ARM_ACTION, TrajectoryController
from harness import HOME_RAD, KINEMATICS, LIMITS
from jepa_planner.msg import ArmState, Plan
from rclpy.node import Node
from std_srvs.srv import Trigger

from jepa_planner.nodes.conversions import numbers, seconds
from jepa_planner.nodes.outputs import action_output, follow_joint_trajectory
from jepa_planner.nodes.outputs.packages import message_type
from jepa_planner.nodes.running import NodeThread


@pytest.fixture
def rig(ros, bundle):
    rig = ActionRig(bundle)
    yield rig
    rig.close()


@pytest.fixture
def arm(rig):
    node = rig.arm()
    rig.until(rig.holding)
    return node


@pytest.fixture
def moving(rig):
    """An arm in the middle of a slow step."""
    arm = rig.arm(speed_scale=0.1, joint_state_timeout_s=0.6)
    rig.until(rig.holding)
    rig.send_plan(1, (0.08, 0.0, 0.0))
    rig.until(lambda: np.max(np.abs(rig.robot.q_rad - HOME_RAD)) > 0.02)
    assert rig.state().moving
    return arm


def tcp(q_rad: np.ndarray) -> np.ndarray:
    return np.array([KINEMATICS.tcp_pose(joints)[0] for joints in q_rad])


def assert_within_limits(rig: ActionRig) -> None:
    """What the controller made of all goals kept to the limits of joints and tcp."""
    period_s = 0.002
    q_rad = rig.robot.arm.sampled(period_s)
    speed_rad_s = np.abs(np.diff(q_rad, axis=0)) / period_s
    assert np.all(speed_rad_s <= KINEMATICS.velocity_rad_s * LIMITS.joint_velocity_scale)
    xyz_m = tcp(q_rad)
    velocity_m_s = np.diff(xyz_m, axis=0) / period_s
    assert np.max(np.abs(velocity_m_s)) <= LIMITS.linear_velocity_m_s * 1.01
    smooth = np.diff(velocity_m_s[::5], axis=0) / (5 * period_s)
    assert np.max(np.abs(smooth)) <= LIMITS.linear_acceleration_m_s2 * 1.05
    assert all(LIMITS.inside_workspace(xyz, tolerance_m=2e-3) for xyz in xyz_m)


def test_a_step_is_one_goal_with_times_that_the_arm_follows_to_its_target(rig, arm):
    plan = rig.send_plan(1, (0.06, -0.03, 0.02))
    rig.until(lambda: rig.state().plan_id == 1 and not rig.state().moving)
    (goal,) = rig.robot.arm.goals
    times_s = [seconds(point.time_from_start) for point in goal.trajectory.points]
    assert times_s[0] > 0.0
    assert np.all(np.diff(times_s) > 0.0)
    assert not any(goal.trajectory.points[-1].velocities)
    target = numbers(plan.poses[0].position)
    np.testing.assert_allclose(KINEMATICS.tcp_pose(rig.robot.q_rad)[0], target, atol=1e-3)
    np.testing.assert_allclose(numbers(rig.state().commanded_pose.position), target, atol=1e-3)
    assert_within_limits(rig)


def test_setpoints_that_were_checked_are_those_that_are_sent(rig, arm):
    rig.send_plan(1, (0.05, 0.0, 0.0))
    rig.until(lambda: rig.robot.arm.goals)
    last = np.array(rig.robot.arm.goals[0].trajectory.points[-1].positions)
    rig.until(lambda: rig.state().plan_id == 1 and not rig.state().moving)
    np.testing.assert_array_equal(arm.executive.stream.q_rad, last)


def hold(rig: ActionRig, _) -> None:
    rig.plans.publish(Plan(kind=Plan.KIND_HOLD))


def stop(rig: ActionRig, _) -> None:
    rig.robot.create_client(Trigger, "arm_node/stop").call_async(Trigger.Request())


def deactivate(rig: ActionRig, arm) -> None:
    rig.thread(arm).call(arm.trigger_deactivate)


def silence(rig: ActionRig, _) -> None:
    rig.robot.joint_states_on = False


@pytest.mark.parametrize("brake", [hold, stop, deactivate, silence])
def test_what_brakes_is_a_newer_goal_within_the_limits(rig, moving, brake, monkeypatch):
    stream = []
    monkeypatch.setattr(moving._arm, "send", stream.append)  # what the node takes to have become of the arm
    brake(rig, moving)
    rig.until(lambda: len(rig.robot.arm.goals) == 2)
    rig.until(lambda: not moving.executive.moving)
    assert rig.robot.arm.cancelled == 0
    gone_m = np.linalg.norm(KINEMATICS.tcp_pose(rig.robot.arm.turn())[0] - KINEMATICS.tcp_pose(HOME_RAD)[0])
    assert 0.0 < gone_m < 0.075
    assert_within_limits(rig)
    np.testing.assert_allclose(stream[-1].q_rad, rig.robot.arm.curves[-1].q_rad[-1], atol=1e-9)


def test_a_brake_at_full_speed_keeps_to_the_limits(rig, arm):
    rig.send_plan(1, (0.1, 0.0, 0.0))
    rig.until(lambda: np.max(np.abs(rig.robot.q_rad - HOME_RAD)) > 0.05)
    rig.plans.publish(Plan(kind=Plan.KIND_HOLD))
    rig.until(lambda: len(rig.robot.arm.goals) == 2 and not rig.state().moving)
    assert_within_limits(rig)


def test_a_goal_that_is_rejected_moves_nothing_and_is_named(rig, arm):
    rig.robot.arm.rejects = True
    rig.send_plan(1)
    rig.until(lambda: rig.state().fault)
    assert rig.state().fault == ArmState.FAULT_ARM_NOT_FOLLOWING
    assert f"action {rig.namespace}/{ARM_ACTION} rejected a goal" in rig.state().fault_reason
    assert not rig.state().moving
    rig.robot.arm.rejects = False
    rig.send_plan(2)
    rig.until(lambda: rig.state().refused_plan_id == 2)
    rig.plans.publish(Plan(kind=Plan.KIND_HOLD))
    rig.until(lambda: not rig.state().fault)
    rig.send_plan(3)
    rig.until(lambda: rig.state().plan_id == 3 and not rig.state().moving)
    assert len(rig.robot.arm.goals) == 1


def test_a_goal_that_is_aborted_ends_the_motion_where_the_arm_is_with_the_controllers_own_words(rig, moving):
    rig.on_robot(lambda: rig.robot.arm.give_up(error_code=-4, error_string="joint 4 is late"))
    rig.until(lambda: rig.state().fault)
    assert "error_code -4, PATH_TOLERANCE_VIOLATED: joint 4 is late" in rig.state().fault_reason
    assert not rig.state().moving
    rig.until(lambda: np.allclose(moving.executive.stream.q_rad, rig.robot.q_rad, atol=1e-9))
    assert len(rig.robot.arm.goals) == 1


def test_a_goal_that_another_client_takes_the_place_of_is_named(rig, moving):
    rig.on_robot(lambda: rig.robot.arm.cancel_by_itself(error_string="new goal"))
    rig.until(lambda: rig.state().fault == ArmState.FAULT_ARM_CONTESTED)
    assert "cancelled a goal by itself (new goal)" in rig.state().fault_reason
    assert len(rig.robot.arm.goals) == 1


def test_a_goal_that_never_ends_is_cancelled_and_named(rig, arm, monkeypatch):
    monkeypatch.setattr(follow_joint_trajectory, "RESULT_LATE_S", 0.2)
    rig.robot.arm.ends_goals = False
    rig.send_plan(1)
    rig.until(lambda: rig.state().fault == ArmState.FAULT_ARM_NOT_FOLLOWING)
    assert "did not end a goal within 0.2 s" in rig.state().fault_reason
    rig.until(lambda: rig.robot.arm.cancelled == 1)


def test_a_server_that_does_not_answer_is_named_and_what_it_takes_later_is_cancelled(rig, arm, monkeypatch):
    monkeypatch.setattr(action_output, "ANSWER_TIMEOUT_S", 0.15)
    monkeypatch.setattr(rig.robot.arm, "slow_s", 0.5)
    rig.send_plan(1)
    rig.until(lambda: rig.state().fault == ArmState.FAULT_ARM_NOT_FOLLOWING)
    assert "did not answer a goal within 0.15 s" in rig.state().fault_reason
    rig.until(lambda: rig.robot.arm.cancelled == 1)


def test_a_server_that_goes_away_in_mid_motion_ends_it_and_is_named(rig):
    node = Node("drives", namespace=rig.namespace)
    drives = TrajectoryController(node, "drives/follow")
    thread = NodeThread(node, lambda: None)
    rig.arm(arm_action="drives/follow", speed_scale=0.1)
    rig.until(rig.holding)
    rig.send_plan(1, (0.08, 0.0, 0.0))
    rig.until(lambda: drives.goals and rig.state().moving)
    thread.stop()
    drives.destroy()
    rig.until(lambda: rig.state().fault == ArmState.FAULT_NOBODY_LISTENS)
    assert f"action {rig.namespace}/drives/follow has no server" in rig.state().fault_reason
    assert not rig.state().moving


def test_a_package_that_is_missing_is_named_at_configure(rig, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "control_msgs.action", None)
    with pytest.raises(RuntimeError):
        rig.arm()
    assert "sudo apt install ros-$ROS_DISTRO-control-msgs" in capfd.readouterr().err


def test_a_package_that_is_too_old_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "control_msgs.action", types.ModuleType("control_msgs.action"))
    with pytest.raises(ValueError, match="too old to have ParallelGripperCommand: sudo apt install"):
        message_type("control_msgs", "action", "ParallelGripperCommand")
