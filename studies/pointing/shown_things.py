"""Unseen scenes twice, the thing and the arm elsewhere, with masks of what is the thing and what the gripper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jepa_planner.learning.evaluation.scenes import EVALUATION_SEED_START
from jepa_planner_sim.arm_driver import ArmDriver
from jepa_planner_sim.scene import OBJECT_REGION_MAX_M, OBJECT_REGION_MIN_M
from jepa_planner_sim.scene_draws import APART_M, sample_scene
from jepa_planner_sim.tasks import REACH_MAX_M, START_MIN_M
from jepa_planner_sim.world import World

FEWEST_PX = 40
"""Of 128 x 128: a thing that hides behind the arm cannot be pointed at."""


@dataclass(frozen=True)
class Moment:
    """What all cameras show: pictures uint8 [V, H, W, 3], things and grippers bool [V, H, W]."""

    pictures: np.ndarray
    things: np.ndarray
    grippers: np.ndarray


def shown_things(vary: frozenset[str], count: int, seed: int, size_px: int = 128) -> Iterator[tuple[Moment, Moment]]:
    """Two moments of each of `count` scenes, in which every camera sees the thing."""
    world = World(image_size_px=size_px)
    driver = ArmDriver(world)
    try:
        for number in range(count):
            rng = np.random.default_rng(EVALUATION_SEED_START + seed + number)
            scene = sample_scene(rng, vary)
            world.build(scene)
            height_m = world.object_pose()[0][2]
            others = [np.array(item.xy_m) for item in scene.objects[1:]]
            first = _seen(world, driver, scene.start_yaw_rad, rng)
            while True:
                xy_m = rng.uniform(OBJECT_REGION_MIN_M, OBJECT_REGION_MAX_M)
                if all(np.linalg.norm(xy_m - other) > APART_M for other in others):
                    world.place_object(0, np.array([*xy_m, height_m]), float(rng.uniform(-0.25, 0.25)))
                    if (second := _moment(world, driver, scene.start_yaw_rad, rng)) is not None:
                        break
            yield first, second
    finally:
        world.close()


def _seen(world: World, driver: ArmDriver, yaw_rad: float, rng: np.random.Generator) -> Moment:
    while True:
        if (moment := _moment(world, driver, yaw_rad, rng)) is not None:
            return moment


def _moment(world: World, driver: ArmDriver, yaw_rad: float, rng: np.random.Generator) -> Moment | None:
    """With the arm somewhere; None where it hides the thing."""
    driver.place_tcp(rng.uniform(START_MIN_M, REACH_MAX_M), yaw_rad=yaw_rad)
    shown = [world.shown_bodies(view) for view in world.cameras]
    things = np.stack([objects[0] for objects, _ in shown])
    if things.sum(axis=(1, 2)).min() < FEWEST_PX:
        return None
    return Moment(world.render(), things, np.stack([gripper for _, gripper in shown]))
