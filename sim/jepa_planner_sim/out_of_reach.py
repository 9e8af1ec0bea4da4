"""Things where the arm may not go, or nowhere: what no planner can bring about, or do anything with."""

from __future__ import annotations

import numpy as np

from jepa_planner_sim.world import World

BEYOND_M = (0.02, 0.25)
"""So far beyond the workspace box, along one side."""
GONE_SHARE = 0.3
NOWHERE_M = np.array([0.0, 0.0, -10.0])


def put_out_of_reach(world: World, rng: np.random.Generator) -> None:
    """Put one of the objects on the table beyond the workspace box, or take it away."""
    index = int(rng.integers(len(world.scene.objects)))
    item = world.scene.objects[index]
    place_m = NOWHERE_M
    if rng.random() >= GONE_SHARE:
        place_m = np.array([*beyond_the_box(world, rng, BEYOND_M), item.extents_m[2] / 2])
    world.place_object(index, place_m, item.yaw_rad)


def beyond_the_box(world: World, rng: np.random.Generator, beyond_m: tuple[float, float]) -> np.ndarray:
    """A place [2] so far beyond one side of the workspace box, and within its other sides."""
    low, high = np.array(world.limits.workspace_min_m)[:2], np.array(world.limits.workspace_max_m)[:2]
    place_m, axis, far_m = rng.uniform(low, high), int(rng.integers(2)), rng.uniform(*beyond_m)
    place_m[axis] = high[axis] + far_m if rng.random() < 0.5 else low[axis] - far_m
    return place_m
