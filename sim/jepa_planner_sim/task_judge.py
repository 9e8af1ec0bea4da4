"""Says whether a task was solved while time runs on by itself, by the same rules as the environments' steps."""

from __future__ import annotations

import numpy as np

from jepa_planner_sim.arm_driver import ACTION_PERIOD_S
from jepa_planner_sim.tasks import HOLD_STEPS, Task, achieved_now, distance_m
from jepa_planner_sim.world import World

REST_RAD_S = 0.05
"""A tcp that flies through the goal has not reached it: an environment looks only when a step is over."""


class TaskJudge:
    """Looks once per action period; `was_solved` stays true from the first time the task's condition held."""

    def __init__(self, task: Task, goal_m: np.ndarray) -> None:
        self.task = task
        self.goal_m = goal_m
        self.was_solved = False
        self._since_observation_s = 0.0
        self._held = 0

    def watch(self, world: World, elapsed_s: float) -> None:
        """Notes that simulated time has passed."""
        self._since_observation_s += elapsed_s
        if self._since_observation_s < ACTION_PERIOD_S - 1e-9:
            return
        self._since_observation_s = 0.0
        needed = HOLD_STEPS if self.task.name == "grasp" else 1
        still = needed > 1 or np.max(np.abs(world.joint_velocities())) < REST_RAD_S
        self._held = self._held + 1 if still and self.holds(world) else 0
        self.was_solved |= self._held >= needed

    def holds(self, world: World) -> bool:
        """Whether the task's condition holds at this moment."""
        return achieved_now(self.task, world, self.goal_m)

    def distance_m(self, world: World) -> float:
        """How far the scene is from the goal."""
        return distance_m(self.task, world, self.goal_m)
