"""What Gymnasium and any policy may rely on, for all four environments."""

import copy
import gc
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from jepa_planner_sim import ENV_IDS
from jepa_planner_sim.arm_driver import ACTION_MAX
from jepa_planner_sim.envs import PandaTaskEnv
from jepa_planner_sim.scene_draws import PERTURBATIONS
from jepa_planner_sim.tasks import TASKS

ALL_TASKS = sorted(ENV_IDS)


def random_actions(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-ACTION_MAX, ACTION_MAX, (count, 7))


def states_after(env: PandaTaskEnv, actions: np.ndarray) -> np.ndarray:
    return np.stack([env.step(action)[0]["state"] for action in actions])


@pytest.mark.filterwarnings("ignore:.*Box (action|observation) space m")  # rotations held at 0, states unbounded
@pytest.mark.filterwarnings("error:.*WARN")
@pytest.mark.parametrize("task", sorted({*ALL_TASKS} - {"rearrange"}))  # stack has several cubes, too, and is shorter
def test_gymnasiums_checker_passes_without_unexpected_warnings(task):
    env = gymnasium.make(ENV_IDS[task], render_mode="rgb_array")
    check_env(env.unwrapped)
    env.close()


@pytest.mark.parametrize("task", ALL_TASKS)
def test_observations_and_actions_have_the_documented_shapes(env_of, task):
    env = env_of(task)
    observation, _ = env.reset(seed=0)
    assert observation["images"].shape == (2, 64, 64, 3) and observation["images"].dtype == np.uint8
    assert observation["state"].shape == (8,) and observation["state"].dtype == np.float32
    np.testing.assert_allclose(env.action_space.high, [0.06] * 3 + [0.0, 0.0, 0.12, 1.0])
    np.testing.assert_allclose(env.action_space.low, -env.action_space.high)


@pytest.mark.parametrize("task", ALL_TASKS)
def test_the_same_seed_gives_the_same_episode_to_the_bit(env_of, task):
    env, options = env_of(task), {"goal_images": "dense"}
    first, _ = env.reset(seed=5, options=options)
    first_goals, first_states = env.goal_images, states_after(env, random_actions(3))
    env.reset(seed=6, options={"vary": PERTURBATIONS})
    states_after(env, random_actions(2, seed=1))
    again, _ = env.reset(seed=5, options=options)
    np.testing.assert_array_equal(first["images"], again["images"])
    np.testing.assert_array_equal(first["state"], again["state"])
    np.testing.assert_array_equal(np.stack(first_goals), np.stack(env.goal_images))
    np.testing.assert_array_equal(first_states, states_after(env, random_actions(3)))


def test_a_fresh_environment_gives_the_same_episode_as_a_used_one(env_of):
    used, fresh = env_of("push"), PandaTaskEnv("push")
    one, other = used.reset(seed=8)[0], fresh.reset(seed=8)[0]
    np.testing.assert_array_equal(one["images"], other["images"])
    np.testing.assert_array_equal(states_after(used, random_actions(3)), states_after(fresh, random_actions(3)))
    fresh.close()


def test_other_seeds_give_other_scenes_starts_and_goals(env_of):
    env = env_of("pick_place")
    seen = []
    for seed in range(3):
        env.reset(seed=seed)
        seen.append([*env.world.object_pose()[0], *env.plan.start_tcp_m, *env.plan.goal_m])
    for axis in (0, 1, 3, 4, 5, 6, 7):
        assert len({row[axis] for row in seen}) == 3


def test_a_reset_without_a_seed_goes_on_to_another_scene(env_of):
    env = env_of("reach")
    env.reset(seed=0)
    first = env.plan.goal_m
    env.reset()
    assert not np.array_equal(first, env.plan.goal_m)


def test_actions_are_clipped_to_their_bounds(env_of):
    env = env_of("reach")
    env.reset(seed=1)
    bounded = states_after(env, np.tile(ACTION_MAX * [-1, 1, 1, 0, 0, 1, 1], (2, 1)))
    env.reset(seed=1)
    wild = states_after(env, np.tile([-9.0, 9.0, 9.0, 2.0, -2.0, 2.0, 50.0], (2, 1)))
    np.testing.assert_array_equal(bounded, wild)


def test_an_action_turns_the_gripper_by_what_it_says_within_its_period(env_of):
    env = env_of("reach")
    start = env.reset(seed=2, options={"vary": ["start"]})[0]["state"]
    assert abs(start[5]) > 0.05, "varied starts are turned"
    state = env.step(ACTION_MAX * np.array([0, 0, 0, 0, 0, -1, 0]))[0]["state"]
    np.testing.assert_allclose(state[3:6] - start[3:6], [0.0, 0.0, -0.12], atol=0.01)
    np.testing.assert_allclose(state[:3], start[:3], atol=0.003)


@pytest.mark.parametrize("turn", [-1.0, 1.0])
@pytest.mark.parametrize("corner", [(0.36, 0.19), (0.36, -0.19), (0.64, 0.19), (0.64, -0.19)])
def test_a_gripper_that_is_turned_on_and_on_stops_before_its_joint_does(env_of, turn, corner):
    env = env_of("reach")
    env.reset(seed=2, options={"vary": ["start"]})
    env.driver.place_tcp(np.array([*corner, 0.05]))
    turned = states_after(env, np.tile(ACTION_MAX * np.array([0, 0, 0, 0, 0, turn, 0]), (20, 1)))[-1]
    assert turned[5] == pytest.approx(env.world.limits.workspace_yaw_rad[turn > 0], abs=0.03)


def test_an_action_moves_the_tcp_by_what_it_says(env_of):
    env = env_of("reach")
    start = env.reset(seed=2)[0]["state"]
    state = env.step(np.array([0.02, -0.02, 0.01, 0, 0, 0, 0.5]))[0]["state"]
    np.testing.assert_allclose(state[:3] - start[:3], [0.02, -0.02, 0.01], atol=0.004)
    np.testing.assert_allclose(state[3:6], 0.0, atol=0.02)
    np.testing.assert_allclose(state[6:], 0.5, atol=0.05)


@pytest.mark.parametrize("action", [np.full(7, np.nan), np.zeros(6), np.zeros(1), np.zeros((7, 1))])
def test_what_is_no_action_is_refused_and_the_arm_stays(env_of, action):
    env = env_of("reach")
    before = env.reset(seed=3)[0]["state"]
    with pytest.raises(ValueError, match="action"):
        env.step(action)
    np.testing.assert_array_equal(env.world.state(), before)


def test_an_episode_ends_without_success_when_its_steps_are_spent(env_of):
    env = env_of("reach")
    env.reset(seed=4)
    endings = [env.step(np.zeros(7))[1:4] for _ in range(TASKS["reach"].max_steps)]
    assert endings == [(0.0, False, False)] * (TASKS["reach"].max_steps - 1) + [(0.0, False, True)]


def test_the_picture_for_people_is_larger_and_shows_the_scene():
    env = PandaTaskEnv("grasp", render_mode="rgb_array", render_size_px=96)
    env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (96, 96, 3) and picture.dtype == np.uint8
    assert picture.std() > 20
    env.close()


def test_without_a_render_mode_there_is_no_picture_for_people(env_of):
    assert env_of("reach").render() is None


def test_observations_come_in_the_size_that_was_asked_for():
    env = PandaTaskEnv("reach", image_size_px=80)
    observation, _ = env.reset(seed=0, options={"goal_images": "one"})
    assert observation["images"].shape == env.goal_images[0].shape == (2, 80, 80, 3)
    assert env.observation_space.contains(observation)
    env.close()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_an_environment_refuses_to_be_copied_and_lives_on(env_of, copied):
    env = env_of("reach")
    first = env.reset(seed=3)[0]["images"]
    with pytest.raises(TypeError, match=r"PandaTaskEnv owns a running simulation .*: make another with the same arg"):
        copied(env)
    for holder in (env.world, env.driver, gymnasium.wrappers.TimeLimit(env, 9)):
        if holder is env.world or copied is not copy.copy:  # a second holder of the same simulation is no copy of it
            with pytest.raises(TypeError, match=r"(PandaTaskEnv|World) owns a running simulation"):
                copied(holder)
    gc.collect()
    env.step(np.zeros(7))
    np.testing.assert_array_equal(env.reset(seed=3)[0]["images"], first)


def test_an_unknown_task_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown task 'juggle'; known are reach, grasp, push, pick_place"):
        PandaTaskEnv("juggle")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"light": True}, r"unknown reset option light; known are vary, strength, setup, goal_images"),
        ({"vary": ["gravity"]}, r"unknown perturbation gravity; known are camera, light, colour"),
        ({"goal_images": "many"}, r"goal images of reach are 'dense', 'one' or a count of 1 to 1, got 'many'"),
    ],
)
def test_a_wrong_reset_option_is_named_with_the_known_ones(env_of, options, message):
    with pytest.raises(ValueError, match=message):
        env_of("reach").reset(seed=0, options=options)
