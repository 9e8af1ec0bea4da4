import pytest
from action_rig import ActionRig, GripperCommandRig
from controllers import GRIPPER_ACTION
from harness import Rig
from jepa_planner.msg import ArmState, Plan
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from jepa_planner.control.gripper import Ends
from jepa_planner.nodes.arm_node import ArmNode
from jepa_planner.nodes.conversions import seconds


@pytest.fixture(params=[ActionRig, GripperCommandRig], ids=["parallel_gripper_command", "gripper_command"])
def rig(ros, bundle, request):
    rig = request.param(bundle)
    yield rig
    rig.close()


@pytest.fixture
def plain(ros, bundle):
    """A robot that is commanded over topics."""
    rig = Rig(bundle)
    yield rig
    rig.close()


def positions(rig: ActionRig) -> list[float]:
    """What the gripper's goals asked for."""
    asked = [goal.command.position for goal in rig.robot.gripper.goals]
    return [position if isinstance(position, float) else position[0] for position in asked]


def close_gripper(rig: Rig, number: int = 1, closure: float = 1.0) -> None:
    rig.send_plan(number, (0.0, 0.0, 0.0), gripper_closure=[closure])
    rig.until(lambda: number in (rig.state().plan_id, rig.state().refused_plan_id) and not rig.state().moving)


def test_a_motion_of_the_gripper_is_one_goal_and_the_arm_moves_until_it_has_ended(rig):
    rig.arm()
    rig.until(rig.holding)
    rig.robot.gripper.speed_m_s = 0.05
    close_gripper(rig)
    assert positions(rig) == [0.0]
    assert rig.state().closure_measured == pytest.approx(1.0, abs=0.03)
    assert seconds(rig.state().rest_since) > 0.0


@pytest.mark.parametrize("aborts", [True, False])
def test_a_gripper_that_stalls_holds_something_and_is_no_failure(rig, aborts):
    rig.arm()
    rig.until(rig.holding)
    rig.robot.gripper.thing_m, rig.robot.gripper.aborts_stalled = 0.022, aborts
    close_gripper(rig)
    close_gripper(rig, 2)
    assert rig.state().plan_id == 2
    assert rig.state().fault == ArmState.FAULT_NONE
    assert rig.state().closure_measured == pytest.approx(0.45)


def test_a_gripper_goal_that_is_rejected_brakes_the_arm_and_is_named(rig):
    rig.robot.gripper.rejects = True
    rig.arm(speed_scale=0.2)
    rig.until(rig.holding)
    rig.send_plan(1, (0.08, 0.0, 0.0), gripper_closure=[1.0])
    rig.until(lambda: rig.state().fault == ArmState.FAULT_GRIPPER_NOT_FOLLOWING and not rig.state().moving)
    assert f"action {rig.namespace}/{GRIPPER_ACTION} rejected a goal" in rig.state().fault_reason
    assert len(rig.robot.arm.goals) == 2


def test_commands_can_have_other_units_than_joint_states(rig):
    rig.robot.gripper.m_per_unit = 0.04 / 85.0
    rig.arm(gripper_command_open=85.0, gripper_command_closed=0.0, gripper_max_effort=20.0)
    rig.until(rig.holding)
    close_gripper(rig, closure=0.5)
    assert positions(rig) == [42.5]
    command = rig.robot.gripper.goals[0].command
    if isinstance(command, JointState):
        assert list(command.name) == ["panda_finger_joint1"]
        assert list(command.effort) == [20.0]
        assert list(command.velocity) == [5.0 * 85.0]
    else:
        assert command.max_effort == 20.0
    assert rig.state().closure_measured == pytest.approx(0.5, abs=0.03)


def test_forward_controllers_get_a_number_for_each_commanded_finger(plain):
    numbers: list[Float64MultiArray] = []
    plain.robot.create_subscription(Float64MultiArray, "fingers", numbers.append, 50)
    node = ArmNode(
        namespace=plain.namespace,
        cli_args=["--ros-args", "-r", "gripper_command:=fingers"],
        parameter_overrides=[
            Parameter(name, value=value)
            for name, value in {
                "gripper_output": "float64_multi_array", "gripper_commanded_fingers": 2,
            }.items()
        ],
    )  # fmt: skip
    plain.run(node)
    plain.until(plain.holding)
    close_gripper(plain, closure=0.5)
    plain.until(lambda: numbers and list(numbers[-1].data) == pytest.approx([0.02, 0.02]))
    closing = [message.data[0] for message in numbers]
    assert closing == sorted(closing, reverse=True)
    assert len(closing) > 3


def test_a_fixed_gripper_needs_no_joint_and_is_not_commanded(plain):
    plain.robot.joint_names = plain.robot.joint_names[:7]
    plain.arm(gripper_output="none")
    plain.until(plain.holding)
    plain.send_plan(1, gripper_closure=[1.0])
    plain.until(lambda: plain.state().plan_id == 1 and not plain.state().moving)
    assert plain.robot.grippers == []
    assert (plain.state().closure_commanded, plain.state().closure_measured) == (0.0, 0.0)
    plain.plans.publish(Plan(kind=Plan.KIND_HOLD))


def test_more_commanded_fingers_than_there_are_are_refused(plain, capfd):
    with pytest.raises(RuntimeError):
        plain.arm(gripper_commanded_fingers=3)
    assert "gripper_commanded_fingers is 3" in capfd.readouterr().err


def test_equal_ends_are_refused():
    with pytest.raises(ValueError, match=r"gripper_open and gripper_closed are both 0\.8"):
        Ends(0.8, 0.8)


def test_positions_and_closures_are_each_others_inverse():
    assert Ends(0.0, 0.8).position(0.25) == pytest.approx(0.2)
    assert Ends(0.0, 0.8).closure(0.2) == pytest.approx(0.25)
