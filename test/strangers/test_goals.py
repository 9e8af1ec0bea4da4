"""Goals that somebody shows at the cell: what is drawn, shown and judged; no ROS runs."""

import numpy as np
import pytest

from studies.ur5e_goals.tasks import TASKS, draw

CUBE_M = 0.045


@pytest.mark.parametrize("task", TASKS)
def test_what_is_shown_has_each_picture_that_the_planner_may_be_given(task):
    scene = draw(task, np.random.default_rng(1))
    shown = [move.name for move in scene.moves()]
    for kind in ("one", "dense", str(len(TASKS[task].few))):
        names = scene.names(kind)
        assert set(names) <= set(shown)
        assert sorted(names, key=shown.index) == list(names), "in the order in which they are taken"
    with pytest.raises(ValueError, match="goal images are 'one', 'dense' or"):
        scene.names("17")


def test_a_cube_that_moves_or_lies_elsewhere_or_hangs_in_the_air_is_not_placed():
    scene = draw("pick_place", np.random.default_rng(2))
    there = np.array((0.5, 0.0, CUBE_M / 2))
    still = np.tile(there, (20, 1))
    assert scene.holds(scene.tool_m, still, there)
    assert not scene.holds(scene.tool_m, np.add(still, (0.04, 0.0, 0.0)), there)
    assert not scene.holds(scene.tool_m, np.add(still, (0.0, 0.0, 0.05)), there)
    assert not scene.holds(scene.tool_m, still + np.linspace(0.0, 0.01, 20)[:, None] * (1, 0, 0), there)


def test_a_grasp_holds_for_the_whole_second_and_a_reach_is_about_the_tool():
    grasp, reach = (draw(task, np.random.default_rng(3)) for task in ("grasp", "reach"))
    up = np.tile((0.5, 0.0, 0.12), (20, 1))
    assert grasp.holds(grasp.tool_m, up, up[0])
    up[-1, 2] = CUBE_M / 2
    assert not grasp.holds(grasp.tool_m, up, up[0])
    assert reach.holds(reach.goal_m + 0.01, up, up[0]) and not reach.holds(reach.goal_m + 0.02, up, up[0])
