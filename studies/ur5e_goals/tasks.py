"""What is to be done at the cell, as it is drawn, shown and judged: the tasks of studies/ur5e, moved by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ur5e_cell import CUBE_HIGH_M, CUBE_LOW_M, CUBE_M, HIGH_M, LOW_M
from ur5e_teleoperator import CLOSED, GRASP_M, OPEN

from studies.ur5e.scene import FAR_M, HELD_M, Grasp, PickPlace, Reach
from studies.ur5e_goals.person import Move

ABOVE_M, CARRY_M, ASIDE_M = 0.11, 0.14, 0.12
NEAR_M, REACHED_M = 0.03, 0.02
TASKS = {"reach": Reach, "grasp": Grasp, "pick_place": PickPlace}


@dataclass(frozen=True)
class Scene:
    """cube: x, y (m) and yaw (rad) at the start; tool_m: where the tool starts; goal_m: where cube or tool is to be;
    aside_m: where the hand is in a picture that shows it out of the way.
    """

    task: str
    cube: np.ndarray
    tool_m: np.ndarray
    goal_m: np.ndarray
    aside_m: np.ndarray

    def moves(self) -> list[Move]:
        """What shows it, from the start on."""
        if self.task == "reach":
            return [Move(self.goal_m, OPEN, "reached")]
        cube, goal = self.cube[:2], self.goal_m[:2]
        take = [
            _over(cube, ABOVE_M, OPEN, "above"), _over(cube, GRASP_M, OPEN, "at"),
            _over(cube, GRASP_M, CLOSED, "grasped"), _over(cube, CARRY_M, CLOSED, "lifted"),
        ]  # fmt: skip
        if self.task == "grasp":
            return take
        return [
            *take, _over(goal, CARRY_M, CLOSED, "carried"), _over(goal, GRASP_M + 0.003, CLOSED, "lowered"),
            _over(goal, GRASP_M + 0.003, OPEN, "placed"), _over(goal, 0.13, OPEN, "left"),
            Move(np.array((*self.aside_m[:2], max(self.aside_m[2], 0.13))), OPEN), Move(self.aside_m, OPEN, "aside"),
        ]  # fmt: skip

    def names(self, goal_images: str) -> tuple[str, ...]:
        """Of the pictures that the planner is given: one, as many as the task has few, or dense."""
        task = TASKS[self.task]
        if goal_images == "one":
            return ("aside",) if task.ends_aside else task.dense[-1:]
        if goal_images == "dense":
            return task.dense
        if goal_images == str(len(task.few)):
            return task.few
        raise ValueError(f"goal images are 'one', 'dense' or {len(task.few)} for {self.task}, got {goal_images!r}")

    def off_m(self, tool_m: np.ndarray, cubes_m: np.ndarray, shown_cube_m: np.ndarray) -> float:
        """How far the tool, or the cube along the table, is from where it was to be, or by how much the cube is held
        too low: where the tool is, where the cube was in the last second [N, 3], and where it was when the goal was
        shown.
        """
        if self.task == "reach":
            return float(np.linalg.norm(tool_m - self.goal_m))
        if self.task == "grasp":
            return max(0.0, HELD_M - float(cubes_m[:, 2].min() - CUBE_M / 2))
        return float(np.linalg.norm(cubes_m[-1, :2] - shown_cube_m[:2]))

    def holds(self, tool_m: np.ndarray, cubes_m: np.ndarray, shown_cube_m: np.ndarray) -> bool:
        """Whether it is done; of what `off_m` is given."""
        off_m = self.off_m(tool_m, cubes_m, shown_cube_m)
        if self.task == "reach":
            return off_m < REACHED_M
        if self.task == "grasp":
            return off_m == 0.0
        rests = np.ptp(cubes_m, axis=0).max() < 0.001
        return bool(off_m < NEAR_M and cubes_m[-1, 2] - CUBE_M / 2 < 0.01 and rests)


def draw(task: str, rng: np.random.Generator) -> Scene:
    """A start and a goal that differ."""
    while True:
        cube_m, goal_m = rng.uniform(CUBE_LOW_M, CUBE_HIGH_M), np.zeros(3)
        tool_m = rng.uniform(np.add(LOW_M, (0.0, 0.0, 0.10)), HIGH_M)
        aside_m = rng.uniform((LOW_M[0], LOW_M[1], 0.10), HIGH_M)
        if task == "reach":
            goal_m = rng.uniform(np.add(LOW_M, (0.01, 0.01, 0.02)), np.subtract(HIGH_M, 0.01))
            fits = goal_m[2] > 0.11 or np.linalg.norm(goal_m[:2] - cube_m) > 0.08
            fits &= np.linalg.norm(goal_m - tool_m) > 0.08
        else:
            goal_m[:2] = rng.uniform(CUBE_LOW_M, CUBE_HIGH_M)
            fits = task == "grasp" or np.linalg.norm(goal_m[:2] - cube_m) > FAR_M
            fits &= min(np.linalg.norm(aside_m[:2] - x) for x in (goal_m[:2], cube_m)) > ASIDE_M
        if fits:
            return Scene(task, np.array((*cube_m, rng.uniform(-0.35, 0.35))), tool_m, goal_m, aside_m)


def _over(place_m: np.ndarray, height_m: float, closure: float, name: str) -> Move:
    return Move(np.array((*place_m, height_m)), closure, name)
