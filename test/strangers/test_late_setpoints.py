"""Setpoints that a network or a full machine holds back, and the joints of a controller of others that gets them."""

import sys
from pathlib import Path

import numpy as np
import pytest

from jepa_planner.control.limits import SafetyLimits
from jepa_planner.control.setpoint_stream import SetpointStream
from jepa_planner.nodes.outputs import joint_trajectory
from jepa_planner.nodes.outputs.joint_trajectory import JointTrajectoryOutput

sys.path.append(str(Path(__file__).parents[2] / "examples" / "robots"))

import joint_trajectory as jt

LIMITS = SafetyLimits.panda()
KINEMATICS = LIMITS.kinematics()
HOME_RAD = KINEMATICS.inverse(np.array([0.5, 0.0, 0.13]), np.eye(3), np.array(LIMITS.posture_rad))
PERIOD_S, CYCLE_S = 0.01, 0.002
SHARE = 1.12
"""Of a joint's limit: curves between setpoints are a little faster in places than the setpoints are."""
SHARE_OF = {"0 to 100 ms": 1.25, "100 ms from the start": 1.55}
"""Where the arm does not know its way yet, or messages come closer together than they left."""


class Publisher:
    topic_name = "joint_trajectory"

    def __init__(self) -> None:
        self.sent: list = []

    def publish(self, message) -> None:
        self.sent.append(message)


def waypoints(message) -> list[jt.Waypoint]:
    return [
        jt.Waypoint(
            p.time_from_start.sec + p.time_from_start.nanosec * 1e-9, np.array(p.positions), np.array(p.velocities)
        )
        for p in message.points
    ]


def follow(by_m: np.ndarray, comes_at_s) -> tuple[np.ndarray, np.ndarray]:
    """Joint positions [cycles, joints] of a controller for one step, and where it should end; comes_at_s: says when a
    message arrives that leaves at a time.
    """
    stream = SetpointStream(KINEMATICS, LIMITS, 1.0 / PERIOD_S, joint_trajectory.AHEAD_S)
    stream.reset(HOME_RAD, 0.0)
    stream.follow(stream.pose()[0] + by_m, np.eye(3), 0.0, 0.22)
    publisher = Publisher()
    node = type("Node", (), {"create_lifecycle_publisher": lambda *_: publisher})()
    output = JointTrajectoryOutput(node, KINEMATICS.joint_names, "base", stream)
    controller = jt.Follower(KINEMATICS.joint_names, HOME_RAD, from_desired=True)
    under_way: list[tuple[float, object]] = []
    setpoint, q_rad = stream.tick(), [HOME_RAD]
    for cycle in range(600):
        now_s = cycle * CYCLE_S
        if cycle % round(PERIOD_S / CYCLE_S) == 0 and setpoint.moving:
            output.send(setpoint)
            came_s = max([comes_at_s(now_s), *(at_s for at_s, _ in under_way)])  # in the order in which they left
            under_way += [(came_s, message) for message in publisher.sent]
            publisher.sent.clear()
            setpoint = stream.tick()
        while under_way and under_way[0][0] <= now_s:
            _, message = under_way.pop(0)
            controller.take(message.joint_names, waypoints(message), now_s, now_s, (q_rad[-1], np.zeros(7)))
        q_rad.append(controller.update(now_s, q_rad[-1])[0])
    return np.array(q_rad), stream.q_rad


def held_back(begin_s: float, end_s: float):
    return lambda at_s: end_s if begin_s <= at_s < end_s else at_s


def trembling(most_s: float):
    rng = np.random.default_rng(1)
    return lambda at_s: at_s + rng.uniform(0.0, most_s)


LATE = {
    "in time": lambda at_s: at_s,
    "50 ms in the middle": held_back(0.1, 0.15),
    "100 ms in the middle": held_back(0.1, 0.2),
    "100 ms from the start": held_back(0.0, 0.1),
    "150 ms from soon on": held_back(0.03, 0.18),
    "for the rest of the step": held_back(0.15, 0.5),
    "0 to 20 ms": trembling(0.02),
    "0 to 100 ms": trembling(0.1),
    "always 80 ms": lambda at_s: at_s + 0.08,
}


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("by_m", [(0.1, 0.0, 0.0), (0.0, 0.1, 0.0), (0.05, -0.05, 0.03)], ids=str)
def test_setpoints_that_come_late_and_then_at_once_make_no_joint_faster_than_its_limit(by_m, late):
    q_rad, end_rad = follow(np.array(by_m), LATE[late])
    speed_rad_s = np.max(np.abs(np.diff(q_rad, axis=0)), axis=0) / CYCLE_S
    share = np.max(speed_rad_s / (KINEMATICS.velocity_rad_s * LIMITS.joint_velocity_scale))
    print(f"{late}, a step by {by_m} m: the fastest joint at {share:.2f} of its limit")
    assert share <= SHARE_OF.get(late, SHARE)
    np.testing.assert_allclose(q_rad[-1], end_rad, atol=1e-9)


def test_the_tcp_keeps_to_its_straight_line_within_a_millimetre():
    for by_m in (np.array([0.1, 0.0, 0.0]), np.array([0.0, 0.1, 0.0])):
        q_rad, _ = follow(by_m, LATE["in time"])
        way_m = np.array([KINEMATICS.tcp_pose(joints)[0] for joints in q_rad[::5]]) - KINEMATICS.tcp_pose(HOME_RAD)[0]
        along = by_m / np.linalg.norm(by_m)
        assert np.max(np.linalg.norm(way_m - np.outer(way_m @ along, along), axis=1)) < 1e-3
