"""What a model's latents weigh: how far they move when an object does, and when the arm does.

A model that ignores objects still foresees well and still follows pictures of an arm; here it shows at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from jepa_planner.model.world_model import WorldModel
from jepa_planner_sim.arm_driver import ArmDriver
from jepa_planner_sim.cameras import cameras_named
from jepa_planner_sim.scene import OBJECT_REGION_MAX_M, OBJECT_REGION_MIN_M, Scene
from jepa_planner_sim.scene_draws import sample_scene
from jepa_planner_sim.world import World

CHANGES = ("object 1 cm", "object 3 cm", "object elsewhere", "arm 3 cm", "object gone from between the fingers")
"""The last one with the open gripper around the object's place: a model to which the arm tells where the object is, as
in its training episodes it mostly does, does not look.
"""
NEAR_M, FAR_M = 0.01, 0.03
TCP_HEIGHT_M = (0.15, 0.25)
LOW_M = 0.025
SETTLE_S = 0.05


@dataclass(frozen=True)
class Sensitivity:
    """Mean squared differences of latents for one of CHANGES: 10 %, median and 90 % over scenes."""

    change: str
    low: float
    median: float
    high: float


@torch.inference_mode()
def sensitivities(
    model: WorldModel, vary: frozenset[str], scenes: int, rng: np.random.Generator
) -> tuple[Sensitivity, ...]:
    """For each of CHANGES, in so many scenes; between two pictures nothing else differs. vary: as `sample_scene`."""
    image = model.contract.image
    world = World(cameras_named(image.views), image.height)
    driver = ArmDriver(world)
    try:
        shown = [np.stack(list(_pictures(world, driver, sample_scene(rng, vary), rng))) for _ in range(scenes)]
    finally:
        world.close()
    latents = torch.stack([model.encode(pictures) for pictures in shown])
    before, after = latents[:, _BEFORE], latents[:, _AFTER]
    distances = (after - before).square().flatten(2).mean(-1)
    found = torch.quantile(distances, torch.tensor([0.1, 0.5, 0.9]), dim=0).T.tolist()
    return tuple(Sensitivity(change, *values) for change, values in zip(CHANGES, found, strict=True))


def _pictures(world: World, driver: ArmDriver, scene: Scene, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Of a scene, of it after each of CHANGES but the last, and of that one before and after, [V, H, W, 3] each."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    way = np.array([np.cos(angle), np.sin(angle)])
    tcp_m = np.array([*rng.uniform(OBJECT_REGION_MIN_M, OBJECT_REGION_MAX_M), rng.uniform(*TCP_HEIGHT_M)])
    first = scene.objects[0]
    here_m, elsewhere_m = np.array(first.xy_m), rng.uniform(OBJECT_REGION_MIN_M, OBJECT_REGION_MAX_M)

    def with_object_at(place_m: np.ndarray) -> Scene:
        return replace(scene, objects=(replace(first, xy_m=tuple(place_m)), *scene.objects[1:]))

    for place_m in (here_m, here_m + NEAR_M * way, here_m + FAR_M * way, elsewhere_m):
        yield _picture(world, driver, with_object_at(place_m), tcp_m)
    yield _picture(world, driver, scene, tcp_m + np.append(FAR_M * way, 0.0))
    for place_m in (here_m, elsewhere_m):
        yield _picture(world, driver, with_object_at(place_m), np.append(here_m, LOW_M))


_BEFORE, _AFTER = [0, 0, 0, 0, 5], [1, 2, 3, 4, 6]
"""Numbers of the pictures between which each of CHANGES lies."""


def _picture(world: World, driver: ArmDriver, scene: Scene, tcp_m: np.ndarray) -> np.ndarray:
    world.build(scene)
    driver.place_tcp(tcp_m, yaw_rad=scene.start_yaw_rad)
    world.advance(SETTLE_S)
    return world.render()


def in_words(rows: Sequence[tuple[str, Sequence[Sensitivity]]]) -> str:
    """Markdown: a row per kind of scene, medians and 10 to 90 % in brackets."""
    lines = [f"| scenes | {' | '.join(CHANGES)} |", "|---" * (1 + len(CHANGES)) + "|"]
    for name, found in rows:
        cells = [f"{one.median:.4f} ({one.low:.4f} to {one.high:.4f})" for one in found]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
