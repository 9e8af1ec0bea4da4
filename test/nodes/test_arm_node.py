import subprocess
import sys

import numpy as np
import pytest
from geometry_msgs.msg import Pose, PoseStamped, Quaternion, TwistStamped
from harness import HOME_RAD, KINEMATICS, LIMITS, STALE_S
from jepa_planner.msg import ArmState, Plan
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from jepa_planner.control.limits import shipped_config
from jepa_planner.nodes import qos
from jepa_planner.nodes.conversions import seconds
from jepa_planner.nodes.outputs.joint_trajectory import AHEAD_S


def call(rig, name: str) -> Trigger.Response:
    client = rig.robot.create_client(Trigger, f"arm_node/{name}")
    rig.until(client.service_is_ready)
    answer = client.call_async(Trigger.Request())
    rig.until(answer.done)
    return answer.result()


@pytest.fixture
def arm(rig):
    node = rig.arm()
    rig.until(rig.holding)
    return node


@pytest.fixture
def moving(rig, arm):
    """An arm in the middle of a slow step."""
    arm.set_parameters([Parameter("speed_scale", value=0.1)])
    rig.send_plan(1, (0.05, 0.0, 0.0))
    rig.until(lambda: len(rig.robot.commands) > 10)
    assert rig.state().moving
    return arm


def test_what_moves_the_arm_needs_no_learning_library():
    loaded = "import sys, jepa_planner.nodes.arm_node; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0


def test_nothing_is_commanded_before_the_first_joint_state(rig):
    rig.robot.joint_states_on = False
    rig.arm()
    rig.until(lambda: rig.robot.arm_states)
    assert rig.state().mode == ArmState.MODE_WAITING
    rig.send_plan(1)
    rig.until(lambda: rig.state().refused_plan_id == 1)
    assert f"nothing came on {rig.namespace}/joint_states" in rig.state().reason
    assert rig.commands_settle() == 0


def test_nothing_is_commanded_before_the_first_plan(rig, arm):
    assert rig.commands_settle() == 0


def test_a_plan_is_followed_within_the_limits_to_its_first_target(rig, arm):
    plan = rig.send_plan(1, (0.04, -0.03, 0.02))
    rig.until(lambda: rig.state().plan_id == 1 and not rig.state().moving)
    rig.commands_settle()
    q = np.array([HOME_RAD, *(command.points[0].positions for command in rig.robot.commands)])
    steps = np.abs(np.diff(q, axis=0)) / KINEMATICS.velocity_rad_s
    assert np.max(steps[0]) <= seconds(rig.robot.commands[0].points[0].time_from_start)
    assert np.max(steps[1:]) <= 0.01
    tcp = np.array([KINEMATICS.tcp_pose(joints)[0] for joints in q])
    assert all(LIMITS.inside_workspace(xyz) for xyz in tcp)
    target = plan.poses[0].position
    np.testing.assert_allclose(tcp[-1], [target.x, target.y, target.z], atol=1e-4)
    assert np.all(np.array(rig.robot.commands[-1].points[0].velocities) == 0.0)


def test_a_target_outside_the_workspace_is_reached_only_up_to_its_border(rig, arm):
    rig.send_plan(1, (0.0, 0.0, 0.10))
    rig.until(lambda: rig.state().plan_id == 1 and not rig.state().moving)
    rig.send_plan(2, (0.0, 0.0, 0.10))
    rig.until(lambda: rig.state().plan_id == 2 and not rig.state().moving)
    rig.commands_settle()
    heights = [KINEMATICS.tcp_pose(np.array(command.points[0].positions))[0][2] for command in rig.robot.commands]
    assert max(heights) == pytest.approx(LIMITS.workspace_max_m[2], abs=1e-3)


def test_an_arm_outside_its_workspace_rests_and_its_state_says_how_far_outside_it_is(rig):
    rig.robot.q_rad = np.array([0.0, -np.pi / 4, 0.0, -3 * np.pi / 4, 0.0, np.pi / 2, np.pi / 4])
    rig.arm()
    rig.until(rig.holding)
    rig.send_plan(1, (0.0, 0.0, 0.01))
    rig.until(lambda: rig.state().refused_plan_id == 1)
    assert "0.242 m above the workspace box (z 0.487, box up to 0.245)" in rig.state().reason
    assert rig.commands_settle() == 0


@pytest.mark.parametrize(
    ("changes", "old", "new", "words"),
    [
        ({}, 'velocity="2.61"', 'velocity="0"', "panda_joint5 has the velocity limit 0 rad/s"),
        ({"base_frame": "panda_link3"}, "", "", "base_frame 'panda_link3' is not the frame"),
        ({"gripper_joints": ["panda_joint7"]}, "", "", "gripper_joints panda_joint7 lie before tcp_frame 'tcp'"),
    ],
)
def test_a_description_that_cannot_be_driven_is_refused_at_configure(rig, tmp_path, changes, old, new, words, capfd):
    (tmp_path / "panda.urdf").write_text(shipped_config("panda.urdf").read_text().replace(old, new, 1))
    (tmp_path / "limits.yaml").write_text(shipped_config("panda_limits.yaml").read_text())
    with pytest.raises(RuntimeError):
        rig.arm(limits_file=str(tmp_path / "limits.yaml"), **changes)
    assert words in capfd.readouterr().err


def test_a_gripper_that_closes_with_a_growing_angle_is_understood(rig):
    rig.robot.finger_m = 0.2
    rig.arm(gripper_open=0.0, gripper_closed=0.8)
    rig.until(rig.holding)
    assert rig.state().closure_measured == pytest.approx(0.25)
    rig.send_plan(1, gripper_closure=[1.0])
    rig.until(lambda: rig.robot.grippers and rig.robot.grippers[-1].points[0].positions[0] == pytest.approx(0.8))


def test_the_stream_is_paced_by_a_clock_that_nobody_sets(arm, rig, monkeypatch):
    ticks = []
    monkeypatch.setattr(arm.executive, "tick", lambda *times_s: ticks.append(times_s))
    rig.until(lambda: ticks)
    monkeypatch.setattr(arm, "now_s", lambda: ticks[0][0] + 1000.0)
    rig.until(lambda: ticks[-1][0] == ticks[0][0] + 1000.0)
    assert ticks[-1][1] - ticks[0][1] < 100.0


def test_just_after_a_motion_states_come_with_every_setpoint_period(arm, monkeypatch):
    """The planner waits for one that shows the arm at rest."""
    now_s, told_s = [arm.now_s() + 10.0], []
    monkeypatch.setattr(arm, "active", False)  # its own timer is idle from here on
    monkeypatch.setattr(arm, "now_s", lambda: now_s[0])
    monkeypatch.setattr(arm, "_publish_state", told_s.append)
    monkeypatch.setattr(arm.executive, "tick", lambda *_: None)
    arm.executive.rest_since_s = now_s[0] - 0.05
    arm._published_state = arm._summary()
    for _ in range(4):
        now_s[0] += 0.01
        monkeypatch.setattr(arm, "active", True)
        arm._tick()
        monkeypatch.setattr(arm, "active", False)
    assert len(set(told_s)) == 4


def test_the_gripper_is_commanded_as_a_finger_position(rig, arm):
    rig.send_plan(1, gripper_closure=[1.0])
    rig.until(lambda: rig.robot.grippers and rig.robot.grippers[-1].points[0].positions[0] == 0.0)
    assert list(rig.robot.grippers[-1].joint_names) == ["panda_finger_joint1"]
    rig.until(lambda: rig.state().closure_measured == 1.0)
    assert rig.state().closure_commanded == 1.0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"by_m": (0.3, 0.0, 0.0)}, "from the measured tcp"),
        ({"by_m": (np.nan, 0.0, 0.0)}, "finite"),
        ({"gripper_closure": [float("inf")]}, "finite"),
        ({"poses": []}, "no first step"),
        ({"poses": [Pose(orientation=Quaternion(w=0.5))]}, "expected a unit quaternion"),
    ],
)
def test_a_bad_plan_moves_nothing_and_its_refusal_is_published(rig, arm, changes, reason):
    rig.send_plan(1, **changes)
    rig.until(lambda: rig.state().refused_plan_id == 1)
    assert reason in rig.state().reason
    assert rig.commands_settle() == 0


def test_a_plan_in_another_frame_is_refused(rig, arm):
    plan = rig.send_plan(1, kind=Plan.KIND_HOLD)
    plan.kind, plan.header.frame_id = Plan.KIND_MOVE, "camera"
    rig.plans.publish(plan)
    rig.until(lambda: rig.state().refused_plan_id == 1)
    assert "'camera'" in rig.state().reason


def test_a_late_plan_is_refused(rig, arm):
    plan = rig.send_plan(1, kind=Plan.KIND_HOLD)
    plan.kind = Plan.KIND_MOVE
    plan.header.stamp.sec -= 30
    rig.plans.publish(plan)
    rig.until(lambda: rig.state().refused_plan_id == 1)
    assert "late" in rig.state().reason
    assert rig.commands_settle() == 0


def test_a_plan_never_replays(rig, arm):
    plan = rig.send_plan(1, (0.0, 0.0, 0.02))
    rig.until(lambda: rig.state().plan_id == 1 and not rig.state().moving)
    count = rig.commands_settle()
    rig.plans.publish(plan)
    rig.until(lambda: rig.state().refused_plan_id == 1)
    assert "replayed" in rig.state().reason
    assert rig.commands_settle() == count


def test_a_plan_from_an_observation_before_the_last_motion_ended_is_refused(rig, arm):
    before = rig.robot.get_clock().now().to_msg()
    rig.send_plan(1, (0.0, 0.0, 0.02))
    rig.until(lambda: rig.state().plan_id == 1 and not rig.state().moving)
    rig.send_plan(2, observed_at=before)
    rig.until(lambda: rig.state().refused_plan_id == 2)
    assert "stale observation" in rig.state().reason


def test_every_trajectory_ends_at_rest_so_that_the_arm_brakes_when_nothing_follows(rig, arm):
    rig.send_plan(1, (0.04, -0.03, 0.02))
    rig.until(lambda: rig.state().plan_id == 1 and not rig.state().moving)
    rig.commands_settle()
    assert any(len(command.points) > 1 for command in rig.robot.commands)
    for command in rig.robot.commands:
        assert np.all(np.array(command.points[-1].velocities) == 0.0)
        times_s = [seconds(point.time_from_start) for point in command.points]
        assert 0.0 < times_s[0] <= 0.01 + AHEAD_S + 1e-8
        assert np.all(np.diff(times_s) > 0.0)
        q = np.array([point.positions for point in command.points])
        steps = np.abs(np.diff(q, axis=0)) / np.diff(times_s)[:, None]
        assert np.all(steps <= KINEMATICS.velocity_rad_s * LIMITS.joint_velocity_scale)
        assert all(LIMITS.inside_workspace(KINEMATICS.tcp_pose(joints)[0], tolerance_m=1e-3) for joints in q)


def test_a_gripper_that_may_hold_something_is_let_alone_until_a_plan_changes_it(rig):
    rig.robot.finger_m = 0.022
    rig.arm()
    rig.until(rig.holding)
    rig.send_plan(1)
    rig.until(lambda: rig.state().plan_id == 1 and not rig.state().moving)
    rig.commands_settle()
    assert rig.robot.grippers == []
    rig.send_plan(2, gripper_closure=[1.0])
    rig.until(lambda: rig.robot.grippers and abs(rig.robot.grippers[-1].points[0].positions[0]) < 1e-6)


def test_a_stop_is_latched_until_a_reset(rig, moving):
    assert call(rig, "stop").success
    assert rig.state().mode == ArmState.MODE_STOPPED
    rig.assert_at_rest()
    count = rig.commands_settle()
    rig.send_plan(2)
    rig.until(lambda: rig.state().refused_plan_id == 2)
    assert rig.commands_settle() == count
    assert call(rig, "reset").success
    rig.send_plan(3)
    rig.until(lambda: rig.state().plan_id == 3)


def test_a_hold_brakes_short_of_the_target(rig, moving):
    rig.plans.publish(Plan(kind=Plan.KIND_HOLD))
    rig.until(lambda: not rig.state().moving)
    rig.assert_at_rest()
    gone_m = np.linalg.norm(KINEMATICS.tcp_pose(rig.robot.q_rad)[0] - KINEMATICS.tcp_pose(HOME_RAD)[0])
    assert 0.0 < gone_m < 0.045


def test_silent_joint_states_brake_the_arm_and_name_it(rig, moving):
    rig.robot.joint_states_on = False
    rig.until(lambda: rig.state().mode == ArmState.MODE_WAITING)
    assert f"joint state is stale: {STALE_S:.0f}." in rig.state().reason
    rig.assert_at_rest()
    rig.robot.joint_states_on = True
    rig.until(rig.holding)


def test_deactivation_brings_the_arm_to_rest_first(rig, moving):
    assert rig.thread(moving).call(moving.trigger_deactivate)
    assert moving.executive.reason == "deactivated"
    rig.commands_settle()
    assert np.all(np.array(rig.robot.commands[-1].points[0].velocities) == 0.0)
    gone_m = np.linalg.norm(KINEMATICS.tcp_pose(rig.robot.q_rad)[0] - KINEMATICS.tcp_pose(HOME_RAD)[0])
    assert gone_m < 0.045


def test_a_parameter_that_is_unsafe_in_motion_is_refused_while_moving(rig, moving):
    result = moving.set_parameters([Parameter("speed_scale", value=1.0)])[0]
    assert not result.successful
    assert "while the arm rests" in result.reason


def test_a_limit_cannot_be_changed_while_the_node_is_configured(rig, arm):
    result = arm.set_parameters([Parameter("limits_file", value="/tmp/looser.yaml")])[0]
    assert not result.successful


@pytest.mark.parametrize("value", [0.0, 1.5])
def test_a_parameter_outside_its_range_is_refused(rig, arm, value):
    assert not arm.set_parameters([Parameter("speed_scale", value=value)])[0].successful


def test_a_joint_state_without_all_joints_is_no_joint_state(rig):
    rig.arm(gripper_joints=["finger_left", "finger_right"])
    rig.until(lambda: rig.robot.arm_states)
    assert rig.state().mode == ArmState.MODE_WAITING


def test_setpoints_can_be_twists(rig):
    twists = []
    rig.robot.create_subscription(TwistStamped, "twist_command", twists.append, 50)
    rig.arm(output="twist")
    rig.until(rig.holding)
    rig.send_plan(1, (0.05, 0.0, 0.0), time_step=Plan().time_step.__class__(sec=1))
    rig.until(lambda: len(twists) > 5)
    assert all(twist.header.frame_id == "panda_link0" for twist in twists)
    assert max(twist.twist.linear.x for twist in twists) > 0
    assert rig.robot.commands == []


def test_setpoints_can_be_poses(rig):
    poses = []
    rig.robot.create_subscription(PoseStamped, "pose_command", poses.append, qos.COMMAND)
    rig.arm(output="pose")
    rig.until(rig.holding)
    start = KINEMATICS.tcp_pose(HOME_RAD)[0]
    rig.send_plan(1, (0.03, 0.0, 0.0))
    rig.until(lambda: poses and abs(poses[-1].pose.position.x - start[0] - 0.03) < 1e-3)
    assert poses[0].pose.orientation.w == pytest.approx(1.0, abs=1e-6)
