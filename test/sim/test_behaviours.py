"""What arms do while episodes are collected: by their shares, within bounds, and with or without mistakes."""

from dataclasses import replace

import numpy as np
import pytest

from jepa_planner_sim.arm_driver import ACTION_MAX, UPRIGHT_ACTION_MAX, ArmDriver
from jepa_planner_sim.behaviours import EMPTY_M, MIXES, _push_goal, _to_mend, behave
from jepa_planner_sim.out_of_reach import BEYOND_M, GONE_SHARE, put_out_of_reach
from jepa_planner_sim.scene import OBJECT_REGION_MAX_M, OBJECT_REGION_MIN_M, Scene
from jepa_planner_sim.tasks import push_fits
from jepa_planner_sim.world import World

EXPLORATION, DEMONSTRATION = MIXES["exploration"], MIXES["demonstration"]


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


def test_placements_are_taken_and_none_is_pushed_also_close_to_the_end_of_the_workspace(world):
    mix = MIXES["placement"]
    assert "push" not in dict(mix.shares)
    low, high = (np.array(corner)[:2] for corner in (world.limits.workspace_min_m, world.limits.workspace_max_m))
    assert np.all(OBJECT_REGION_MIN_M - mix.beyond_m > low) and np.all(OBJECT_REGION_MAX_M + mix.beyond_m < high)


def test_what_is_out_of_reach_lies_beyond_one_side_of_the_box_or_nowhere(world):
    low, high = (np.array(corner)[:2] for corner in (world.limits.workspace_min_m, world.limits.workspace_max_m))
    rng, gone = np.random.default_rng(0), 0
    for _ in range(60):
        world.build(Scene())
        put_out_of_reach(world, rng)
        place_m = world.object_pose()[0]
        gone += place_m[2] < -1.0
        beyond_m = np.maximum(low - place_m[:2], place_m[:2] - high).max()
        assert place_m[2] < -1.0 or BEYOND_M[0] - 1e-6 <= beyond_m <= BEYOND_M[1] + 1e-6
    assert gone / 60 == pytest.approx(GONE_SHARE, abs=0.15)


def first_script(world: World, mix, seed: int, behaviour: str = "place", steps: int = 16):
    """Tcp [T+1, 3], commanded closure [T+1] and object poses [T+1, 4] of one behaviour in the plain scene."""
    world.build(Scene())
    driver = ArmDriver(world)
    driver.place_tcp(np.array([0.40, -0.10, 0.20]))
    rows = [(world.tcp_pose()[0], world.closure_commanded, world.object_pose()[0])]
    running = behave(world, np.random.default_rng(seed), behaviour, mix, UPRIGHT_ACTION_MAX)
    for _, action in zip(range(steps), running, strict=False):
        driver.execute(action)
        rows.append((world.tcp_pose()[0], world.closure_commanded, world.object_pose()[0]))
    return tuple(np.array(part) for part in zip(*rows, strict=True))


def test_a_feint_grasps_carries_and_lets_go_where_nothing_lies(world):
    feint = replace(MIXES["feints"], noise_levels_m=(0.0,), burst_chance=0.0, feint_share=1.0)
    tcp, closed, object_m = first_script(world, feint, 4)
    grasp = int(np.argmax(closed > 0.5))
    assert tcp[grasp][2] < 0.04
    assert np.linalg.norm((tcp[grasp] - object_m[grasp])[:2]) >= EMPTY_M - 0.01
    assert closed.max() > 0.5 > closed[-1], "it lets go of what it never had"
    np.testing.assert_allclose(object_m, np.broadcast_to(object_m[0], object_m.shape), atol=1e-3)


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


def test_an_unknown_behaviour_is_named_with_the_known_ones(world):
    with pytest.raises(ValueError, match="unknown behaviour 'dance'; known are place, push, grasp, reach, random"):
        next(behave(world, np.random.default_rng(0), "dance", EXPLORATION, ACTION_MAX))
