"""Moving backgrounds: what moves, what does not, and that nothing else of a scene changes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from jepa_planner_sim.arm_driver import ArmDriver
from jepa_planner_sim.background import FLICKER_GAIN
from jepa_planner_sim.envs import PandaTaskEnv
from jepa_planner_sim.scene import BackgroundMotion, Scene, TableObject
from jepa_planner_sim.scene_draws import MOTIONS, sample_scene
from jepa_planner_sim.world import World


def moving(name: str, strength: float = 1.0, seed: int = 3) -> Scene:
    return sample_scene(np.random.default_rng(seed), {name}, strength)


def pictures(world: World, scene: Scene, moments: int) -> np.ndarray:
    """One per 0.25 s, as after each action, with an arm that stands still: [moments, V, H, W, 3]."""
    world.build(scene)
    ArmDriver(world).place_tcp(np.array([0.5, 0.1, 0.12]))
    taken = []
    for moment in range(moments):
        world.sim_time_s = 0.25 * moment
        taken.append(world.render())
    return np.stack(taken).astype(int)


@pytest.mark.parametrize("name", MOTIONS)
def test_a_moving_background_leaves_the_scene_and_the_generator_as_they_were(name):
    with_motion, without = np.random.default_rng(5), np.random.default_rng(5)
    drawn = sample_scene(with_motion, {name})
    assert replace(drawn, motion=None) == sample_scene(without)
    assert with_motion.random() == without.random()


@pytest.mark.parametrize("name", MOTIONS)
def test_the_background_moves_and_the_arm_and_the_cube_do_not(world, name):
    scene = moving(name)
    still = pictures(world, replace(scene, motion=None), 1)[0]
    taken = pictures(world, scene, 4)
    red = (still[..., 0] > 120) & (still[..., 1] < 60)
    finger = (still[..., 2] > 1.5 * still[..., 0]) & (still[..., 2] > 60)
    assert red.sum() > 20 and finger.sum() > 5
    for picture in taken:
        np.testing.assert_array_equal(picture[red | finger], still[red | finger])
    for before, after in pairwise(taken):
        assert (np.abs(after - before).max(axis=-1) > 4).mean() > 0.4


@pytest.mark.parametrize("name", MOTIONS)
def test_the_background_of_a_moment_is_always_the_same_one_and_that_of_another_seed_another(world, name):
    scene = moving(name)
    first = pictures(world, scene, 3)
    np.testing.assert_array_equal(pictures(world, scene, 3), first)
    other = pictures(world, replace(scene, motion=replace(scene.motion, seed=scene.motion.seed + 1)), 3)
    assert np.abs(other - first).mean() > 2


def test_strength_scales_the_motion_and_none_of_it_is_none(world):
    for name in MOTIONS:
        still = pictures(world, replace(moving(name), motion=None), 1)
        np.testing.assert_array_equal(pictures(world, moving(name, 0.0), 1), still)
        weak, full = (np.abs(pictures(world, moving(name, s), 1) - still).mean() for s in (0.3, 1.0))
        assert 0.5 < weak < 0.6 * full


def test_flicker_keeps_within_its_range(world):
    scene = Scene(objects=(TableObject(),))
    still = pictures(world, scene, 1)[0]
    for picture in pictures(world, replace(scene, motion=BackgroundMotion(flicker=1.0, seed=1)), 6):
        assert np.all(picture <= still * (1.0 + FLICKER_GAIN) + 1)
        assert np.all(picture >= still * (1.0 - FLICKER_GAIN) - 1)


def test_tasks_with_a_moving_background_are_those_without():
    env = PandaTaskEnv("reach")
    try:
        tasks = []
        for vary in ((), ("flicker",), ("moving_texture",)):
            env.reset(seed=1_000_003, options={"vary": vary, "goal_images": "dense"})
            tasks.append((*env.goal_m, *env.plan.start_tcp_m))
        assert tasks[0] == tasks[1] == tasks[2]
    finally:
        env.close()


@pytest.mark.parametrize("motion", [False, True])
def test_an_engine_compiled_without_numpy_answers_with_tuples_and_the_pictures_are_the_same(world, monkeypatch, motion):
    scene = moving(MOTIONS[0])
    scene = scene if motion else replace(scene, motion=None)
    given, render = pictures(world, scene, 1), world._bullet.getCameraImage

    def tuples(*arguments, **options):
        width, height, *arrays = render(*arguments, **options)
        return width, height, *(tuple(np.ravel(array).tolist()) for array in arrays)

    monkeypatch.setattr(world._bullet, "getCameraImage", tuples, raising=False)
    np.testing.assert_array_equal(pictures(world, scene, 1), given)
