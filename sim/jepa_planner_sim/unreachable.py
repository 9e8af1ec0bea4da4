"""Goals that cannot be reached, made by the simulator: what a planner should notice, and end."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from jepa_planner_sim.arm_driver import ArmDriver
from jepa_planner_sim.out_of_reach import NOWHERE_M, beyond_the_box
from jepa_planner_sim.scene_draws import PERTURBATIONS
from jepa_planner_sim.tasks import Plan
from jepa_planner_sim.world import World

OUTSIDE_M = (0.05, 0.10)
"""So far beyond the workspace box, along its nearest side."""
OTHER_SEEDS = 7919
PLACES_TRIED = 20


class TaskEnv(Protocol):
    """What is asked of an environment; see `PandaTaskEnv`."""

    world: World
    driver: ArmDriver
    plan: Plan
    goal_images: list[np.ndarray]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]: ...


def set_up_unreachable(
    env: TaskEnv, kind: str, options: dict[str, Any], seed: int | None
) -> tuple[dict[str, np.ndarray], dict[str, Any], list[np.ndarray]]:
    """Resets a scene with options of `PandaTaskEnv.reset`; returns observation, info and goal pictures.

    kind: see UNREACHABLE in learning/evaluation/trials.py.
    """
    other = []
    if kind == "other-scene":
        if seed is None:
            raise ValueError("unreachable='other-scene' without a seed; expected reset(seed=...)")
        env.reset(seed=seed + OTHER_SEEDS, options={**options, "vary": set(options["vary"]) | set(PERTURBATIONS)})
        other = env.goal_images
    observation, info = env.reset(seed=seed, options=options)
    if kind == "other-scene":
        return observation, info, other
    if kind == "outside":
        shown = picture_of_outside(env, np.random.default_rng(seed))
        return observation, info, [*env.goal_images[:-1], shown]
    env.world.place_object(0, NOWHERE_M, 0.0)
    return {"images": env.world.render(), "state": env.world.state()}, info, env.goal_images


def picture_of_outside(env: TaskEnv, rng: np.random.Generator) -> np.ndarray:
    """Pictures [V, H, W, 3] of the object beyond the workspace box and the arm out of the way; the world stays as it
    was. Of some random places it is the one at which the camera that sees least of it sees most.
    """
    world, saved = env.world, env.world.save()
    env.driver.place_tcp(env.plan.retreat_m, yaw_rad=world.scene.start_yaw_rad)
    height_m, yaw_rad = world.scene.objects[0].extents_m[2] / 2, world.scene.objects[0].yaw_rad
    world.place_object(0, NOWHERE_M, 0.0)
    without = world.render()
    candidates = []
    for _ in range(PLACES_TRIED):
        xy_m = beyond_the_box(world, rng, OUTSIDE_M)
        world.place_object(0, np.array([*xy_m, height_m]), yaw_rad)
        candidates.append(world.render())
    world.restore(saved)
    env.driver.reset()
    return max(candidates, key=lambda pictures: (pictures != without).any(axis=-1).sum(axis=(1, 2)).min())
