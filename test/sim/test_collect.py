import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from jepa_planner.learning.data.episodes import EpisodeError, read_episodes
from jepa_planner_sim.arm_driver import ACTION_MAX
from jepa_planner_sim.behaviours import MIXES
from jepa_planner_sim.collect import collect
from jepa_planner_sim.collect_settings import EVALUATION_SEED_START, STANDARD_SCENE, CollectSettings
from jepa_planner_sim.recording import APPEARANCES, record_episode
from jepa_planner_sim.scene import Scene
from jepa_planner_sim.scene_draws import VARIED, sample_training_scene
from jepa_planner_sim.world import World

SMALL = CollectSettings(episodes=3, steps=3, seed=40, image_size_px=64, shard_episodes=2)


pytestmark = pytest.mark.filterwarnings("error::tqdm.TqdmWarning")


@pytest.fixture(scope="module")
def collected(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("episodes")
    assert collect(folder, SMALL, processes=1) == 2
    return folder


def record(world: World, seed: int, **changes: object):
    return record_episode(world, seed, replace(SMALL, **changes))


def test_what_was_collected_reads_back_with_the_seeds_and_settings(collected):
    episodes = read_episodes(collected)
    assert episodes.images.shape == (3, 4, 2, 64, 64, 3)
    assert episodes.actions.shape == (3, 3, 7)
    assert episodes.seeds.tolist() == [40, 41, 42]
    assert episodes.views == ("front", "side")
    assert episodes.time_step_s == 0.25
    assert set(episodes.behaviour) <= set(dict(MIXES["exploration"].shares))


def test_a_third_camera_on_the_wrist_is_recorded_like_the_others_and_not_mixed_with_two(collected, tmp_path):
    with_wrist = replace(SMALL, views=("front", "side", "wrist"), episodes=1)
    collect(tmp_path / "three", with_wrist, processes=1)
    episodes = read_episodes(tmp_path / "three")
    assert episodes.views == ("front", "side", "wrist") and episodes.images.shape[2] == 3
    np.testing.assert_array_equal(episodes.images[0, :, :2], read_episodes(collected).images[0])
    with pytest.raises(
        EpisodeError, match=r"was collected with views \['front', 'side'\], not \['front', 'side', 'wrist'\]"
    ):
        collect(collected, replace(SMALL, views=("front", "side", "wrist")), processes=1)


def test_in_varied_scenes_the_gripper_turns_and_nothing_else_tilts(world):
    varied = [record(world, seed, vary=frozenset({VARIED}), steps=30) for seed in range(6)]
    actions, states = (np.stack([one[part] for one in varied]) for part in (2, 1))
    assert np.all(np.abs(actions) <= ACTION_MAX + 1e-6) and not actions[..., 3:5].any()
    assert np.ptp(states[..., 5]) > 1.0 and np.abs(states[..., 3:5]).max() < 0.03
    again = record(world, 5, vary=frozenset({VARIED}), steps=30)
    np.testing.assert_array_equal(again[2], varied[5][2])
    assert not record(world, 5, steps=30)[2][:, 5].any(), "it does not in standard ones"


def test_episodes_of_a_scene_have_the_same_things_and_cameras_and_these_stand_elsewhere(tmp_path):
    settings = replace(SMALL, episodes=6, vary=frozenset({VARIED}), per_scene=3, steps=1)
    collect(tmp_path, settings, processes=1)
    episodes = read_episodes(tmp_path)
    assert episodes.scenes.tolist() == [40, 40, 40, 43, 43, 43]

    def drawn(seed: int) -> Scene:
        appearances = np.random.default_rng([settings.scene_of(seed), APPEARANCES])
        return sample_training_scene(appearances, places=np.random.default_rng(seed))

    def looks_like(scene: Scene) -> Scene:
        items = [replace(item, xy_m=(0.0, 0.0), yaw_rad=0.0) for item in scene.objects]
        return replace(scene, objects=tuple(items), start_yaw_rad=0.0)

    scenes = [drawn(seed) for seed in episodes.seeds.tolist()]
    assert looks_like(scenes[0]) == looks_like(scenes[1]) == looks_like(scenes[2])
    assert looks_like(scenes[3]) == looks_like(scenes[4]) != looks_like(scenes[0])
    assert len({scene.objects[0].xy_m for scene in scenes}) == 6
    first_xy_m = [scene.objects[0].xy_m for scene in scenes]
    np.testing.assert_allclose(episodes.object_pose[:, 0, :2], first_xy_m, atol=0.005)
    with pytest.raises(EpisodeError, match="was collected with scenes"):
        collect(tmp_path, replace(settings, per_scene=2), processes=1)


def test_episodes_of_a_setup_are_seen_by_the_cameras_that_trials_of_that_setup_have(world, env_of):
    moved = {"vary": frozenset({"camera"}), "strength": 2.6, "setup": 3}
    env = env_of("reach")
    scenes = []
    for seed in (7, 8):
        record(world, seed, **moved)
        env.reset(seed=1_000_000 + seed, options=moved)
        scenes += [world.scene, env.world.scene]
    assert all(scene.camera_shifts == scenes[0].camera_shifts for scene in scenes)
    assert len({scene.objects[0].xy_m for scene in scenes}) == 4
    record(world, 7, **{**moved, "setup": 4})
    assert world.scene.camera_shifts != scenes[0].camera_shifts


@pytest.mark.parametrize(
    "changes",
    [
        {"setup": 1},
        {"setup": -1, "vary": frozenset({"camera"})},
        {"setup": 1, "vary": frozenset({VARIED})},
        {"setup": 1, "vary": frozenset({"camera"}), "per_scene": 2},
        {"strength": 2.0},
        {"strength": -1.0, "vary": frozenset({"camera"})},
    ],
)
def test_a_setup_of_nothing_or_a_strength_of_nothing_is_refused(changes):
    with pytest.raises(ValueError, match=r"setup -?1|strength -?\d"):
        replace(SMALL, **changes)


def test_standard_episodes_all_show_one_scene_whatever_their_seeds(collected):
    assert read_episodes(collected).scenes.tolist() == [STANDARD_SCENE] * 3


@pytest.mark.parametrize("given", [{}, {"adapter": "my_scenes:Push"}], ids=["standard", "adapter"])
def test_scenes_that_do_not_vary_are_not_shared(given):
    with pytest.raises(ValueError, match="3 episodes per scene: only scenes that vary can be shared"):
        replace(SMALL, per_scene=3, **given)


def test_shards_that_say_nothing_about_scenes_are_kept_and_added_to(collected, tmp_path):
    shutil.copytree(collected, tmp_path / "older")
    with h5py.File(tmp_path / "older" / "episodes-000000.h5", "a") as file:
        del file["scenes"]
    (tmp_path / "older" / "episodes-000001.h5").unlink()
    assert collect(tmp_path / "older", SMALL, processes=1) == 1


def test_a_second_call_writes_nothing(collected):
    before = {path: path.stat().st_mtime_ns for path in collected.iterdir()}
    assert collect(collected, SMALL, processes=1) == 0
    assert {path: path.stat().st_mtime_ns for path in collected.iterdir()} == before


def test_after_an_interruption_only_what_is_missing_is_collected_and_it_is_the_same(collected):
    last = collected / "episodes-000001.h5"
    with h5py.File(last) as file:
        before = {name: file[name][:] for name in ("images", "states", "actions", "object_pose")}
    last.unlink()
    (collected / "episodes-000001.partial").write_bytes(b"cut short")
    first = (collected / "episodes-000000.h5").stat().st_mtime_ns
    assert collect(collected, SMALL, processes=1) == 1
    assert (collected / "episodes-000000.h5").stat().st_mtime_ns == first
    with h5py.File(last) as file:
        for name, values in before.items():
            np.testing.assert_array_equal(file[name][:], values)


def test_an_interruption_ends_the_workers_at_once_and_keeps_what_is_done(collected, tmp_path):
    shutil.copy(collected / "episodes-000000.h5", tmp_path)
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "  # a background shell ignores it
        "from pathlib import Path; from jepa_planner_sim.collect import collect; "
        "from jepa_planner_sim.collect_settings import CollectSettings; "
        f"collect(Path({str(tmp_path)!r}), CollectSettings(episodes=4000, steps=3, seed=40, shard_episodes=2), 2)"
    )
    running = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, start_new_session=True)
    while not (tmp_path / "episodes-000002.h5").exists():
        assert running.poll() is None, running.stderr.read()
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    assert running.wait(20) != 0
    time.sleep(0.5)
    written = sorted(path.name for path in tmp_path.glob("*.h5"))
    time.sleep(2.0)
    assert sorted(path.name for path in tmp_path.glob("*.h5")) == written, "no worker goes on"
    assert written[0] == "episodes-000000.h5" and len(written) < 100


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seed": 41}, r"seeds \[40, 41\], not \[41, 42\]"),
        ({"steps": 4}, "steps 3, not 4"),
        ({"image_size_px": 96}, "image size 64, not 96"),
        ({"vary": frozenset({"light"})}, r"vary \[\], not \['light'\]"),
        ({"behaviour": "demonstration"}, "behaviour exploration, not demonstration"),
        ({"vary": frozenset({"light"}), "setup": 1}, r"vary \[\], not \['light'\]"),
    ],
    ids=["seed", "steps", "image size", "vary", "behaviour", "setup"],
)
def test_a_folder_collected_with_other_settings_is_refused_and_kept(collected, change, says):
    before = {path.name: path.stat().st_mtime_ns for path in collected.iterdir()}
    with pytest.raises(EpisodeError, match=rf"episodes-000000\.h5 was collected with {says}"):
        collect(collected, replace(SMALL, **change), processes=1)
    assert {path.name: path.stat().st_mtime_ns for path in collected.iterdir()} == before


def test_a_fault_in_a_worker_is_raised_here(tmp_path):
    with pytest.raises(ValueError, match="unknown perturbation gravity"):
        collect(tmp_path, replace(SMALL, vary=frozenset({"gravity"})), processes=1)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(FileExistsError):
        collect(tmp_path / "file", SMALL, processes=2)


def test_two_processes_collect_what_one_would(collected, tmp_path):
    assert collect(tmp_path, SMALL, processes=2) == 2
    one, two = read_episodes(collected), read_episodes(tmp_path)
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.actions, two.actions)


def test_other_processes_collect_what_this_one_would(collected, world):
    images, states, actions, poses, behaviour = record(world, 41)
    episodes = read_episodes(collected)
    np.testing.assert_array_equal(episodes.images[1], images)
    np.testing.assert_array_equal(episodes.states[1], states)
    np.testing.assert_array_equal(episodes.actions[1], actions)
    np.testing.assert_array_equal(episodes.object_pose[1], poses)
    assert episodes.behaviour[1] == behaviour


def test_actions_lead_from_each_state_to_the_next(world):
    _, states, actions, _, _ = record(world, 3, steps=12)
    moved = np.diff(states[:, :3], axis=0)
    inside = np.all((states[1:, :3] > [0.36, -0.19, 0.025]) & (states[1:, :3] < [0.64, 0.19, 0.235]), axis=1)
    assert inside.sum() >= 5
    assert np.median(np.abs(moved - actions[:, :3])[inside]) < 0.003


@pytest.mark.parametrize("seed", range(3))
def test_recorded_numbers_are_finite_and_within_bounds(world, seed):
    images, states, actions, poses, _ = record(world, seed, steps=8)
    assert all(np.all(np.isfinite(x)) for x in (states, actions, poses))
    assert np.all(np.abs(actions) <= ACTION_MAX + 1e-6)
    assert np.all((states[:, 6:] >= 0.0) & (states[:, 6:] <= 1.0))
    assert images.dtype == np.uint8 and states.dtype == actions.dtype == np.float32


def test_scenes_vary_only_when_asked_to(world):
    record(world, 5, steps=1)
    assert world.scene == Scene(objects=world.scene.objects)
    record(world, 5, steps=1, vary=frozenset({"table", "light"}))
    assert world.scene.table_texture_seed is not None
    assert world.scene.light_direction != Scene().light_direction


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": EVALUATION_SEED_START},
        {"seed": EVALUATION_SEED_START - 2},
        {"seed": -1},
        {"episodes": EVALUATION_SEED_START + 1, "seed": 0},
    ],
)
def test_seeds_that_are_for_evaluation_are_refused(changes):
    with pytest.raises(ValueError, match="those above are for evaluation"):
        replace(SMALL, **changes)


def test_the_last_seed_below_evaluation_is_allowed():
    assert replace(SMALL, seed=EVALUATION_SEED_START - 3).seed == 999_997


@pytest.mark.parametrize("name", ["episodes", "steps", "shard_episodes", "per_scene"])
def test_settings_that_collect_nothing_are_refused(name):
    with pytest.raises(ValueError, match="must be at least 1"):
        replace(SMALL, **{name: 0})


def test_a_demonstration_begins_otherwise_than_an_exploration_of_the_same_seed(world):
    assert not np.array_equal(record(world, 49)[2], record(world, 49, behaviour="demonstration")[2])


def test_an_unknown_mix_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown behaviour 'dance'; known are exploration, feints, demonstration"):
        replace(SMALL, behaviour="dance")
