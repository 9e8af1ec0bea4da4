"""arm_node before a robot of others: a UR5e with a Robotiq gripper, whose names, order and rules are theirs."""

import time
from collections.abc import Iterator

import numpy as np
import pytest
from bench import until
from jepa_planner.msg import ArmState, Plan
from moving import LIMITS, MovingBench, ur5e_bench

from jepa_planner.control.limits import SafetyLimits

POSES = 20
LOW_M, HIGH_M = (np.array(LIMITS[f"workspace_{end}_m"]) for end in ("min", "max"))
STEP_M = 0.1
OFF_M = 0.002
BEYOND_M = 0.004
"""The tip may be outside of its box by so much: motors follow setpoints on the border with a little overshoot."""


@pytest.fixture(scope="module")
def limits(robot) -> SafetyLimits:
    return SafetyLimits.load(robot.folder / "limits.yaml")


FASTER = {True: 1.1, False: 1.25}
"""Motors lag and catch up: with whole motions, and with setpoints, which may come late."""
SETTINGS = {
    "setpoints": {},
    "whole motions": {
        "output": "follow_joint_trajectory",
        "arm_action": "/scaled_joint_trajectory_controller/follow_joint_trajectory",
    },
}
GRIPPERS = {"setpoints": ("gripper_command", 0.78), "whole motions": ("parallel_gripper_command", 0.8)}
"""Its fingers touch at 0.782 rad: its controller aborts a goal of 0.8, since they stall."""
DRIVER = {"gripper_command": ("--gripper", "gripper_command", "--from-desired"), "parallel_gripper_command": ()}


@pytest.fixture(scope="module", params=list(SETTINGS))
def robot(request, ros, tmp_path_factory) -> Iterator[MovingBench]:
    """Setpoints suit a controller that goes on from its last command; whole motions suit one of default settings."""
    gripper, closed = GRIPPERS[request.param]
    given = {"gripper_output": gripper, "gripper_action": "/robotiq_gripper_controller/gripper_cmd"}
    folder = tmp_path_factory.mktemp("ur5e")
    with ur5e_bench(
        folder, *DRIVER[gripper], limits={"gripper_closed": closed}, **SETTINGS[request.param], **given
    ) as bench:
        yield bench


@pytest.fixture(autouse=True)
def nothing_leaves_its_limits(robot: MovingBench, limits: SafetyLimits) -> Iterator[None]:
    """In any test: by the physics, not by what anybody says about it."""
    robot.measured()
    yield
    did, arm = robot.measured(), limits.kinematics()
    low, high = np.array(did["position_rad"])
    assert np.all(low > arm.lower_rad) and np.all(high < arm.upper_rad)
    bound = limits.joint_velocity_scale * FASTER[robot.whole_motions]
    assert np.all(np.array(did["speed_rad_s"][1]) < bound * arm.velocity_rad_s)
    low, high = np.array(did["tip_m"])
    assert np.all(low > LOW_M - BEYOND_M) and np.all(high < HIGH_M + BEYOND_M)
    assert did["rejected"] == 0


def poses(robot: MovingBench, count: int) -> Iterator[np.ndarray]:
    """Places in the box, each STEP_M from where the arm then is."""
    rng = np.random.default_rng(7)
    for _ in range(count):
        direction = rng.normal(size=3)
        yield np.clip(robot.tcp_m() + STEP_M * direction / np.linalg.norm(direction), LOW_M, HIGH_M)


def under_way(robot: MovingBench) -> np.ndarray:
    """Sends a slow step and waits until the arm has left where it was, which is returned."""
    start_m = robot.tcp_m()
    way = (LOW_M + HIGH_M) / 2 - start_m
    robot.send(start_m + STEP_M * way / np.linalg.norm(way), takes_s=1.0)
    until(lambda: np.linalg.norm(robot.tcp_m() - start_m) > 0.015, "motion", 5.0)
    assert robot.state.moving
    return start_m


def test_it_moves_to_twenty_poses(robot):
    for xyz_m in poses(robot, POSES):
        robot.move(xyz_m)
        until(lambda: np.linalg.norm(robot.tcp_m() - xyz_m) < OFF_M, f"arm at {xyz_m}", 2.0)  # noqa: B023


def test_a_stop_in_mid_motion_lasts_until_the_reset(robot):
    start_m = under_way(robot)
    assert robot.call("arm_node/stop").success
    until(lambda: robot.at_rest(ArmState.MODE_STOPPED), "stop", 5.0)
    stopped_m = robot.tcp_m()
    refused = robot.send(start_m)
    until(lambda: robot.state.refused_plan_id == refused, "refusal", 5.0)
    time.sleep(0.3)
    assert np.linalg.norm(robot.tcp_m() - stopped_m) < OFF_M
    assert robot.call("arm_node/reset").success
    until(robot.at_rest, "reset", 5.0)
    robot.move(start_m)


def test_a_motion_that_is_cancelled_ends_at_once_and_the_next_begins_there(robot):
    start_m = under_way(robot)
    robot.send(start_m, kind=Plan.KIND_HOLD)
    until(robot.at_rest, "rest", 2.0)
    assert np.linalg.norm(robot.tcp_m() - start_m) < 0.9 * STEP_M
    robot.move(start_m)
    until(lambda: np.linalg.norm(robot.tcp_m() - start_m) < OFF_M, "arm back", 2.0)


def test_the_gripper_closes_and_opens_by_its_action_which_may_stall(robot):
    here_m = robot.tcp_m()
    for closure in (1.0, 0.0, 0.5):
        robot.move(here_m, closure)
        until(lambda: abs(robot.state.closure_measured - closure) < 0.03, f"closure {closure}", 5.0)  # noqa: B023
    ends = ["succeed" if robot.gripper_closed < 0.78 + 1e-6 else "abort", "succeed", "succeed"]
    assert robot.measured()["gripper_goals"][-3:] == ends
