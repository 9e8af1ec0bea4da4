"""panda-gym, an environment of other authors, behind the adapter."""

import copy
import gc
import pickle

import numpy as np
import pytest

from jepa_planner.learning.evaluation.scene_adapter import load_adapter
from jepa_planner_sim.expert import ScriptedExpert, push_script

TASKS = ("Reach", "Push", "PickAndPlace")


@pytest.fixture(params=TASKS)
def scene(request):
    pytest.importorskip("panda_gym")
    scene = load_adapter(f"jepa_planner_sim.panda_gym:{request.param}")
    yield scene
    scene.close()


def test_a_scene_is_the_same_again_and_not_solved_at_the_start(scene):
    one, info = scene.reset(seed=5, options={"goal_images": "dense"})
    goals = scene.goal_images
    assert not info["success"] and info["distance_m"] >= 0.10
    assert all(goal.shape == (2, 64, 64, 3) for goal in goals)
    assert np.abs(goals[-1].astype(int) - one["images"]).mean() > 0.5
    np.testing.assert_array_equal(scene.reset(seed=5)[0]["images"], one["images"])
    np.testing.assert_allclose(one["state"][3:6], 0.0)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_scene_refuses_to_be_copied_and_lives_on(copied):
    pytest.importorskip("panda_gym")
    scene = load_adapter("jepa_planner_sim.panda_gym:Reach")
    scene.reset(seed=5)
    for what in (scene, scene.as_world)[: 1 if copied is copy.copy else 2]:
        with pytest.raises(TypeError, match=r"Reach owns a running simulation .*: make another with the same arg"):
            copied(what)
    gc.collect()
    scene.step(np.zeros(7))
    scene.close()


def test_the_goal_can_be_reached_and_panda_gym_says_so(scene):
    scene.reset(seed=6)
    runner, solved = ScriptedExpert(scene.goal_script()), False
    while not runner.done and not solved:
        solved = scene.step(runner.act(scene.as_world))[2]
        runner.update(scene.as_world)
    assert solved and scene.distance_m() < 0.05


def test_the_state_says_how_wide_the_fingers_stand_also_where_they_are_blocked(scene):
    commanded, measured = scene.reset(seed=8)[0]["state"][6:8]
    blocked = scene.action_max[6] == 0.0
    assert commanded == blocked
    np.testing.assert_allclose(measured, float(blocked), atol=0.03)


def test_pictures_show_the_cube_and_not_the_marker_of_the_goal(scene):
    pictures = scene.reset(seed=9)[0]["images"].astype(int)
    for green in pictures[..., 1] - pictures[..., 0] > 60:
        assert green.any() == scene.object_pose().any()
        rows, columns = np.nonzero(green)
        assert all(np.ptp(line) < 10 for line in (rows, columns) if line.size)


def test_looking_ahead_and_drawing_goals_leave_the_scene_as_it_is(scene):
    scene.reset(seed=7)
    before = scene.pictures(), scene.state(), scene.object_pose()
    ahead = scene.foresee(scene.action_max)
    scene.draw_goal_images("one")
    for was, now in zip(before, (scene.pictures(), scene.state(), scene.object_pose()), strict=True):
        np.testing.assert_allclose(now, was, atol=1e-6)
    assert np.abs(ahead.astype(int) - before[0]).max() > 20


def test_an_action_moves_the_hand_by_what_it_says(scene):
    start = scene.reset(seed=8)[0]["state"]
    state = scene.step(np.array([0.03, -0.03, 0.02, 0, 0, 0, 0]))[0]["state"]
    np.testing.assert_allclose(state[:3] - start[:3], [0.03, -0.03, 0.02], atol=0.008)


def test_exploring_stays_within_bounds_and_touches_the_cube(scene):
    scene.reset(seed=9)
    poses, rng = [scene.object_pose()], np.random.default_rng(0)
    for _, action in zip(range(60), scene.explore(rng), strict=False):
        assert np.all(np.abs(action) <= scene.action_max + 1e-6)
        scene.act(action)
        poses.append(scene.object_pose())
    moved_m = np.linalg.norm(np.ptp(np.array(poses)[:, :3], axis=0))
    assert (moved_m > 0.03) == ("object" in scene._env.sim._bodies_idx)


def test_a_push_askew_is_made_without_turning():
    pytest.importorskip("panda_gym")
    scene = load_adapter("jepa_planner_sim.panda_gym:Push")
    scene.reset(seed=3)
    before_m = scene.object_pose()[:2].astype(float)
    runner = ScriptedExpert(push_script(before_m + 0.06))
    while not runner.done:
        action = runner.act(scene.as_world)
        assert not action[3:6].any()
        scene.act(action)
        runner.update(scene.as_world)
    assert np.all(scene.object_pose()[:2] - before_m > 0.01)  # pushed that way, until it slides off
    scene.close()
