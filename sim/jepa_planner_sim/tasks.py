"""The tasks: how a scene starts, what the expert does, and when the task counts as done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepa_planner_sim import expert
from jepa_planner_sim.expert import Waypoint
from jepa_planner_sim.scene import OBJECT_REGION_MAX_M, OBJECT_REGION_MIN_M, Scene
from jepa_planner_sim.scene_draws import APART_M
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
    """A task: how long it may take, how it begins, and the stages that make its goal images."""

    name: str
    """As in TASKS."""
    max_steps: int
    """Actions, at least 1."""
    min_distance_m: float
    """Start and goal are at least so far apart."""
    dense: tuple[str, ...]
    """Stages that make the dense goal images, in order."""
    few: tuple[str, ...]
    """Stages that make the goal images where as many are asked for as there are of these."""
    cubes: int = 1
    """On the table, at least 1."""
    moved: int = 1
    """How many objects must be where the goal image shows them; at least 1."""


_PLACE_STAGES = ("above", "at", "grasped", "lifted", "carried", "lowered", "placed", "left")
TASKS = {
    "reach": Task("reach", 15, 0.08, ("reached",), ("reached",)),
    "grasp": Task("grasp", 25, 0.08, ("above", "at", "grasped", "lifted"), ("at", "grasped", "lifted")),
    "push": Task("push", 30, 0.08, ("over", "behind", "halfway", "pushed"), ("behind", "halfway", "pushed")),
    "pick_place": Task("pick_place", 45, 0.10, _PLACE_STAGES, ("grasped", "carried", "placed")),
    "stack": Task("stack", 45, 0.10, _PLACE_STAGES, ("grasped", "carried", "placed"), cubes=2),
    "rearrange": Task(
        "rearrange", 120, 0.08, tuple(f"{stage} {number}" for number in range(3) for stage in _PLACE_STAGES),
        tuple(f"left {number}" for number in range(3)), cubes=3, moved=3,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What was drawn for one episode besides the scene: where the tcp starts, the goal ([3], or [moved, 3] for several
    objects), and where the arm goes afterwards.
    """

    start_tcp_m: np.ndarray
    goal_m: np.ndarray
    retreat_m: np.ndarray


def sample_plan(task: Task, scene: Scene, rng: np.random.Generator) -> Plan | None:
    """Draw start and goal at least `task.min_distance_m` apart, in the workspace.

    None where the scene leaves no room for the task: a cube in a corner of the table cannot be pushed inwards.
    """
    if len(scene.objects) < task.cubes:
        return None
    object_xy_m = np.array(scene.objects[0].xy_m)
    for _ in range(PLAN_ATTEMPTS):
        start = rng.uniform(START_MIN_M, REACH_MAX_M)
        if start[2] < 0.12 and _nearest_m(start[:2], scene, task.cubes) < 0.05:
            continue
        if task.name == "reach":
            goal = rng.uniform(REACH_MIN_M, REACH_MAX_M)
            unfit = np.linalg.norm(goal[:2] - object_xy_m) < 0.08 and goal[2] < 0.08
            apart = float(np.linalg.norm(goal - start))
        elif task.name == "grasp":
            goal = np.array([*object_xy_m, 0.14])
            unfit = False
            apart = float(np.linalg.norm(start - [*object_xy_m, 0.02]))
        elif task.name == "rearrange":
            goal, unfit, apart = _places(task, scene, rng)
        else:
            drawn = rng.uniform(OBJECT_REGION_MIN_M, OBJECT_REGION_MAX_M)
            goal = np.array([*(scene.objects[1].xy_m if task.name == "stack" else drawn), 0.0])
            unfit = task.name == "push" and not push_fits(object_xy_m, goal[:2])
            apart = float(np.linalg.norm(goal[:2] - object_xy_m))
        if apart < task.min_distance_m + 0.01 or unfit:
            continue
        return Plan(start, goal, _aside(rng, np.atleast_2d(goal)[:, :2]))
    return None


def _places(task: Task, scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, bool, float]:
    """Where the objects go [moved, 3], whether one of the places is taken, and how far the nearest is from its object.

    A place is free of the other places, and of what has not been moved when its turn comes.
    """
    goals = rng.uniform(OBJECT_REGION_MIN_M, OBJECT_REGION_MAX_M, (task.moved, 2))
    now = np.array([item.xy_m for item in scene.objects])
    taken = False
    for number, goal in enumerate(goals):
        others = np.concatenate([goals[:number], now[number + 1 :]])
        taken |= bool(len(others) and np.linalg.norm(others - goal, axis=1).min() < APART_M)
    apart = float(np.linalg.norm(goals - now[: task.moved], axis=1).min())
    return np.column_stack([goals, np.zeros(task.moved)]), taken, apart


def _nearest_m(xy_m: np.ndarray, scene: Scene, count: int) -> float:
    return min(float(np.linalg.norm(xy_m - np.array(item.xy_m))) for item in scene.objects[:count])


def script(task: Task, plan: Plan, aside: bool = False, grasp_error_m: np.ndarray | None = None) -> list[Waypoint]:
    """The expert's waypoints for a task; `aside` lets the arm move out of the way in the end."""
    retreat = plan.retreat_m if aside else None
    if task.name == "reach":
        return expert.reach_script(plan.goal_m)
    if task.name == "grasp":
        return expert.grasp_script(float(plan.goal_m[2]), grasp_error_m)
    if task.name == "push":
        return expert.push_script(plan.goal_m[:2], retreat)
    if task.name == "stack":
        return expert.stack_script(retreat)
    if task.name == "rearrange":
        return expert.rearrange_script(plan.goal_m[:, :2], retreat)
    return expert.place_script(plan.goal_m[:2], retreat_m=retreat, grasp_error_m=grasp_error_m)


def shown_m(task: Task, world: World) -> np.ndarray:
    """Where tcp (reach) or objects are now: [3], or [moved, 3] for several."""
    if task.name == "reach":
        return world.tcp_pose()[0]
    places = np.array([world.object_pose(number)[0] for number in range(task.moved)])
    return places if task.moved > 1 else places[0]


def distance_m(task: Task, world: World, goal_m: np.ndarray) -> float:
    """How far the world is from the goal, in metres, of several objects that of the farthest; `goal_m` is where tcp
    (reach) or objects are shown by the goal image.
    """
    if task.name == "grasp":
        height_m = world.object_pose()[0][2] - world.scene.objects[0].extents_m[2] / 2
        return max(0.0, 0.04 - float(height_m))
    return float(np.linalg.norm(shown_m(task, world) - goal_m, axis=-1).max())


def achieved_now(task: Task, world: World, goal_m: np.ndarray) -> bool:
    """Whether the task's condition holds at this moment (grasp must then hold for HOLD_STEPS steps)."""
    distance = distance_m(task, world, goal_m)
    if task.name == "reach":
        return distance < 0.02
    if task.name == "grasp":
        return distance == 0.0 and world.fingers_touch()
    if task.name == "push":
        return distance < 0.03
    moved = range(task.moved)
    return (
        distance < 0.03
        and not any(world.fingers_touch(number) for number in moved)
        and all(world.object_speed_m_s(number) < 0.01 for number in moved)
    )


def push_fits(start_xy_m: np.ndarray, goal_xy_m: np.ndarray) -> bool:
    """Whether a push is short, nearly along x or y (the gripper's flat sides), and has room behind the object."""
    gap = goal_xy_m - start_xy_m
    distance = float(np.linalg.norm(gap))
    if distance > PUSH_MAX_M or np.min(np.abs(gap)) > np.sin(PUSH_ANGLE_RAD) * distance:
        return False
    behind = start_xy_m - gap / distance * (expert.PUSH_STANDOFF_M + 0.01)
    return bool(np.all(behind > REACH_MIN_M[:2] - 0.015) and np.all(behind < REACH_MAX_M[:2] + 0.015))


def _aside(rng: np.random.Generator, objects_xy_m: np.ndarray) -> np.ndarray:
    """Where the arm is out of the way of objects at [N, 2]."""
    while True:
        point = rng.uniform(ASIDE_MIN_M, ASIDE_MAX_M)
        if np.linalg.norm(point[:2] - objects_xy_m, axis=1).min() > ASIDE_CLEARANCE_M:
            return point
