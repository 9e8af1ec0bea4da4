from dataclasses import dataclass, field

import numpy as np

from jepa_planner_sim.arm_driver import ACTION_PERIOD_S
from jepa_planner_sim.scene import Scene, TableObject
from jepa_planner_sim.task_judge import TaskJudge
from jepa_planner_sim.tasks import TASKS

GOAL_M = np.array([0.5, 0.0, 0.1])


@dataclass
class FakeWorld:
    """A world that is where the test says."""

    tcp_m: np.ndarray
    speed_rad_s: float = 0.0
    object_m: np.ndarray = field(default_factory=lambda: np.array([0.5, 0.0, 0.0225]))
    touched: bool = False
    scene: Scene = field(default_factory=lambda: Scene((TableObject(),)))

    def tcp_pose(self) -> tuple[np.ndarray, np.ndarray]:
        return self.tcp_m, np.eye(3)

    def joint_velocities(self) -> np.ndarray:
        return np.full(7, self.speed_rad_s)

    def object_pose(self) -> tuple[np.ndarray, float]:
        return self.object_m, 0.0

    def object_speed_m_s(self) -> float:
        return 0.0

    def fingers_touch(self) -> bool:
        return self.touched


def reach() -> TaskJudge:
    return TaskJudge(TASKS["reach"], GOAL_M)


def lifted(height_m: float = 0.1) -> FakeWorld:
    return FakeWorld(GOAL_M, object_m=np.array([0.5, 0.0, height_m]), touched=True)


def test_a_tcp_that_rests_at_the_goal_has_solved_it():
    judge = reach()
    judge.watch(FakeWorld(GOAL_M + 0.005), ACTION_PERIOD_S)
    assert judge.was_solved


def test_a_tcp_that_flies_through_the_goal_has_not():
    judge = reach()
    for _ in range(10):
        judge.watch(FakeWorld(GOAL_M, speed_rad_s=1.0), ACTION_PERIOD_S)
    assert not judge.was_solved


def test_a_tcp_beside_the_goal_has_not():
    judge = reach()
    world = FakeWorld(GOAL_M + np.array([0.03, 0.0, 0.0]))
    judge.watch(world, ACTION_PERIOD_S)
    assert not judge.was_solved
    assert judge.distance_m(world) == np.linalg.norm(world.tcp_m - GOAL_M)


def test_what_was_solved_once_stays_solved():
    judge = reach()
    judge.watch(FakeWorld(GOAL_M), ACTION_PERIOD_S)
    judge.watch(FakeWorld(GOAL_M + 0.1), ACTION_PERIOD_S)
    assert judge.was_solved and not judge.holds(FakeWorld(GOAL_M + 0.1))


def test_it_looks_once_per_action_period_however_short_the_ticks():
    judge = reach()
    for _ in range(24):
        judge.watch(FakeWorld(GOAL_M), 0.01)
    assert not judge.was_solved
    judge.watch(FakeWorld(GOAL_M), 0.01)
    assert judge.was_solved


def test_a_cube_must_be_held_for_a_second_without_a_break():
    judge = TaskJudge(TASKS["grasp"], GOAL_M)
    for world in (lifted(), lifted(), lifted(), lifted(0.03), lifted(), lifted(), lifted()):
        judge.watch(world, ACTION_PERIOD_S)
        assert not judge.was_solved
    judge.watch(lifted(), ACTION_PERIOD_S)
    assert judge.was_solved


def test_a_cube_that_hangs_in_the_air_untouched_is_not_held():
    judge = TaskJudge(TASKS["grasp"], GOAL_M)
    world = lifted()
    world.touched = False
    for _ in range(8):
        judge.watch(world, ACTION_PERIOD_S)
    assert not judge.was_solved
