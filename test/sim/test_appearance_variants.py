"""Variants of the same motion on tables that look different."""

from dataclasses import replace

import numpy as np
import pytest

from jepa_planner.learning.data.episodes import EpisodeError, read_episodes
from jepa_planner_sim.collect import collect
from jepa_planner_sim.collect_settings import CollectSettings
from jepa_planner_sim.recording import record_episode
from jepa_planner_sim.scene_draws import VARIED, sample_appearance, sample_training_scene

FILMED = CollectSettings(
    episodes=2, steps=4, seed=71, vary=frozenset({VARIED}), shard_episodes=1, variants=3, variant_steps=2
)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("variants")
    assert collect(folder, FILMED, processes=1) == 2
    return folder


def test_variants_show_the_same_motion_on_tables_that_look_different(filmed):
    episodes = read_episodes(filmed)
    assert episodes.images.shape == (2 * 2 * 3, 3, 2, 64, 64, 3)
    assert episodes.seeds.tolist() == [71] * 6 + [72] * 6
    assert episodes.motions.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert len(set(episodes.scenes.tolist())) == 12
    variants = np.asarray(episodes.images, int).reshape(4, 3, -1)
    differences = np.abs(variants - variants[:, [1, 2, 0]]).mean(-1)
    assert (differences > 3.0).mean() > 0.7, "some are of the standard look, which is one"
    for part in (episodes.states, episodes.actions, episodes.object_pose):
        np.testing.assert_array_equal(part, part.reshape(4, 3, *part.shape[1:])[:, :1].repeat(3, 1).reshape(part.shape))


def test_filming_changes_nothing_of_what_happens_and_cuts_follow_one_another(filmed, world):
    episodes = read_episodes(filmed)
    _, states, actions, poses, _ = record_episode(world, 71, replace(FILMED, variants=1, variant_steps=0))
    for cut, first in ((0, 0), (3, 2)):
        np.testing.assert_array_equal(episodes.states[cut], states[first : first + 3])
        np.testing.assert_array_equal(episodes.actions[cut], actions[first : first + 2])
        np.testing.assert_array_equal(episodes.object_pose[cut], poses[first : first + 3])


def test_a_look_changes_how_things_are_seen_and_none_of_them():
    scene = sample_training_scene(np.random.default_rng(3))
    appearances = [sample_appearance(np.random.default_rng(seed), scene) for seed in range(20)]

    def bare(one):
        return [replace(item, colour=(0.0, 0.0, 0.0)) for item in one.objects], one.start_yaw_rad

    assert all(bare(look) == bare(scene) for look in appearances)
    assert len({look.objects[0].colour for look in appearances}) > 10
    assert (
        len({look.light_direction for look in appearances}) > 10
        and len({look.table_texture_seed for look in appearances}) > 10
    )
    assert any(not look.camera_shifts for look in appearances), "some observation as in standard scenes"


def test_shards_of_another_number_of_variants_are_refused(filmed):
    with pytest.raises(EpisodeError, match="was collected with seeds"):
        collect(filmed, replace(FILMED, variants=2), processes=1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"variant_steps": 3}, "4 steps cannot be cut into variants of 3"),
        ({"variant_steps": -1}, "4 steps cannot be cut into variants of -1"),
        ({"variants": 1}, "one variant is not cut"),
        ({"variants": 0}, "must be at least 1"),
        ({"vary": frozenset()}, "3 variants: tables look different in varied scenes"),
        ({"per_scene": 2}, "no two episodes share one"),
    ],
)
def test_variants_that_make_no_sense_are_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        replace(FILMED, **changes)
