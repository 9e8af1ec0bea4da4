"""Layouts: the arm rests and things stand elsewhere in each picture."""

from itertools import islice

import numpy as np
import pytest

from jepa_planner.learning.data.episodes import read_episodes
from jepa_planner_sim.arm_driver import ArmDriver
from jepa_planner_sim.collect import collect
from jepa_planner_sim.collect_settings import LAYOUTS, CollectSettings
from jepa_planner_sim.layouts import NUDGE_M, layouts
from jepa_planner_sim.scene_draws import VARIED, sample_training_scene

SHOWN = CollectSettings(
    episodes=2, steps=5, seed=90, vary=frozenset({VARIED}), variants=2, behaviour=LAYOUTS, shard_episodes=2
)


def places_of(world, seed: int, count: int = 12) -> np.ndarray:
    """Of all things in so many layouts, [count, things, 3]."""
    rng = np.random.default_rng(seed)
    world.build(sample_training_scene(rng))
    ArmDriver(world).place_tcp(np.array([0.5, 0.0, 0.2]))
    things = range(len(world.scene.objects))
    return np.stack([[world.object_pose(i)[0] for i in things] for _ in islice(layouts(world, rng), count)])


def test_nothing_but_things_moves_and_nothing_acts(tmp_path):
    collect(tmp_path, SHOWN, processes=1)
    episodes = read_episodes(tmp_path)
    assert episodes.images.shape == (4, 6, 2, 64, 64, 3) and set(episodes.behaviour) == {LAYOUTS}
    assert episodes.motions.tolist() == [0, 0, 1, 1] and not episodes.actions.any()
    np.testing.assert_array_equal(episodes.states, episodes.states[:, :1].repeat(6, 1))
    np.testing.assert_array_equal(episodes.object_pose[0], episodes.object_pose[1])
    moved = np.abs(np.diff(np.asarray(episodes.images, int), axis=1)).mean((2, 3, 4, 5))
    assert (moved > 0.05).mean() > 0.8, "hidden things aside, pictures differ"


def test_all_things_are_put_elsewhere_and_then_one_is_nudged(world):
    for seed in range(6):
        places = places_of(world, seed)
        steps_m = np.linalg.norm(np.diff(places, axis=0), axis=-1)
        nudges, far = steps_m[0::2], steps_m[1::2]
        assert ((nudges > 1e-9).sum(1) == 1).all(), "one thing at a time"
        assert nudges.max() <= NUDGE_M[1] + 1e-9 and nudges.max(1).min() >= NUDGE_M[0] - 1e-9
        assert np.median(far) > NUDGE_M[1]


def test_some_things_are_held_between_fingers_as_wide_apart(world):
    held = 0
    for seed in range(30):
        places = places_of(world, seed, 8)
        if (np.linalg.norm(places[:, 0] - world.tcp_pose()[0], axis=-1) < NUDGE_M[1] + 1e-6).any():
            held += 1
            width_m = 0.08 * (1.0 - world.closure_measured())
            assert width_m == pytest.approx(world.scene.objects[0].extents_m[1], abs=1e-6)
    assert 2 <= held <= 20


def test_the_same_seed_gives_the_same_layouts(world):
    np.testing.assert_array_equal(places_of(world, 4), places_of(world, 4))


def test_layouts_of_one_variant_are_refused():
    with pytest.raises(ValueError, match="filmed in several variants"):
        CollectSettings(vary=frozenset({VARIED}), behaviour=LAYOUTS)
