"""The cell of others does what a table, a hand and a person at the sticks do; what it looks like is not looked at."""

import sys
from itertools import islice

import numpy as np
import pytest
from bench import ROBOTS

sys.path.append(str(ROBOTS))

from ur5e_cell import CUBE_M, HIGH_M, LOW_M, Cell
from ur5e_motion import CartesianArm
from ur5e_teleoperator import FASTEST_M_S, PERIOD_S, Teleoperator

CUBE_XY_M = np.array((0.5, 0.05))


@pytest.fixture(scope="module")
def arm() -> CartesianArm:
    return CartesianArm(Cell())


@pytest.fixture(autouse=True)
def at_rest(arm: CartesianArm) -> None:
    arm.place(np.array((0.45, -0.05, 0.15)), CUBE_XY_M, 0.2)


@pytest.mark.parametrize("corner", [LOW_M + 0.03, (LOW_M + HIGH_M) / 2, HIGH_M])
def test_the_tool_comes_to_where_it_is_sent_and_points_down(arm, corner):
    for _ in range(8):
        arm.glide(arm.target_m + np.clip(corner - arm.target_m, -0.05, 0.05), 0.0, 0.0, 0.25)
    arm.glide(arm.target_m, 0.0, 0.0, 0.5)
    place, rotation = arm.cell.tool_pose()
    np.testing.assert_allclose(place, corner, atol=0.002)
    np.testing.assert_allclose(rotation, np.diag((1.0, -1.0, -1.0)), atol=0.02)


def test_the_cell_has_bounds_that_the_tool_does_not_leave(arm):
    for _ in range(20):
        arm.glide(np.add(arm.target_m, 0.05), 0.0, 0.0, 0.25)
    assert np.all(arm.cell.tool_pose()[0] < HIGH_M + 0.003)


def work(arm: CartesianArm, what: str, seconds: float, seed: int = 3) -> np.ndarray:
    """Where the cube was, every PERIOD_S."""
    cell, cubes = arm.cell, []
    sticks = Teleoperator(lambda: (cell.tool_pose()[0], cell.cube_pose()[0]), np.random.default_rng(seed))
    wishes = sticks.play() if what == "play" else sticks.work(what)
    for wish in islice(wishes, round(seconds / PERIOD_S)):
        assert np.abs(wish.velocity_m_s).max() <= FASTEST_M_S and 0.0 <= wish.closure <= 1.0
        arm.glide(arm.target_m + wish.velocity_m_s * PERIOD_S, 0.0, wish.closure, PERIOD_S)
        cubes.append(cell.cube_pose()[0])
    return np.array(cubes)


def test_a_person_at_the_sticks_takes_the_cube_and_puts_it_elsewhere(arm):
    cubes = work(arm, "place", 12.0)
    assert cubes[:, 2].max() > 0.07
    at = int(cubes[:, 2].argmax())
    assert np.linalg.norm(cubes[-1, :2] - CUBE_XY_M) > 0.03 and cubes[at:, 2].min() < CUBE_M / 2 + 0.002


def test_a_person_at_the_sticks_pushes_the_cube_along_the_table(arm):
    cubes = work(arm, "push", 6.0, seed=1)
    assert np.linalg.norm(cubes[-1, :2] - CUBE_XY_M) > 0.02 and cubes[:, 2].max() < CUBE_M / 2 + 0.01


def test_a_person_who_plays_drags_the_cube_about(arm):
    cubes = work(arm, "play", 12.0)
    low = cubes[1:, 2] < CUBE_M / 2 + 0.005
    dragged_m = np.linalg.norm(np.diff(cubes[:, :2], axis=0), axis=1)[low].sum()
    assert dragged_m > 0.1
