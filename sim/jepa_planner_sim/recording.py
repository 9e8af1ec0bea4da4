"""One episode: a scene is drawn, something is done in it, and pictures, states and actions are kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jepa_planner.learning.evaluation.scene_adapter import SceneAdapter
from jepa_planner_sim.appearance_variants import AppearanceVariants
from jepa_planner_sim.arm_driver import ACTION_MAX, ArmDriver, action_max
from jepa_planner_sim.behaviours import MIXES, behave
from jepa_planner_sim.collect_settings import LAYOUTS, CollectSettings
from jepa_planner_sim.layouts import layouts
from jepa_planner_sim.out_of_reach import put_out_of_reach
from jepa_planner_sim.scene_draws import VARIED, sample_scene, sample_training_scene, setup_generator
from jepa_planner_sim.tasks import REACH_MAX_M, REACH_MIN_M, START_MIN_M
from jepa_planner_sim.world import World

APPEARANCES, VARIANTS = 1, 2
"""Tell the generators of a scene's appearance, and of those of an episode's variants, from that of the episode itself.
"""
LAYOUT_YAW_RAD = 0.6
"""How far the gripper is turned in layouts, at most."""

Record = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, str]
"""Images [T+1, V, H, W, 3], states [T+1, 8], actions [T, 7], object poses [T+1, 4] and the first behaviour of one
episode.
"""


def record_scene(scene: SceneAdapter, seed: int, settings: CollectSettings) -> Record:
    """An episode in a scene of your own; see `Record`."""
    rng = np.random.default_rng(seed)
    scene.build(int(rng.integers(2**31)))
    images, states, actions, poses = [scene.checked_pictures()], [scene.state()], [], [scene.object_pose()]
    for _, action in zip(range(settings.steps), scene.explore(rng), strict=False):
        scene.act(action)
        actions.append(action.astype(np.float32))
        images.append(scene.checked_pictures())
        states.append(scene.state())
        poses.append(scene.object_pose())
    return np.stack(images), np.stack(states), np.stack(actions), np.stack(poses), settings.adapter


def record_variants(world: World, seed: int, settings: CollectSettings) -> Record:
    """An episode in the simulated world, filmed as the settings say: see `Record`, its parts with a leading axis of
    cuts * variants.
    """
    variants = AppearanceVariants(world, np.random.default_rng([seed, VARIANTS]), settings.variants, settings.cut_steps)
    record = record_layouts if settings.behaviour == LAYOUTS else record_episode
    _, states, actions, poses, first = record(world, seed, settings, variants.shoot)
    steps = settings.cut_steps
    repeated = variants.repeated
    return variants.images(), repeated(states, steps + 1), repeated(actions, steps), repeated(poses, steps + 1), first


def record_episode(
    world: World, seed: int, settings: CollectSettings, shoot: Callable[[], np.ndarray] | None = None
) -> Record:
    """An episode in the simulated world; see `Record`. shoot: takes the pictures of a moment; None: the cameras do."""
    shoot = world.render if shoot is None else shoot
    rng = np.random.default_rng(seed)
    appearance = rng if settings.per_scene == 1 else np.random.default_rng([settings.scene_of(seed), APPEARANCES])
    if settings.vary == {VARIED}:
        scene = sample_training_scene(appearance, places=rng)
    else:
        if settings.setup is not None:
            appearance = setup_generator(settings.setup)
        scene = sample_scene(appearance, settings.vary, settings.strength, places=rng)
    world.build(scene)
    driver = ArmDriver(world)
    driver.place_tcp(
        rng.uniform(START_MIN_M, REACH_MAX_M), closure=float(rng.random() < 0.15), yaw_rad=scene.start_yaw_rad
    )
    world.advance(0.1)
    mix = MIXES[settings.behaviour]
    if mix.out_of_reach:
        put_out_of_reach(world, rng)
    first = mix.draw(rng)
    images, states, actions, poses = [shoot()], [world.state()], [], [_pose(world)]
    running = behave(world, rng, first, mix, action_max(settings.vary))
    for _, action in zip(range(settings.steps), running, strict=False):
        driver.execute(action)
        actions.append(action.astype(np.float32))
        images.append(shoot())
        states.append(world.state())
        poses.append(_pose(world))
    return np.stack(images), np.stack(states), np.stack(actions), np.stack(poses), first


def record_layouts(world: World, seed: int, settings: CollectSettings, shoot: Callable[[], np.ndarray]) -> Record:
    """Layouts of a scene as an episode in which no action is taken; see `Record` and `layouts`."""
    rng = np.random.default_rng(seed)
    world.build(sample_training_scene(rng))
    ArmDriver(world).place_tcp(
        rng.uniform(REACH_MIN_M, REACH_MAX_M), float(rng.random() < 0.3), rng.uniform(-LAYOUT_YAW_RAD, LAYOUT_YAW_RAD)
    )
    images, states, poses = [], [], []
    for _, _ in zip(range(settings.steps + 1), layouts(world, rng), strict=False):
        images.append(shoot())
        states.append(world.state())
        poses.append(_pose(world))
    actions = np.zeros((settings.steps, len(ACTION_MAX)), dtype=np.float32)
    return np.stack(images), np.stack(states), actions, np.stack(poses), LAYOUTS


def _pose(world: World) -> np.ndarray:
    xyz, yaw = world.object_pose()
    return np.array([*xyz, yaw], dtype=np.float32)
