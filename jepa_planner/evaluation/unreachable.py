"""Goals that cannot be reached, made by the simulator: what a planner should notice, and end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jepa_planner_sim.envs import PandaTaskEnv
from jepa_planner_sim.scene_draws import PERTURBATIONS
from jepa_planner_sim.world import World

KINDS = ("missing", "outside", "other-scene")
"""missing: the object is gone, which the goal pictures show; outside: the last of them shows it where the arm may not
go; other-scene: they are of another table with other things.
"""
WITHIN_STEPS = 15
"""A goal that cannot be reached should have ended by then."""
OUTSIDE_M = (0.05, 0.10)
"""So far beyond the workspace box, along its nearest side."""
OTHER_SEEDS = 7919
AWAY_M = np.array([0.0, 0.0, -10.0])
PLACES_TRIED = 20


def set_up_unreachable(
    env: PandaTaskEnv, kind: str, options: dict[str, object], seed: int
) -> tuple[dict[str, np.ndarray], dict[str, object], list[np.ndarray]]:
    """Resets a scene with options of `PandaTaskEnv.reset`; returns observation, info and goal pictures of KINDS."""
    other = []
    if kind == "other-scene":
        env.reset(seed=seed + OTHER_SEEDS, options={**options, "vary": set(options["vary"]) | set(PERTURBATIONS)})
        other = env.goal_images
    observation, info = env.reset(seed=seed, options=options)
    if kind == "other-scene":
        return observation, info, other
    if kind == "outside":
        shown = picture_of_outside(env, np.random.default_rng(seed))
        return observation, info, [*env.goal_images[:-1], shown]
    env.world.place_object(0, AWAY_M, 0.0)
    return {"images": env.world.render(), "state": env.world.state()}, info, env.goal_images


def picture_of_outside(env: PandaTaskEnv, rng: np.random.Generator) -> np.ndarray:
    """Pictures [V, H, W, 3] of the object beyond the workspace box and the arm out of the way; the world stays as it
    was. Of some random places it is the one at which the camera that sees least of it sees most.
    """
    world, saved = env.world, env.world.save()
    env.driver.place_tcp(env.plan.retreat_m, yaw_rad=world.scene.start_yaw_rad)
    height_m, yaw_rad = world.scene.objects[0].extents_m[2] / 2, world.scene.objects[0].yaw_rad
    world.place_object(0, AWAY_M, 0.0)
    without = world.render()
    found = []
    for xy_m in outside_places(world, rng):
        world.place_object(0, np.array([*xy_m, height_m]), yaw_rad)
        found.append(world.render())
    world.restore(saved)
    env.driver.reset()
    return max(found, key=lambda pictures: (pictures != without).any(axis=-1).sum(axis=(1, 2)).min())


def outside_places(world: World, rng: np.random.Generator) -> Sequence[np.ndarray]:
    """Places [2] on the table at OUTSIDE_M beyond one side of the workspace box, and within its other sides."""
    low, high = np.array(world.limits.workspace_min_m)[:2], np.array(world.limits.workspace_max_m)[:2]
    places = []
    for _ in range(PLACES_TRIED):
        place, axis, beyond_m = rng.uniform(low, high), int(rng.integers(2)), rng.uniform(*OUTSIDE_M)
        place[axis] = high[axis] + beyond_m if rng.random() < 0.5 else low[axis] - beyond_m
        places.append(place)
    return places
