from types import SimpleNamespace

import numpy as np
import pytest

from jepa_planner_sim.joint_commands import JointCommands

NAMES = ("a", "b")


def trajectory(*points: tuple, names=NAMES) -> SimpleNamespace:
    """Points of (seconds from start, positions) or (seconds from start, positions, velocities)."""
    return SimpleNamespace(
        joint_names=list(names),
        points=[
            SimpleNamespace(
                positions=positions,
                velocities=velocities[0] if velocities else [],
                time_from_start=SimpleNamespace(sec=int(time_s), nanosec=round(time_s % 1 * 1e9)),
            )
            for time_s, positions, *velocities in points
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


def test_points_with_velocities_are_passed_at_these_on_a_smooth_curve():
    commands = JointCommands(np.zeros(2), 0.0)
    commands.move_arm(trajectory((0.1, [0.1, 0.2], [2.0, 0.0]), (0.2, [0.2, 0.2], [0.0, 0.0])), NAMES)
    q = np.concatenate([np.zeros((1, 2)), ticks(commands, 25)])
    np.testing.assert_allclose(q[[10, 20, 25]], [[0.1, 0.2], [0.2, 0.2], [0.2, 0.2]], atol=1e-12)
    pace = np.diff(q[:, 0]) / 0.01
    assert pace[0] < 0.2 and 1.8 < pace[9] < 2.0 and pace[19] < 0.2
    assert np.max(np.abs(np.diff(pace))) < 0.7


def test_a_newer_trajectory_begins_at_the_pace_of_the_one_before():
    commands = JointCommands(np.zeros(2), 0.0)
    commands.move_arm(trajectory((0.1, [0.1, 0.0], [1.0, 0.0])), NAMES)
    before = ticks(commands, 9)
    commands.move_arm(trajectory((0.1, [0.2, 0.0], [0.0, 0.0])), NAMES)
    pace = np.diff(np.concatenate([before, ticks(commands, 12)])[:, 0]) / 0.01
    assert np.max(np.abs(np.diff(pace))) < 0.45
    assert pace[-1] == 0.0


def test_a_point_that_is_due_at_once_is_passed_at_once():
    commands = JointCommands(np.zeros(2), 0.0)
    commands.move_arm(trajectory((0.0, [0.1, 0.0]), (0.02, [0.3, 0.0])), NAMES)
    np.testing.assert_allclose(ticks(commands, 3)[:, 0], [0.2, 0.3, 0.3], atol=1e-6)


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
        trajectory((0.01, [0.0, 0.0], [0.0, 0.0]), (0.02, [0.1, 0.0])),
        trajectory((0.01, [0.0, 0.0], [0.0, np.inf])),
    ],
    ids=[
        "no points",
        "too few positions",
        "not finite",
        "times that go back",
        "a joint is missing",
        "some velocities",
        "a velocity that is not finite",
    ],
)
def test_a_trajectory_that_makes_no_sense_is_refused_and_moves_nothing(message):
    commands = JointCommands(np.zeros(2), 0.0)
    with pytest.raises(ValueError, match=r"trajectory|times"):
        commands.move_arm(message, NAMES)
    np.testing.assert_array_equal(ticks(commands, 3), np.zeros((3, 2)))
