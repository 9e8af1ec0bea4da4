"""Faults of cameras, joint states and clocks in mid-motion, the nodes in processes of their own: the arm comes to rest,
the reason has a name, and work goes on where it can.
"""

import pytest
from fault_rig import TABLE, FaultReport

from jepa_planner.nodes.goal_executor import Outcome

pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("silent", "image is stale"),
        ("late", "image is stale"),
        ("frozen", "image is stale"),
        ("corrupted", "image is stale"),
        ("wrong size", "image is stale"),
    ],
)
def test_a_camera_fault_ends_the_goal_by_name(fault_rig, fault, words):
    def inject() -> None:
        if fault == "silent":
            fault_rig.robot.images_on = False
        elif fault == "frozen":
            fault_rig.robot.image_stamp = fault_rig.robot.get_clock().now()
        else:
            fault_rig.robot.camera_fault = fault

    def mend() -> None:
        fault_rig.robot.images_on, fault_rig.robot.image_stamp, fault_rig.robot.camera_fault = True, None, ""

    fault_rig.survives(f"camera: {fault}", inject, mend, Outcome.STALE_IMAGE, words)


@pytest.mark.parametrize("ahead_s", [0.3, 0.99, 5.0, -5.0])
@pytest.mark.parametrize(
    ("whose", "expected", "what"),
    [("robot", Outcome.STALE_JOINT_STATE, "joint state"), ("cameras", Outcome.STALE_IMAGE, "image")],
)
def test_a_clock_that_is_set_wrong_in_mid_motion_ends_the_goal_and_is_named(fault_rig, whose, expected, what, ahead_s):
    def set_clock(apart_s: float) -> None:
        if whose == "robot":
            fault_rig.robot.arm_ahead_s = apart_s
        else:
            fault_rig.robot.cameras_ahead_s = [apart_s, apart_s]

    words = f"is stamped {ahead_s:.2f} s ahead of" if ahead_s > 0 else f"{what} is stale: 5.0"
    fault = f"clock of the {whose} {abs(ahead_s):g} s {'ahead' if ahead_s > 0 else 'behind'}"
    fault_rig.survives(fault, lambda: set_clock(ahead_s), lambda: set_clock(0.0), expected, words)


def test_half_the_images_dropped_only_slows_the_work(fault_rig):
    fault_rig.robot.camera_fault = "half dropped"
    fault_rig.goes_on()
    fault_rig.robot.camera_fault = ""
    TABLE.append(FaultReport("camera: half of the images dropped", 0.0, "none: the work goes on", True))


def test_silent_joint_states_brake_the_arm_and_end_the_goal_by_name(fault_rig):
    fault_rig.survives(
        "joint states silent",
        lambda: setattr(fault_rig.robot, "joint_states_on", False),
        lambda: setattr(fault_rig.robot, "joint_states_on", True),
        Outcome.STALE_JOINT_STATE,
        "joint state is stale",
    )
