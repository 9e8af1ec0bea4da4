"""The four tasks: how a scene starts, what the expert does, and when the task counts as done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepa_planner_sim import expert
from jepa_planner_sim.expert import Waypoint
from jepa_planner_sim.scene import OBJECT_REGION_MAX_M, OBJECT_REGION_MIN_M
from jepa_planner_sim.world import World

REACH_MIN_M = np.array([0.37, -0.18, 0.03])
REACH_MAX_M = np.array([0.63, 0.18, 0.23])
START_MIN_M = np.array([0.37, -0.18, 0.09])
ASIDE_MIN_M = np.array([0.36, -0.19, 0.10])
ASIDE_MAX_M = np.array([0.62, 0.19, 0.23])
ASIDE_CLEARANCE_M = 0.12
HOLD_STEPS = 4
PLAN_ATTEMPTS = 200
PUSH_MAX_M = 0.18
PUSH_ANGLE_RAD = 0.3


@dataclass(frozen=True)
class Task:
    """Settings of a task: the step budget, how near start and goal may be, and the stages that make its goal images.

    `few` names the stages of three-image goals; the first `len(dense)` images in order are the dense ones.
    """

    name: str
    max_steps: int
    min_distance_m: float
    dense: tuple[str, ...]
    few: tuple[str, ...]


TASKS = {
    "reach": Task("reach", 15, 0.08, ("reached",), ("reached",)),
    "grasp": Task("grasp", 25, 0.08, ("above", "at", "grasped", "lifted"), ("at", "grasped", "lifted")),
    "push": Task("push", 30, 0.08, ("over", "behind", "halfway", "pushed"), ("behind", "halfway", "pushed")),
    "pick_place": Task(
        "pick_place", 45, 0.10,
        ("above", "at", "grasped", "lifted", "carried", "lowered", "placed", "left"), ("grasped", "carried", "placed"),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What was drawn for one episode besides the scene: where the tcp starts, the goal, and where the arm goes
    afterwards.
    """

    start_tcp_m: np.ndarray
    goal_m: np.ndarray
    retreat_m: np.ndarray


def sample_plan(task: Task, object_xy_m: np.ndarray, rng: np.random.Generator) -> Plan | None:
    """Draw start and goal at least `task.min_distance_m` apart, in the workspace.

    None where the object leaves no room for the task: a cube in a corner of the table cannot be pushed inwards.
    """
    for _ in range(PLAN_ATTEMPTS):
        start = rng.uniform(START_MIN_M, REACH_MAX_M)
        if np.linalg.norm(start[:2] - object_xy_m) < 0.05 and start[2] < 0.12:
            continue
        if task.name == "reach":
            goal = rng.uniform(REACH_MIN_M, REACH_MAX_M)
            near_object = np.linalg.norm(goal[:2] - object_xy_m) < 0.08 and goal[2] < 0.08
            apart = float(np.linalg.norm(goal - start))
        elif task.name == "grasp":
            goal = np.array([*object_xy_m, 0.14])
            near_object = False
            apart = float(np.linalg.norm(start - [*object_xy_m, 0.02]))
        else:
            goal = np.array([*rng.uniform(OBJECT_REGION_MIN_M, OBJECT_REGION_MAX_M), 0.0])
            near_object = False
            apart = float(np.linalg.norm(goal[:2] - object_xy_m))
            if task.name == "push" and not push_fits(object_xy_m, goal[:2]):
                continue
        if apart < task.min_distance_m + 0.01 or near_object:
            continue
        return Plan(start, goal, _aside(rng, goal[:2]))
    return None


def script(task: Task, plan: Plan, aside: bool = False, grasp_error_m: np.ndarray | None = None) -> list[Waypoint]:
    """The expert's waypoints for a task; `aside` lets the arm move out of the way in the end."""
    retreat = plan.retreat_m if aside else None
    if task.name == "reach":
        return expert.reach_script(plan.goal_m)
    if task.name == "grasp":
        return expert.grasp_script(float(plan.goal_m[2]), grasp_error_m)
    if task.name == "push":
        return expert.push_script(plan.goal_m[:2], retreat)
    return expert.place_script(plan.goal_m[:2], retreat_m=retreat, grasp_error_m=grasp_error_m)


def distance_m(task: Task, world: World, goal_m: np.ndarray) -> float:
    """How far the world is from the goal, in metres; `goal_m` is where tcp (reach) or object is shown by the goal
    image.
    """
    if task.name == "reach":
        return float(np.linalg.norm(world.tcp_pose()[0] - goal_m))
    object_m = world.object_pose()[0]
    if task.name == "grasp":
        return max(0.0, 0.04 - float(object_m[2] - world.scene.objects[0].extents_m[2] / 2))
    return float(np.linalg.norm(object_m - goal_m))


def achieved_now(task: Task, world: World, goal_m: np.ndarray) -> bool:
    """Whether the task's condition holds at this moment (grasp must then hold for HOLD_STEPS steps)."""
    distance = distance_m(task, world, goal_m)
    if task.name == "reach":
        return distance < 0.02
    if task.name == "grasp":
        return distance == 0.0 and world.fingers_touch()
    if task.name == "push":
        return distance < 0.03
    return distance < 0.03 and not world.fingers_touch() and world.object_speed_m_s() < 0.01


def push_fits(start_xy_m: np.ndarray, goal_xy_m: np.ndarray) -> bool:
    """Whether a push is short, nearly along x or y (the gripper's flat sides), and has room behind the object."""
    gap = goal_xy_m - start_xy_m
    distance = float(np.linalg.norm(gap))
    if distance > PUSH_MAX_M or np.min(np.abs(gap)) > np.sin(PUSH_ANGLE_RAD) * distance:
        return False
    behind = start_xy_m - gap / distance * (expert.PUSH_STANDOFF_M + 0.01)
    return bool(np.all(behind > REACH_MIN_M[:2] - 0.015) and np.all(behind < REACH_MAX_M[:2] + 0.015))


def _aside(rng: np.random.Generator, object_xy_m: np.ndarray) -> np.ndarray:
    while True:
        point = rng.uniform(ASIDE_MIN_M, ASIDE_MAX_M)
        if np.linalg.norm(point[:2] - object_xy_m) > ASIDE_CLEARANCE_M:
            return point
