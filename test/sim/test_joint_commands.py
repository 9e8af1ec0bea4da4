from types import SimpleNamespace

import numpy as np
import pytest

from jepa_planner_sim.joint_commands import JointCommands

NAMES = ("a", "b")


def trajectory(*points: tuple[float, list[float]], names=NAMES) -> SimpleNamespace:
    """Points of (seconds from start, positions)."""
    return SimpleNamespace(
        joint_names=list(names),
        points=[
            SimpleNamespace(
                positions=positions, time_from_start=SimpleNamespace(sec=int(time_s), nanosec=round(time_s % 1 * 1e9))
            )
            for time_s, positions in points
        ],
    )


def ticks(commands: JointCommands, count: int) -> np.ndarray:
    return np.array([commands.tick(0.01)[0] for _ in range(count)])


def test_every_point_is_passed_at_its_time_and_the_last_is_held():
    commands = JointCommands(np.zeros(2), 0.0)
    commands.move_arm(trajectory((0.01, [0.1, 0.0]), (0.03, [0.2, 1.0])), NAMES)
    np.testing.assert_allclose(ticks(commands, 5), [[0.1, 0.0], [0.15, 0.5], [0.2, 1.0], [0.2, 1.0], [0.2, 1.0]])


def test_a_newer_trajectory_takes_over_from_where_the_joints_are():
    commands = JointCommands(np.zeros(2), 0.0)
    commands.move_arm(trajectory((0.02, [0.2, 0.0])), NAMES)
    ticks(commands, 1)
    commands.move_arm(trajectory((0.02, [0.1, 0.4])), NAMES)
    np.testing.assert_allclose(ticks(commands, 2), [[0.1, 0.2], [0.1, 0.4]])


def test_joints_are_told_apart_by_name():
    commands = JointCommands(np.zeros(2), 0.0)
    commands.move_arm(trajectory((0.01, [1.0, 2.0]), names=("b", "a")), NAMES)
    np.testing.assert_allclose(ticks(commands, 1), [[2.0, 1.0]])


@pytest.mark.parametrize(
    "message",
    [
        trajectory(),
        trajectory((0.01, [0.0])),
        trajectory((0.01, [0.0, np.nan])),
        trajectory((0.02, [0.0, 0.0]), (0.01, [0.1, 0.0])),
        trajectory((0.01, [0.0]), names=("a",)),
    ],
    ids=["no points", "too few positions", "not finite", "times that go back", "a joint is missing"],
)
def test_a_trajectory_that_makes_no_sense_is_refused_and_moves_nothing(message):
    commands = JointCommands(np.zeros(2), 0.0)
    with pytest.raises(ValueError, match=r"trajectory|times"):
        commands.move_arm(message, NAMES)
    np.testing.assert_array_equal(ticks(commands, 3), np.zeros((3, 2)))
