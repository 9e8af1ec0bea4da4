"""Scenes that are fair, an expert that solves them, and goal images that show the way."""

from itertools import pairwise

import numpy as np
import pytest

from jepa_planner_sim.envs import GoalImageError, PandaTaskEnv
from jepa_planner_sim.expert import ScriptedExpert
from jepa_planner_sim.scene import Scene, TableObject
from jepa_planner_sim.scene_draws import sample_scene
from jepa_planner_sim.tasks import HOLD_STEPS, TASKS, distance_m, sample_plan, script
from jepa_planner_sim.world import World

ALL_TASKS = sorted(TASKS)
CORNER_WITHOUT_ROOM_M = np.array([0.4, 0.15])


def let_the_expert_try(env: PandaTaskEnv) -> tuple[bool, list[float]]:
    """Success within the task's steps, and the rewards."""
    runner, rewards, success, truncated = ScriptedExpert(script(env.task, env.plan)), [], False, False
    while not (success or truncated):
        action = np.zeros(7) if runner.done else runner.act(env.world)
        _, reward, success, truncated, _ = env.step(action)
        runner.update(env.world)
        rewards.append(reward)
    return success, rewards


def differ(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


def assert_unsolved(env: PandaTaskEnv, info: dict) -> None:
    """Start and goal are as far apart as the task says."""
    assert not info["success"]
    if env.task.name == "grasp":
        assert np.linalg.norm(env.world.tcp_pose()[0] - env.world.object_pose()[0]) >= 0.08
    else:
        assert info["distance_m"] >= env.task.min_distance_m


def redness(picture: np.ndarray) -> int:
    """Pixels that show the red cube."""
    red, green, blue = (picture[..., channel].astype(int) for channel in range(3))
    return int(((red > 90) & (red > 2 * green) & (red > 2 * blue)).sum())


@pytest.mark.parametrize("task", ALL_TASKS)
@pytest.mark.parametrize("seed", [1_000_000, 1_000_001, 1_000_002])
def test_start_and_goal_are_apart_and_the_expert_solves_the_task_within_its_steps(env_of, task, seed):
    env = env_of(task)
    _, info = env.reset(seed=seed)
    assert info["draws"] >= 1
    assert_unsolved(env, info)
    success, rewards = let_the_expert_try(env)
    assert success
    assert rewards == [0.0] * (len(rewards) - 1) + [1.0]


def test_a_goal_that_the_expert_left_too_near_to_the_start_is_drawn_again(env_of, monkeypatch):
    env = env_of("pick_place")
    rehearse, offs_m = env._expert_succeeds, [0.09, 0.0]

    def stopped_short_the_first_time() -> bool:
        success, off_m = rehearse(), offs_m.pop(0)
        if off_m:
            env.goal_m = env.world.object_pose()[0] + [off_m, 0.0, 0.0]
        return success

    monkeypatch.setattr(env, "_expert_succeeds", stopped_short_the_first_time)
    _, info = env.reset(seed=0)
    assert offs_m == []
    assert info["draws"] == 2 and info["distance_m"] >= 0.10


@pytest.mark.parametrize("task", ALL_TASKS)
def test_a_still_arm_solves_nothing(env_of, task):
    env = env_of(task)
    env.reset(seed=11)
    successes = [env.step(np.zeros(7))[2] for _ in range(HOLD_STEPS + 1)]
    assert not any(successes)


@pytest.mark.parametrize("task", ALL_TASKS)
def test_starts_and_goals_are_drawn_apart_wherever_the_object_stands(task):
    rng = np.random.default_rng(0)
    for _ in range(200):
        scene = sample_scene(rng, cubes=TASKS[task].cubes)
        if (plan := sample_plan(TASKS[task], scene, rng)) is None:
            continue
        objects_m = np.array([[*item.xy_m, 0.0] for item in scene.objects])
        begin = plan.start_tcp_m if task in ("reach", "grasp") else objects_m[: TASKS[task].moved]
        end = objects_m[0] + [0.0, 0.0, 0.02] if task == "grasp" else plan.goal_m
        assert np.min(np.linalg.norm(end - begin, axis=-1)) >= TASKS[task].min_distance_m


def test_a_place_to_rearrange_to_is_free_when_its_turn_comes():
    rng = np.random.default_rng(0)
    for _ in range(50):
        scene = sample_scene(rng, cubes=3)
        if (plan := sample_plan(TASKS["rearrange"], scene, rng)) is None:
            continue
        table = [np.array(item.xy_m) for item in scene.objects]
        for number, goal in enumerate(plan.goal_m):
            table[number] = goal[:2]
            others = [xy for other, xy in enumerate(table) if other != number]
            assert np.min(np.linalg.norm(np.array(others) - goal[:2], axis=1)) >= 0.09


def test_a_task_of_several_cubes_has_no_plan_for_fewer():
    scene = sample_scene(np.random.default_rng(0))
    assert sample_plan(TASKS["stack"], scene, np.random.default_rng(0)) is None


def test_a_stacked_cube_lies_on_the_other_and_a_dropped_one_beside_it_does_not_count(env_of):
    env = env_of("stack")
    env.reset(seed=4)
    assert let_the_expert_try(env)[0]
    top, below = env.world.object_pose(0)[0], env.world.object_pose(1)[0]
    np.testing.assert_allclose(top - below, [0.0, 0.0, 0.045], atol=0.02)
    assert distance_m(env.task, env.world, env.goal_m + np.array([0.045, 0.0, -0.045])) > 0.03


def test_a_rearrangement_is_as_far_as_the_farthest_of_its_objects(env_of):
    env = env_of("rearrange")
    env.reset(seed=4)
    now = np.array([env.world.object_pose(number)[0] for number in range(3)])
    off_m = [0.0, 0.0, 0.07]
    assert distance_m(env.task, env.world, now + np.outer([0, 1, 0], off_m)) == pytest.approx(0.07)
    assert distance_m(env.task, env.world, now) == 0.0


def test_an_object_in_a_corner_leaves_no_room_for_a_push_but_for_the_rest(env_of):
    rng = np.random.default_rng(0)
    scene = Scene(objects=(TableObject(xy_m=tuple(CORNER_WITHOUT_ROOM_M)),))
    assert sample_plan(TASKS["push"], scene, rng) is None
    for task in ("reach", "grasp", "pick_place"):
        assert sample_plan(TASKS[task], scene, rng) is not None


def test_a_seed_that_draws_such_a_corner_still_gives_a_push(env_of):
    _, info = env_of("push").reset(seed=31)
    assert 0.08 <= info["distance_m"] < 0.2


def test_holding_a_cube_counts_only_after_a_second(env_of):
    env = env_of("grasp")
    env.reset(seed=1_000_000)
    runner, held, success = ScriptedExpert(script(env.task, env.plan)), [], False
    while not success:
        _, _, success, _, info = env.step(np.zeros(7) if runner.done else runner.act(env.world))
        runner.update(env.world)
        held.append(info["distance_m"] == 0.0 and env.world.fingers_touch())
    assert HOLD_STEPS == 4
    assert held[-4:] == [True] * 4


def test_a_placed_cube_counts_only_when_it_is_let_go(env_of):
    env = env_of("pick_place")
    env.reset(seed=1_000_000)
    runner, success = ScriptedExpert(script(env.task, env.plan)), False
    while not success:
        near_in_the_gripper = env.world.fingers_touch()
        _, _, success, _, info = env.step(runner.act(env.world))
        runner.update(env.world)
        if near_in_the_gripper and env.world.fingers_touch():
            assert not success
    assert info["distance_m"] < 0.03 and not env.world.fingers_touch()


@pytest.mark.parametrize("task", ALL_TASKS)
def test_dense_goal_images_show_a_scene_that_changes_on_its_way(env_of, task):
    env = env_of(task)
    observation, _ = env.reset(seed=2, options={"goal_images": "dense"})
    assert len(env.goal_images) == len(TASKS[task].dense) <= 8 * TASKS[task].moved
    way = [observation["images"], *env.goal_images]
    for before, after in pairwise(way):
        assert after.shape == before.shape and after.dtype == np.uint8
        assert differ(before, after) > 0.3


@pytest.mark.parametrize("task", ALL_TASKS)
def test_any_count_of_goal_images_can_be_had_none_twice_and_the_last_among_them(env_of, monkeypatch, task):
    env = env_of(task)
    dense = TASKS[task].dense
    monkeypatch.setattr(env, "_run_expert", lambda names, aside: ({name: name for name in names}, None, True))
    for count in range(1, len(dense) + 1):
        names = env.draw_goal_images(str(count))
        assert len(set(names)) == count
        assert sorted(names, key=dense.index) == names
        assert names[-1] in (dense[-1], TASKS[task].few[-1])
    assert tuple(env.draw_goal_images(str(len(dense)))) == dense


def test_three_images_of_a_placing_are_grasped_carried_and_placed(env_of):
    env = env_of("pick_place")
    env.reset(seed=2)
    dense = dict(zip(TASKS["pick_place"].dense, env.draw_goal_images("dense"), strict=True))
    for name, image in zip(("grasped", "carried", "placed"), env.draw_goal_images("3"), strict=True):
        np.testing.assert_array_equal(image, dense[name])


@pytest.mark.parametrize("task", ["push", "pick_place"])
def test_one_image_shows_the_end_with_the_arm_out_of_the_way(env_of, task):
    env = env_of(task)
    env.reset(seed=2)
    (alone,) = env.draw_goal_images("one")
    last = env.draw_goal_images("dense")[-1]
    assert differ(alone, last) > 1.0
    assert redness(alone) >= redness(last)
    assert redness(alone) > 40


@pytest.mark.parametrize("kind", ["0", "9", "-1", "1.5", "", "all", "²"])
def test_goal_images_that_the_task_does_not_have_are_refused(env_of, kind):
    env = env_of("pick_place")
    with pytest.raises(GoalImageError, match="pick_place are 'dense', 'one' or a count of 1 to 8, got"):
        env.draw_goal_images(kind)


def test_drawing_goal_images_in_mid_episode_leaves_the_world_untouched(env_of):
    env = env_of("pick_place")
    env.reset(seed=2)
    runner = ScriptedExpert(script(env.task, env.plan))
    for _ in range(8):
        env.step(runner.act(env.world))
        runner.update(env.world)

    def snapshot(world: World) -> list[np.ndarray]:
        return [world.state(), world.render(), world.object_pose()[0], np.array(world.sim_time_s)]

    before = snapshot(env.world)
    env.draw_goal_images("3")
    for one, other in zip(before, snapshot(env.world), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_episode_goes_the_same_way_with_goal_images_and_without(env_of):
    env = env_of("grasp")
    ways = []
    for options in ({}, {"goal_images": "dense"}):
        env.reset(seed=3, options=options)
        ways.append([env.step(np.array([0.01, 0.02, -0.03, 0, 0, 0, 0.3]))[0]["state"] for _ in range(3)])
    np.testing.assert_array_equal(*ways)
