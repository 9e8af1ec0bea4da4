"""What a scene can vary: each by itself changes the picture, and leaves nothing behind."""

import colorsys
from collections.abc import Collection

import numpy as np
import pytest

from jepa_planner_sim.scene import (
    OBJECT_REGION_MAX_M,
    OBJECT_REGION_MIN_M,
    STANDARD_COLOUR,
    STANDARD_CUBE_M,
    Scene,
)
from jepa_planner_sim.scene_draws import (
    PERTURBATIONS,
    UNSEEN,
    UNSEEN_HUES,
    UNSEEN_SHAPES,
    sample_scene,
    sample_training_scene,
)
from jepa_planner_sim.world import World


def scene(seed: int = 0, vary: Collection[str] = (), strength: float = 1.0) -> Scene:
    return sample_scene(np.random.default_rng(seed), frozenset(vary), strength)


def picture(world: World, of: Scene) -> np.ndarray:
    world.build(of)
    return world.render()


def test_standard_scenes_differ_only_in_where_the_cube_lies():
    for seed in range(20):
        drawn = scene(seed)
        (cube,) = drawn.objects
        assert drawn == Scene(objects=(cube,))
        assert (cube.shape, cube.extents_m, cube.colour) == ("box", (STANDARD_CUBE_M,) * 3, STANDARD_COLOUR)
        assert np.all(cube.xy_m >= OBJECT_REGION_MIN_M) and np.all(cube.xy_m <= OBJECT_REGION_MAX_M)


def test_the_same_seed_draws_the_same_scene_and_another_seed_another():
    assert scene(3, PERTURBATIONS) == scene(3, PERTURBATIONS)
    assert scene(3, PERTURBATIONS) != scene(4, PERTURBATIONS)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_each_perturbation_leaves_the_cube_in_its_place(name):
    for seed in range(10):
        cube, varied = scene(seed).objects[0], scene(seed, [name]).objects[0]
        assert varied.xy_m == cube.xy_m
        assert (varied.yaw_rad == cube.yaw_rad) == (name != "yaw")


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("camera", {"camera_shifts"}),
        ("light", {"light_direction", "light_ambient", "light_colour"}),
        ("colour", {"objects"}),
        ("size", {"objects"}),
        ("distractors", {"objects"}),
        ("table", {"table_colour", "table_texture_seed"}),
        ("shape", {"objects"}),
        ("yaw", {"objects"}),
        ("start", {"start_yaw_rad"}),
        ("unseen_shape", {"objects"}),
        ("unseen_colour", {"objects"}),
    ],
)
def test_each_perturbation_changes_what_it_names_and_nothing_else(name, fields):
    standard, varied = scene(2), scene(2, [name])
    assert {f for f in vars(Scene()) if getattr(standard, f) != getattr(varied, f)} == fields


@pytest.mark.parametrize("name", [name for name in (*PERTURBATIONS, *UNSEEN) if name != "start"])
def test_each_perturbation_changes_the_picture_and_leaves_nothing_behind(world, name):
    shown = 0
    for seed in range(4):
        before = picture(world, scene(seed))
        varied = picture(world, scene(seed, [name]))
        shown += bool((np.abs(before.astype(int) - varied.astype(int)).max(axis=-1) > 8).any())
        np.testing.assert_array_equal(picture(world, scene(seed)), before)
    assert shown >= 2, "not every draw differs visibly: a cube may be drawn again, or no distractor"


def test_light_camera_and_table_change_most_of_the_picture(world):
    before = picture(world, scene(0))
    for name in ("light", "table"):
        changed = np.abs(before.astype(int) - picture(world, scene(0, [name])).astype(int)).max(axis=-1) > 2
        assert changed.mean() > 0.2, name


def test_distractors_keep_off_the_cube_and_each_other():
    for seed in range(30):
        objects = scene(seed, ["distractors"]).objects
        assert 1 <= len(objects) <= 4
        for number, one in enumerate(objects):
            for other in objects[:number]:
                assert np.linalg.norm(np.subtract(one.xy_m, other.xy_m)) > 0.09


def test_strength_scales_how_far_things_vary():
    shift = {s: scene(0, ["camera"], s).camera_shifts["front"].xyz_m for s in (0.5, 1.0, 2.0)}
    np.testing.assert_allclose(np.multiply(shift[0.5], 2), shift[1.0])
    np.testing.assert_allclose(np.multiply(shift[1.0], 2), shift[2.0])
    sizes = [abs(scene(0, ["size"], s).objects[0].extents_m[0] - STANDARD_CUBE_M) for s in (0.0, 0.5, 1.0)]
    assert sizes[0] == 0.0 < sizes[1] < sizes[2] <= 0.015


def test_without_strength_the_scene_is_the_standard_one():
    assert scene(4, PERTURBATIONS, 0.0) == scene(4)


def test_no_strength_makes_a_scene_that_cannot_be_built(world):
    for strength in (0.0, 5.0):
        for seed in range(3):
            drawn = scene(seed, PERTURBATIONS, strength)
            assert all(0.0 <= channel <= 1.0 for channel in (*drawn.objects[0].colour, *drawn.table_colour))
            assert picture(world, drawn).shape == (2, 64, 64, 3)


def test_an_unknown_perturbation_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown perturbation fog, wind; known are camera, light, colour, size"):
        scene(0, ["wind", "fog", "light"])


def test_varied_objects_are_three_to_six_centimetres_long_in_three_shapes():
    drawn = [scene(seed, PERTURBATIONS).objects[0] for seed in range(60)]
    edges_m = np.array([item.extents_m for item in drawn])
    assert edges_m.min() >= 0.03 and edges_m.max() <= 0.06
    assert {item.shape for item in drawn} == {"box", "cylinder"}
    longer = [item.extents_m[0] - item.extents_m[1] > 0.005 for item in drawn if item.shape == "box"]
    assert 0 < sum(longer) < len(longer), "cubes and boxes that are longer than wide"
    assert np.ptp([item.yaw_rad for item in drawn]) > 2.5


def test_training_scenes_reach_from_standard_ones_to_beyond_what_is_evaluated():
    drawn = [sample_training_scene(np.random.default_rng(seed)) for seed in range(200)]
    standard = [scene == Scene(objects=scene.objects) for scene in drawn]
    assert 0.15 < np.mean(standard) < 0.35
    shifts_m = [max(map(abs, scene.camera_shifts["front"].xyz_m)) for scene in drawn if scene.camera_shifts]
    assert min(shifts_m) < 0.02 and 0.05 < max(shifts_m) <= 0.065


def hue_of(colour: tuple[float, ...]) -> tuple[float, float]:
    hue, saturation, _ = colorsys.rgb_to_hsv(*colour)
    return hue, saturation


def test_what_is_unseen_is_drawn_for_evaluation_alone():
    for seed in range(100):
        for item in sample_training_scene(np.random.default_rng(seed)).objects:
            hue, saturation = hue_of(item.colour)
            assert saturation < 0.25 or not UNSEEN_HUES[0] <= hue <= UNSEEN_HUES[1]
            assert item.shape not in UNSEEN_SHAPES
    unseen = [scene(seed, UNSEEN).objects[0] for seed in range(20)]
    assert {item.shape for item in unseen} == set(UNSEEN_SHAPES)
    assert all(UNSEEN_HUES[0] <= hue_of(item.colour)[0] <= UNSEEN_HUES[1] for item in unseen)
