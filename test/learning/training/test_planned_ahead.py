import pytest
from small_planner import small_planner

from jepa_planner.learning.training.planned_ahead import planned_ahead, steps_worth_imagining
from jepa_planner.learning.training.recipe import SHIPPED_PLANNING

COPIED = [0.1, 0.3, 0.5, 0.7]


def errors(things: list[float], arm: list[float]) -> dict[str, list[float]]:
    return {"object_moves": things, "object_moves_copy": COPIED, "arm_only": arm, "arm_only_copy": COPIED}


@pytest.mark.parametrize(
    ("things", "arm", "steps"),
    [
        ([0.01, 0.02, 0.03, 0.04], [0.01, 0.02, 0.03, 0.04], 4),
        ([0.02, 0.08, 0.30, 0.80], [0.01, 0.02, 0.03, 0.04], 2),
        ([0.01, 0.02, 0.03, 0.04], [0.07, 0.07, 0.07, 0.07], 4),
        ([0.2, 0.4, 0.6, 0.8], [0.01, 0.02, 0.03, 0.04], 1),
    ],
)
def test_steps_are_worth_imagining_while_they_beat_copies_where_the_arm_moves_and_where_things_do(things, arm, steps):
    assert steps_worth_imagining(errors(things, arm)) == steps


def test_what_no_held_out_episode_shows_says_nothing():
    shown = errors([0.0] * 4, [0.01, 0.02, 0.4, 0.8]) | {"object_moves_copy": [0.0] * 4}
    assert steps_worth_imagining(shown) == 2


def test_horizons_of_all_solvers_get_shorter_and_never_longer():
    good, bad = (planned_ahead(SHIPPED_PLANNING, errors(each, each)) for each in ([0.01] * 4, [0.2, 0.4, 0.6, 0.8]))
    assert good == SHIPPED_PLANNING
    assert (bad.cem.horizon, bad.mppi and bad.mppi.horizon, bad.icem) == (1, 1, None)
    assert planned_ahead(small_planner(), errors([0.01] * 4, [0.01] * 4)) == small_planner()
