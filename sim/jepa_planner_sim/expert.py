"""A scripted expert with the simulator's knowledge: it shows that a task can be done, and draws the goal images."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from jepa_planner_sim.arm_driver import ACTION_MAX, MAX_TRANSLATION_M, MAX_YAW_RAD
from jepa_planner_sim.scene import STANDARD_CUBE_M, Scene

OPEN, CLOSED = 0.0, 1.0
CLEARANCE_M = 0.11
GRASP_HEIGHT_M = 0.020
STACK_LIFT_M = 0.16
PUSH_STANDOFF_M = 0.066
PUSH_STEP_M = 0.04
SELF_ALIGNING_RAD = 0.32
"""The fingers turn an object that lies askew by less than this; the gripper then need not."""
TURNED_RAD = 0.05


class SeenWorld(Protocol):
    """What the expert is told of a world; see `World` for the methods."""

    @property
    def scene(self) -> Scene: ...

    @property
    def closure_commanded(self) -> float: ...

    def tcp_pose(self) -> tuple[np.ndarray, np.ndarray]: ...

    def tcp_yaw_rad(self) -> float: ...

    def tcp_yaw_bounds_rad(self) -> tuple[float, float]: ...

    def object_pose(self, index: int = 0) -> tuple[np.ndarray, float]: ...

    def fingers_touch(self, index: int = 0) -> bool: ...


@dataclass(frozen=True)
class Waypoint:
    """A stage of the script: where the tcp should be, how the gripper, and when the stage is over."""

    target_m: Callable[[SeenWorld], np.ndarray]
    """Where the tcp should be, of the world."""
    closure: float
    """Of the gripper, 0 open .. 1 closed."""
    name: str = ""
    """Empty for stages that make no goal image."""
    tolerance_m: float = 0.008
    """The stage ends when the tcp is within this of the target and `dwell` actions have passed."""
    dwell: int = 1
    """Actions that must have passed before it ends there."""
    patience: int = 12
    """The stage ends after so many actions, wherever the tcp is."""
    yaw_rad: Callable[[SeenWorld], float | None] = lambda _: None
    """Where the gripper should be turned to, of the world; None leaves it as it is."""

    def gap(self, world: SeenWorld) -> tuple[np.ndarray, float]:
        """What is left to the target: metres [3] and radians."""
        yaw = self.yaw_rad(world)
        turn = 0.0 if yaw is None else math.remainder(yaw - world.tcp_yaw_rad(), math.tau)
        return self.target_m(world) - world.tcp_pose()[0], turn


class ScriptedExpert:
    """Walks through waypoints, one action [7] at a time."""

    def __init__(self, waypoints: list[Waypoint]) -> None:
        self._waypoints = waypoints
        self._stage = 0
        self._actions_in_stage = 0
        self.reached = ""

    @property
    def done(self) -> bool:
        """Whether the last stage is over."""
        return self._stage >= len(self._waypoints)

    def act(self, world: SeenWorld) -> np.ndarray:
        """The next action; `update` must be called after it was executed."""
        waypoint = self._waypoints[min(self._stage, len(self._waypoints) - 1)]
        offset, turn = waypoint.gap(world)
        offset *= min(1.0, MAX_TRANSLATION_M / max(float(np.max(np.abs(offset))), 1e-9))
        turn = float(np.clip(turn, -MAX_YAW_RAD, MAX_YAW_RAD))
        gripper = waypoint.closure - world.closure_commanded
        return np.clip(np.array([*offset, 0.0, 0.0, turn, gripper]), -ACTION_MAX, ACTION_MAX)

    def update(self, world: SeenWorld) -> None:
        """Look at the world after an action; `reached` names the stage that just ended, or is empty."""
        self.reached = ""
        if self.done:
            return
        waypoint = self._waypoints[self._stage]
        self._actions_in_stage += 1
        offset, turn = waypoint.gap(world)
        near = np.linalg.norm(offset) < waypoint.tolerance_m and abs(turn) < TURNED_RAD
        if (near and self._actions_in_stage >= waypoint.dwell) or self._actions_in_stage >= waypoint.patience:
            self.reached = waypoint.name
            self._stage += 1
            self._actions_in_stage = 0


def reach_script(goal_m: np.ndarray) -> list[Waypoint]:
    """Go to a point with the gripper as it is."""
    return [Waypoint(lambda _: goal_m, OPEN, "reached", tolerance_m=0.004)]


def turned_across(world: SeenWorld, across_rad: float, period_rad: float | None) -> float | None:
    """Where to turn the gripper so that it stands at `across_rad`, or at a multiple of the period from there.

    None where it stands well enough already.
    """
    if period_rad is None:
        return None
    now = world.tcp_yaw_rad()
    turn = math.remainder(across_rad - now, period_rad)
    if abs(turn) <= SELF_ALIGNING_RAD:
        return None
    least, most = world.tcp_yaw_bounds_rad()
    yaw = now + turn
    if not least <= yaw <= most:  # the same grasp from the other side
        yaw = math.remainder(yaw, period_rad)
    return min(max(yaw, least), most)


def grasp_script(lift_m: float = 0.14, grasp_error_m: np.ndarray | None = None, index: int = 0) -> list[Waypoint]:
    """Take an object of the scene and hold it at `lift_m`; `grasp_error_m` [3] is added to where it is grasped."""
    error = np.zeros(3) if grasp_error_m is None else grasp_error_m
    place: dict[str, np.ndarray] = {}
    turned: dict[str, float | None] = {}

    def over(height_m: float) -> Callable[[SeenWorld], np.ndarray]:
        def target(world: SeenWorld) -> np.ndarray:
            object_m = world.object_pose(index)[0]
            return np.array([object_m[0], object_m[1], height_m]) + error

        return target

    def across(world: SeenWorld) -> float | None:
        if "grasp" not in turned:
            item = world.scene.objects[index]
            turned["grasp"] = turned_across(world, world.object_pose(index)[1], item.grasp_period_rad)
        return turned["grasp"]

    def hold(world: SeenWorld) -> np.ndarray:
        return place.setdefault("grasp", world.tcp_pose()[0])

    def lifted(world: SeenWorld) -> np.ndarray:
        return np.array([*hold(world)[:2], lift_m])

    return [
        Waypoint(over(CLEARANCE_M), OPEN, "above", tolerance_m=0.02, yaw_rad=across),
        Waypoint(over(GRASP_HEIGHT_M), OPEN, "at", tolerance_m=0.007, yaw_rad=across),
        Waypoint(hold, CLOSED, "grasped", tolerance_m=0.03, dwell=2),
        Waypoint(lifted, CLOSED, "lifted", tolerance_m=0.01),
    ]


def place_script(
    target_xy_m: np.ndarray,
    lift_m: float = 0.14,
    retreat_m: np.ndarray | None = None,
    grasp_error_m: np.ndarray | None = None,
    index: int = 0,
) -> list[Waypoint]:
    """Take an object of the scene, put it down at `target_xy_m` and leave: straight up, and then to `retreat_m` [3] if
    given.
    """
    above = np.array([*target_xy_m, lift_m])
    down = np.array([*target_xy_m, GRASP_HEIGHT_M + 0.003])
    script = [
        *grasp_script(lift_m, grasp_error_m, index),
        Waypoint(lambda _: above, CLOSED, "carried", tolerance_m=0.01),
        Waypoint(lambda _: down, CLOSED, "lowered", tolerance_m=0.008),
        Waypoint(lambda _: down, OPEN, "placed", tolerance_m=0.03, dwell=1),
        Waypoint(lambda _: above, OPEN, "left", tolerance_m=0.02),
    ]
    if retreat_m is not None:
        script.append(Waypoint(lambda _: retreat_m, OPEN, "aside", tolerance_m=0.02))
    return script


def stack_script(retreat_m: np.ndarray | None = None, lift_m: float = STACK_LIFT_M) -> list[Waypoint]:
    """Take the first object, put it on the second, and leave."""

    def over(height_m: float) -> Callable[[SeenWorld], np.ndarray]:
        def target(world: SeenWorld) -> np.ndarray:
            below_m = world.object_pose(1)[0]
            return np.array([*below_m[:2], height_m + below_m[2] + world.scene.objects[1].extents_m[2] / 2])

        return target

    place = place_script(np.zeros(2), lift_m, retreat_m)
    low, high = over(GRASP_HEIGHT_M + 0.003), over(lift_m - STANDARD_CUBE_M)
    targets = {"carried": high, "lowered": low, "placed": low, "left": high}
    return [replace(point, target_m=targets.get(point.name, point.target_m)) for point in place]


def rearrange_script(places_xy_m: np.ndarray, retreat_m: np.ndarray | None = None) -> list[Waypoint]:
    """Put one object after the other to its place [N, 2]; stages are named with the object's number."""
    script = []
    for number, place in enumerate(places_xy_m):
        for point in place_script(place, index=number):
            script.append(replace(point, name=f"{point.name} {number}"))
    if retreat_m is not None:
        script.append(Waypoint(lambda _: retreat_m, OPEN, "aside", tolerance_m=0.02))
    return script


def push_script(target_xy_m: np.ndarray, retreat_m: np.ndarray | None = None, index: int = 0) -> list[Waypoint]:
    """Push an object of the scene over the table to `target_xy_m` with the closed gripper, along the line from where it
    stood.

    The push is slow, so that the object sticks to the gripper instead of sliding on, and steers against drift from
    the line.
    """
    target = np.asarray(target_xy_m, dtype=float)
    start: dict[str, np.ndarray] = {}
    turned: dict[str, float | None] = {}

    def line(world: SeenWorld) -> tuple[np.ndarray, np.ndarray, float]:
        """Direction of the push, the direction to its left, and its length."""
        gap = target - start.setdefault("object", world.object_pose(index)[0][:2])
        length = float(np.linalg.norm(gap))
        along = gap / length
        return along, np.array([-along[1], along[0]]), length

    def across(world: SeenWorld) -> float | None:
        if "push" not in turned:
            along = line(world)[0]
            turned["push"] = turned_across(world, math.atan2(along[1], along[0]), math.pi / 2)
        return turned["push"]

    def behind(height_m: float) -> Callable[[SeenWorld], np.ndarray]:
        def at(world: SeenWorld) -> np.ndarray:
            along, _, _ = line(world)
            return np.array([*(world.object_pose(index)[0][:2] - along * PUSH_STANDOFF_M), height_m])

        return at

    def pushed(share: float) -> Callable[[SeenWorld], np.ndarray]:
        def at(world: SeenWorld) -> np.ndarray:
            along, left, length = line(world)
            object_xy, tcp_xy = world.object_pose(index)[0][:2], world.tcp_pose()[0][:2]
            moved = object_xy - start["object"]
            remaining = share * length - float(np.dot(moved, along))
            if not world.fingers_touch(index):
                return np.array([*(tcp_xy + PUSH_STEP_M / 2 * along), GRASP_HEIGHT_M])
            advance = float(np.clip(0.8 * remaining, 0.0, PUSH_STEP_M))
            sideways = float(np.clip(-np.dot(moved, left), -0.01, 0.01))
            return np.array([*(tcp_xy + advance * along + sideways * left), GRASP_HEIGHT_M])

        return at

    script = [
        Waypoint(behind(CLEARANCE_M), CLOSED, "over", tolerance_m=0.02, yaw_rad=across),
        Waypoint(behind(GRASP_HEIGHT_M), CLOSED, "behind", tolerance_m=0.01, yaw_rad=across),
        Waypoint(pushed(0.5), CLOSED, "halfway", tolerance_m=0.010),
        Waypoint(pushed(1.0), CLOSED, "pushed", tolerance_m=0.003),
    ]
    if retreat_m is not None:

        def back(world: SeenWorld) -> np.ndarray:
            along, _, _ = line(world)
            return np.array([*(world.object_pose(index)[0][:2] - along * PUSH_STANDOFF_M), GRASP_HEIGHT_M + 0.01])

        def up(world: SeenWorld) -> np.ndarray:
            return np.array([*world.tcp_pose()[0][:2], CLEARANCE_M])

        script += [
            Waypoint(back, CLOSED, "", tolerance_m=0.02),
            Waypoint(up, CLOSED, "", tolerance_m=0.02),
            Waypoint(lambda _: retreat_m, CLOSED, "aside", tolerance_m=0.02),
        ]
    return script
