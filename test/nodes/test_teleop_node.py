"""A person who moves the arm: through arm_node, and so within its limits."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from harness import LIMITS, Rig, moves
from jepa_planner.msg import ArmState, Plan
from sensor_msgs.msg import Joy

from jepa_planner.nodes import qos, teleop_node
from jepa_planner.nodes.arm_states import xyz_rpy
from jepa_planner.nodes.planner_node import start
from jepa_planner.nodes.teleop_node import TeleopNode

X, Y, UP, TURN = np.eye(6)[[0, 1, 2, 5]]
BORDER_M = LIMITS.workspace_max_m[0]


@pytest.fixture
def teleop(rig, monkeypatch) -> TeleopNode:
    monkeypatch.setattr(teleop_node, "DISCOVERY_S", 0.05)
    node = TeleopNode(**rig.options())
    rig.run(node)
    rig.arm(joint_state_timeout_s=0.5)
    rig.until(lambda: rig.holding() and node.report is not None)
    return node


def pose(rig: Rig) -> np.ndarray:
    return xyz_rpy(rig.state().pose)


def press(node: TeleopNode, direction: np.ndarray) -> None:
    with node.busy:
        node.jog.press(direction, time.monotonic())


def until_held(rig: Rig, again: Callable[[], None], condition: Callable[[], bool]) -> None:
    """Presses again and again, as a key that is held does, until something holds."""

    def held() -> bool:
        again()
        time.sleep(0.04)
        return condition()

    rig.until(held)


def rests(rig: Rig) -> bool:
    state = rig.state()
    return state.mode == ArmState.MODE_HOLDING and not state.moving


def test_a_tap_moves_the_arm_by_one_step(rig, teleop):
    begins = pose(rig)
    press(teleop, UP)
    rig.until(lambda: pose(rig)[2] > begins[2] + 0.009 and rests(rig))
    time.sleep(0.3)
    assert pose(rig)[:3] == pytest.approx([*begins[:2], begins[2] + 0.01], abs=1e-3)
    assert len(moves(rig)) == 1


def test_a_held_key_moves_it_on_and_a_released_one_brakes_it(rig, teleop):
    begins = pose(rig)
    until_held(rig, lambda: press(teleop, Y), lambda: pose(rig)[1] > begins[1] + 0.025 and rig.state().moving)
    rig.until(lambda: rests(rig) and any(plan.kind == Plan.KIND_HOLD for plan in rig.robot.plans))
    plans = len(rig.robot.plans)
    time.sleep(0.4)
    assert len(rig.robot.plans) == plans
    rig.assert_at_rest()


def test_no_key_takes_the_arm_out_of_its_box(rig, teleop):
    teleop.scale = 4.0
    until_held(
        rig, lambda: press(teleop, X), lambda: rig.state().commanded_pose.position.x >= LIMITS.workspace_max_m[0] - 1e-3
    )
    for _ in range(20):
        press(teleop, X)
        time.sleep(0.04)
    rig.until(lambda: rests(rig))
    highest = max(state.commanded_pose.position.x for state in rig.robot.arm_states)
    assert highest <= BORDER_M + 1e-3


def test_the_gripper_closes_and_opens_and_the_arm_turns(rig, teleop):
    for closed in (1.0, 0.0):
        teleop.jog.toggle_gripper()
        rig.until(lambda closed=closed: rig.state().closure_measured == pytest.approx(closed) and rests(rig))
    yaw = pose(rig)[5]
    press(teleop, TURN)
    rig.until(lambda: pose(rig)[5] > yaw + 0.045)


def test_speed_is_the_size_of_steps_within_bounds(rig, teleop):
    assert teleop.step_m == 0.01
    teleop.change_speed(faster=True)
    assert teleop.step_m == pytest.approx(0.015)
    for _ in range(20):
        teleop.change_speed(faster=True)
    assert teleop.step_m < LIMITS.max_step_m
    for _ in range(40):
        teleop.change_speed(faster=False)
    assert teleop.step_m == pytest.approx(0.001)


def test_a_stopped_arm_and_stale_joint_states_move_nothing(rig, teleop):
    rig.robot.joint_states_on = False
    rig.until(lambda: rig.state().mode == ArmState.MODE_WAITING)
    commands = len(rig.robot.commands)
    for _ in range(10):
        press(teleop, UP)
        time.sleep(0.04)
    assert len(rig.robot.commands) == commands and not moves(rig)


def test_a_refusal_is_told_and_not_asked_for_again_at_once(rig, teleop):
    teleop.scale = 100.0  # a step that no limits allow
    for _ in range(10):
        press(teleop, UP)
        time.sleep(0.04)
    rig.until(lambda: "first target is" in teleop.refusal)
    assert len(moves(rig)) <= 2 and not rig.robot.commands


def test_a_joystick_moves_only_while_its_deadman_button_is_held(rig, teleop):
    joystick = rig.robot.create_publisher(Joy, "joy", qos.SENSOR)
    rig.until(lambda: joystick.get_subscription_count() == 1)
    begins = pose(rig)

    def lean(deadman: int, gripper: int = 0) -> None:
        joystick.publish(Joy(axes=[0.0, 1.0, 0.0, 0.0, 0.0], buttons=[gripper, 0, 0, 0, deadman]))

    for _ in range(10):
        lean(deadman=0, gripper=1)
        time.sleep(0.03)
    assert not moves(rig)
    until_held(rig, lambda: lean(deadman=1), lambda: pose(rig)[0] > begins[0] + 0.015)
    rig.until(lambda: rests(rig))
    until_held(rig, lambda: lean(deadman=1, gripper=1), lambda: rig.state().closure_measured > 0.99)


def test_a_joystick_of_other_axes_moves_nothing(rig, teleop):
    joystick = rig.robot.create_publisher(Joy, "joy", qos.SENSOR)
    rig.until(lambda: joystick.get_subscription_count() == 1)
    for message in (Joy(), Joy(axes=[1.0]), Joy(axes=[float("nan")] * 5, buttons=[0, 0, 0, 0, 1])):
        joystick.publish(message)
        time.sleep(0.05)
    assert not moves(rig) and rests(rig)


def test_two_who_plan_are_one_too_many(rig):
    assert rig.plans is not None
    node = TeleopNode(**rig.options())
    with pytest.raises(RuntimeError, match="robot sends plans: end it first"):
        start([node])
    node.destroy_node()


def test_axes_that_are_no_four_are_refused(rig):
    node = TeleopNode(**rig.options(joy_axes=[1, 0]))
    with pytest.raises(RuntimeError, match="expected four numbers"):
        start([node])
    node.destroy_node()
