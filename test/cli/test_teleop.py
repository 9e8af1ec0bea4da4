"""The verb as a person at a terminal uses it: its own arm_node moves a robot that obeys at once."""

import numpy as np
import pytest
from harness import Robot
from terminal import TIMEOUT_S, Terminal
from typed import complaint

from jepa_planner.cli.teleop import direction
from jepa_planner.nodes.planner_node import wait_until
from jepa_planner.nodes.running import NodeThread


@pytest.fixture
def robot(ros):
    robot = Robot("/at_keys")
    thread = NodeThread(robot, lambda: None)
    yield robot
    thread.stop()


def test_keys_move_the_arm_and_the_end_of_the_program_leaves_it_at_rest(robot):
    with Terminal("teleop", "--namespace", "at_keys") as terminal:
        terminal.until(r"x 0\.\d+ .* holding")
        assert wait_until(lambda: robot.arm_states, TIMEOUT_S)
        begins_m = robot.arm_states[-1].pose.position.z
        terminal.type("r")
        assert wait_until(lambda: robot.arm_states[-1].pose.position.z > begins_m + 0.009, TIMEOUT_S)
        terminal.type("+ ")
        terminal.until("closure 1.00  step 15 mm")
        terminal.type("q")
        assert terminal.status() == 0
    assert np.all(np.array(robot.commands[-1].points[0].velocities) == 0.0)


def test_a_key_is_a_direction_of_the_base_frame():
    assert np.array_equal(direction("-y"), [0, -1, 0, 0, 0, 0])
    assert np.array_equal(direction("+yaw"), [0, 0, 0, 0, 0, 1])


def test_a_wrong_command_line_is_refused(capsys):
    assert "/nowhere.yaml" in complaint(capsys, "teleop", "--params-file", "/nowhere.yaml")
    assert "remap" in complaint(capsys, "teleop", "--remap", "joint_states")
