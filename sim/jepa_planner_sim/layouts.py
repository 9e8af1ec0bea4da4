"""Layouts: the arm rests, and the things on the table stand elsewhere from picture to picture.

An arm that works mostly is where things are, and tells where they are. Here it does not: between the pictures of an
episode of layouts nothing differs but where things stand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from jepa_planner_sim.scene import OBJECT_REGION_MAX_M, OBJECT_REGION_MIN_M
from jepa_planner_sim.scene_draws import APART_M
from jepa_planner_sim.world import FINGER_STROKE_M, World

HELD_SHARE = 0.3
"""Share of episodes in which some layouts have the first object between the fingers."""
HELD_CHANCE = 0.25
NUDGE_M = (0.01, 0.04)
CLEAR_OF_TCP_M = 0.06
LOW_TCP_M = 0.14
"""An arm with its tcp below has its hand among things."""
DRAWS = 50

Placed = tuple[np.ndarray, float]


def layouts(world: World, rng: np.random.Generator) -> Iterator[None]:
    """Put things elsewhere, again and again, each time the next is asked for: all of them, then one of them by a few
    centimetres, and so on.

    The arm stays; where it may hold the first object, its fingers are as wide apart as that.
    """
    items = world.scene.objects
    holds = rng.random() < HELD_SHARE
    if holds:
        closure = 1.0 - min(items[0].extents_m[1] / (2 * FINGER_STROKE_M), 1.0)
        world.place_arm(world.joint_positions(), closure)
    while True:
        places = _anywhere(world, rng)
        if holds and rng.random() < HELD_CHANCE:
            places[0] = world.tcp_pose()[0], world.tcp_yaw_rad()
        _place(world, places)
        yield
        moved = int(rng.integers(len(items)))
        xyz_m, yaw_rad = places[moved]
        angle, far_m = rng.uniform(0.0, math.tau), rng.uniform(*NUDGE_M)
        nudge = far_m * np.array([math.cos(angle), math.sin(angle), 0.0])
        places[moved] = xyz_m + nudge, yaw_rad + rng.uniform(-0.3, 0.3)
        _place(world, places)
        yield


def _anywhere(world: World, rng: np.random.Generator) -> list[Placed]:
    """Places of all things, apart from one another and from a low hand, or as nearly so as some draws find."""
    tcp_m = world.tcp_pose()[0]
    taken = [tcp_m[:2]] if tcp_m[2] < LOW_TCP_M else []
    placed: list[Placed] = []
    for item in world.scene.objects:
        for _ in range(DRAWS):
            xy_m = rng.uniform(OBJECT_REGION_MIN_M, OBJECT_REGION_MAX_M)
            clear = all(np.linalg.norm(xy_m - other) > CLEAR_OF_TCP_M for other in taken)
            if clear and all(np.linalg.norm(xy_m - other[0][:2]) > APART_M for other in placed):
                break
        placed.append((np.array([*xy_m, item.extents_m[2] / 2]), float(rng.uniform(-math.pi, math.pi))))
    return placed


def _place(world: World, places: list[Placed]) -> None:
    for index, (xyz_m, yaw_rad) in enumerate(places):
        world.place_object(index, xyz_m, yaw_rad)
