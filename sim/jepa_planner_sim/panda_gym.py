"""panda-gym's reach, push and pick-and-place as scenes to plan in: what is asked, and what is done while exploring."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from jepa_planner_sim import expert
from jepa_planner_sim.arm_driver import UPRIGHT_ACTION_MAX
from jepa_planner_sim.expert import CLOSED, Waypoint
from jepa_planner_sim.panda_gym_scene import BASE_X_M, PandaGym

REGION_M = 0.15
ASIDE_M = np.array([[0.47, -0.17, 0.15], [0.73, 0.17, 0.28]])


class _Task(PandaGym):
    """Common to the three; behaviours: what is done while exploring."""

    behaviours: ClassVar[tuple[str, ...]]
    max_steps = 45

    def behaviour(self, rng: np.random.Generator) -> list[Waypoint]:
        """One thing that is done while exploring."""
        target = _target(rng)
        error = rng.normal(0.0, 0.015, 3) * [1, 1, 0.5] if rng.random() < 0.35 else None
        aside = rng.uniform(*ASIDE_M)
        kind = rng.choice(self.behaviours)
        if kind == "reach":
            return expert.reach_script(rng.uniform([0.45, -0.15, 0.02], [0.75, 0.15, 0.28]))
        if kind == "push":
            return expert.push_script(target, aside if rng.random() < 0.6 else None)
        if kind == "hold":
            return _hold_script(np.array([*target, rng.uniform(0.02, 0.22)]), error)
        return expert.place_script(target, float(rng.uniform(0.08, 0.2)), aside if rng.random() < 0.6 else None, error)


class Reach(_Task):
    """The hand to a point; no object, no gripper."""

    env_id = "PandaReach-v3"
    action_max = UPRIGHT_ACTION_MAX * np.array([1, 1, 1, 1, 1, 1, 0], np.float32)
    max_steps = 15
    behaviours = ("reach",)

    def goal_script(self) -> list[Waypoint]:
        return expert.reach_script(self.goal_m())


class Push(_Task):
    """A cube pushed to a place on the table; no gripper."""

    env_id = "PandaPush-v3"
    action_max = Reach.action_max
    behaviours = ("push", "push", "push", "reach")

    def goal_script(self) -> list[Waypoint]:
        """Along one axis and then along the other: a cube slides off fingers that push it askew."""
        goal_m, now_m = self.goal_m(), self.object_pose()[:2].astype(float)
        corner_m = np.array([goal_m[0], now_m[1]])
        ways = [(now_m, corner_m), (corner_m, goal_m[:2])]
        pushes = [expert.push_script(end) for begin, end in ways if np.linalg.norm(end - begin) > 0.02]
        return [*(point for push in pushes for point in push), *expert.reach_script(_aside_of(goal_m))]


class PickAndPlace(_Task):
    """A cube held at a point over the table, or put onto it."""

    env_id = "PandaPickAndPlace-v3"
    behaviours = ("place", "place", "hold", "hold", "push", "reach")

    def goal_script(self) -> list[Waypoint]:
        return _hold_script(self.goal_m())


def _hold_script(target_m: np.ndarray, grasp_error_m: np.ndarray | None = None) -> list[Waypoint]:
    """Take the cube and hold it at a point [3], over a way that is high enough."""
    above = np.array([*target_m[:2], max(float(target_m[2]), 0.10)])
    return [
        *expert.grasp_script(0.12, grasp_error_m),
        Waypoint(lambda _: above, CLOSED, "carried", tolerance_m=0.015),
        Waypoint(lambda _: target_m, CLOSED, "held", tolerance_m=0.01),
    ]


def _target(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-REGION_M, REGION_M, 2) - [BASE_X_M, 0.0]


def _aside_of(goal_m: np.ndarray) -> np.ndarray:
    """A corner over the table that is far from the goal."""
    corners = np.array([[x, y, 0.2] for x in ASIDE_M[:, 0] for y in ASIDE_M[:, 1]])
    return corners[np.linalg.norm(corners[:, :2] - goal_m[:2], axis=1).argmax()]
