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

from jepa_planner.training.episodes import EpisodeError, read_episodes
from jepa_planner_sim.arm_driver import ACTION_MAX, UPRIGHT_ACTION_MAX, ArmDriver
from jepa_planner_sim.behaviours import MIXES, _push_goal, _to_mend, behave
from jepa_planner_sim.collect import EVALUATION_SEED_START, CollectSettings, collect, record_episode
from jepa_planner_sim.scene import Scene
from jepa_planner_sim.scene_draws import VARIED
from jepa_planner_sim.tasks import push_fits
from jepa_planner_sim.world import World

EXPLORATION, DEMONSTRATION = MIXES["exploration"], MIXES["demonstration"]
SMALL = CollectSettings(episodes=3, steps=3, seed=40, image_size_px=64, shard_episodes=2)


pytestmark = pytest.mark.filterwarnings("error::tqdm.TqdmWarning")


@pytest.fixture(scope="module")
def collected(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("episodes")
    assert collect(folder, SMALL, processes=1) == 2
    return folder


def record(world: World, seed: int, **changes: object):
    return record_episode(world, np.random.default_rng(seed), replace(SMALL, **changes))


def test_what_was_collected_reads_back_with_the_seeds_and_settings(collected):
    episodes = read_episodes(collected)
    assert episodes.images.shape == (3, 4, 2, 64, 64, 3)
    assert episodes.actions.shape == (3, 3, 7)
    assert episodes.seeds.tolist() == [40, 41, 42]
    assert episodes.views == ("front", "side")
    assert episodes.time_step_s == 0.25
    assert set(episodes.behaviour) <= set(dict(EXPLORATION.shares))


def test_in_varied_scenes_the_gripper_turns_and_nothing_else_tilts(world):
    varied = [record(world, seed, vary=frozenset({VARIED}), steps=30) for seed in range(6)]
    actions, states = (np.stack([one[part] for one in varied]) for part in (2, 1))
    assert np.all(np.abs(actions) <= ACTION_MAX + 1e-6) and not actions[..., 3:5].any()
    assert np.ptp(states[..., 5]) > 1.0 and np.abs(states[..., 3:5]).max() < 0.03
    again = record(world, 5, vary=frozenset({VARIED}), steps=30)
    np.testing.assert_array_equal(again[2], varied[5][2])
    assert not record(world, 5, steps=30)[2][:, 5].any(), "it does not in standard ones"


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
        "from pathlib import Path; from jepa_planner_sim.collect import CollectSettings, collect; "
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
    ],
    ids=["seed", "steps", "image size", "vary", "behaviour"],
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


@pytest.mark.parametrize("name", ["episodes", "steps", "shard_episodes"])
def test_settings_that_collect_nothing_are_refused(name):
    with pytest.raises(ValueError, match="must be at least 1"):
        replace(SMALL, **{name: 0})


@pytest.mark.parametrize("name", [name for name, _ in EXPLORATION.shares])
def test_every_behaviour_goes_on_without_end_and_within_bounds(world, name):
    world.build(Scene())
    rng = np.random.default_rng(0)
    running = behave(world, rng, name, EXPLORATION, ACTION_MAX)
    actions = np.stack([action for _, action in zip(range(60), running, strict=False)])
    assert actions.shape == (60, 7)
    assert np.all(np.abs(actions) <= ACTION_MAX + 1e-9)
    assert actions.std(axis=0)[:3].max() > 0.0


@pytest.mark.parametrize("mix", MIXES.values(), ids=list(MIXES))
def test_behaviours_are_drawn_by_their_shares(mix):
    rng = np.random.default_rng(0)
    drawn = [mix.draw(rng) for _ in range(2000)]
    assert sum(share for _, share in mix.shares) == pytest.approx(1.0)
    for name, share in mix.shares:
        assert drawn.count(name) / 2000 == pytest.approx(share, abs=0.04)


def test_demonstrations_hold_no_random_motion(world):
    assert "random" not in dict(DEMONSTRATION.shares)
    clean = replace(DEMONSTRATION, noise_levels_m=(0.0,), error_share=0.0)
    wild = replace(clean, burst_chance=1.0)
    turned = []
    for mix in (clean, wild):
        world.build(Scene())
        running = behave(world, np.random.default_rng(1), "reach", mix, UPRIGHT_ACTION_MAX)
        actions = np.stack([action for _, action in zip(range(4), running, strict=False)])[:, :3]
        turned.append(float((actions[1:] * actions[:-1]).sum(axis=1).min()))
    assert turned[0] > 0.0 > turned[1], "a script that nothing disturbs goes straight on; the world here never moves"


def first_script(world: World, mix, seed: int, behaviour: str = "place", steps: int = 16):
    """Tcp [T+1, 3], commanded closedness [T+1] and object poses [T+1, 4] of one behaviour in the plain scene."""
    world.build(Scene())
    driver = ArmDriver(world)
    driver.place_tcp(np.array([0.40, -0.10, 0.20]))
    rows = [(world.tcp_pose()[0], world.closedness_commanded, world.object_pose()[0])]
    running = behave(world, np.random.default_rng(seed), behaviour, mix, UPRIGHT_ACTION_MAX)
    for _, action in zip(range(steps), running, strict=False):
        driver.execute(action)
        rows.append((world.tcp_pose()[0], world.closedness_commanded, world.object_pose()[0]))
    return tuple(np.array(part) for part in zip(*rows, strict=True))


def test_a_corrected_script_comes_down_beside_the_object_and_then_grasps_it(world, monkeypatch):
    monkeypatch.setattr("jepa_planner_sim.behaviours.BESIDE_M", 0.05)
    clean = replace(DEMONSTRATION, noise_levels_m=(0.0,), error_share=0.0, corrected_share=0.0)
    straight = first_script(world, clean, 4)
    corrected = first_script(world, replace(clean, corrected_share=1.0), 4)
    for _, _, object_m in (straight, corrected):
        assert object_m[:, 2].max() > 0.06, "both lift the object"
    before = [tcp[: int(np.argmax(closed > 0.5))] for tcp, closed, _ in (straight, corrected)]
    low = [tcp[tcp[:, 2] < 0.09] for tcp in before]
    off_m = [np.linalg.norm(tcp[:, :2] - straight[2][0, :2], axis=1) for tcp in low]
    assert off_m[0].max() < 0.01 < off_m[1].max()


def test_a_careful_arm_that_lost_the_object_takes_it_again(world, monkeypatch):
    monkeypatch.setattr("jepa_planner_sim.behaviours.GRASP_ERROR_M", 0.08)
    mix = replace(DEMONSTRATION, noise_levels_m=(0.0,), error_share=1.0, corrected_share=0.0)
    closings = []
    for careful in (False, True):
        _, closed, object_m = first_script(world, replace(mix, careful=careful), 1, steps=13)
        assert object_m[:, 2].max() < 0.03, "it grasps beside the object"
        closings.append(closed)
    assert closings[0][-1] > 0.5 > closings[1][-1], "one carries nothing to its target, the other opens again"


def test_a_careful_arm_brings_what_it_pushed_astray_to_its_place():
    class Beside:
        """A world whose object lies beside where it was pushed to."""

        def __init__(self, off_m: tuple[float, float]) -> None:
            self._xy_m = np.array([0.5, 0.0]) + off_m

        def object_pose(self, index: int) -> tuple[np.ndarray, float]:
            return np.array([*self._xy_m, 0.02]), 0.0

    goal = np.array([0.5, 0.0])
    assert _to_mend(Beside((0.01, 0.01)), "push", "pushed", 0, goal) is None, "near enough"
    assert _to_mend(Beside((0.10, 0.0)), "push", "halfway", 0, goal) is None, "still on its way"
    along, askew = (_to_mend(Beside(off), "push", "pushed", 2, goal) for off in ((0.06, 0.0), (0.03, 0.03)))
    assert (along.behaviour, along.index) == ("push", 2) and np.array_equal(along.goal_xy_m, goal)
    assert askew.behaviour == "place", "fingers push along their flat sides alone"


@pytest.mark.parametrize("seed", range(4))
def test_a_careful_arm_pushes_only_what_it_has_room_behind(world, seed):
    in_a_corner = np.array([0.40, 0.14])
    goal = _push_goal(in_a_corner, np.random.default_rng(seed), careful=True)
    assert goal is None or push_fits(in_a_corner, goal)
    assert _push_goal(np.array([0.5, 0.0]), np.random.default_rng(seed), careful=True) is not None


def test_a_demonstration_begins_otherwise_than_an_exploration_of_the_same_seed(world):
    assert not np.array_equal(record(world, 49)[2], record(world, 49, behaviour="demonstration")[2])


def test_an_unknown_behaviour_is_named_with_the_known_ones(world):
    with pytest.raises(ValueError, match="unknown behaviour 'dance'; known are place, push, grasp, reach, random"):
        next(behave(world, np.random.default_rng(0), "dance", EXPLORATION, ACTION_MAX))
    with pytest.raises(ValueError, match="unknown behaviour 'dance'; known are exploration, demonstration"):
        replace(SMALL, behaviour="dance")
