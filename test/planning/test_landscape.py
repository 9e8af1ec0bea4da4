import numpy as np
import pytest
import torch
from small_models import small_context, small_world_model

from jepa_planner.planning.energy import LastStepMse
from jepa_planner.planning.landscape import GridAxis, Landscape, grid_axis, sweep
from jepa_planner.planning.rollout_cost import WorldModelCost
from jepa_planner.planning.solvers.plan import NonFiniteEnergyError


class Slope:
    """Energies that tell where an action was: 100 per metre of x, 1 per metre of z, and never the same twice."""

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def energies(self, context, goal, actions):
        self.seen.append(actions)
        return 7.0 + 100.0 * actions[:, 0, 0] + actions[:, 0, 2]


def slope_over(*axes: GridAxis, cost: Slope | None = None, **options) -> Landscape:
    return sweep(cost or Slope(), small_context(1), torch.zeros(3, 4), 5.0, axes, **options)


def test_an_axis_is_symmetric_and_holds_no_action_at_its_middle():
    axis = grid_axis("z", 0.06, 13)
    assert axis.values[0] == -0.06 and axis.values[6] == 0.0 and axis.values[-1] == 0.06
    assert (axis.channel, axis.name, axis.unit) == (2, "z", "m")
    assert axis.step == pytest.approx(0.01)


@pytest.mark.parametrize(("closure", "ends"), [(0.0, (0.0, 0.75)), (0.4, (-0.4, 0.6)), (1.2, (-0.75, 0.0))])
def test_the_gripper_moves_only_as_far_as_it_can(closure, ends):
    axis = grid_axis("gripper", 0.75, 5, closure)
    assert (axis.values[0], axis.values[-1]) == pytest.approx(ends)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("w", 0.1, 5), "axis 'w' is unknown; known are x, y, z, roll, pitch, yaw, gripper"),
        (("x", 0.1, 2), "2 grid points given; at least 3"),
        (("x", 0.0, 5), "range of axis x is 0.0"),
        (("x", float("nan"), 5), "range of axis x is nan"),
    ],
)
def test_an_axis_that_makes_no_sense_is_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        grid_axis(*arguments)


def test_every_point_of_the_grid_has_the_energy_of_its_action():
    z, x = grid_axis("z", 0.4, 5), grid_axis("x", 0.2, 3)
    landscape = slope_over(z, x)
    expected = 7.0 + 100.0 * np.array(x.values)[None, :] + np.array(z.values)[:, None]
    np.testing.assert_allclose(landscape.energies, expected, rtol=1e-6)
    assert landscape.minimum_index == (0, 0)
    assert landscape.minimum == pytest.approx([-0.4, -0.2])
    assert (landscape.energy_now, landscape.energy_still) == (5.0, 7.0)


def test_one_axis_gives_a_curve():
    landscape = slope_over(grid_axis("x", 0.2, 9))
    assert landscape.energies.shape == (9,)
    assert landscape.minimum == pytest.approx([-0.2])


def test_all_other_axes_are_held_and_each_action_is_one_step():
    cost = Slope()
    slope_over(grid_axis("yaw", 0.2, 9), grid_axis("x", 0.2, 11), cost=cost)
    actions = torch.cat(cost.seen)
    assert actions.shape == (9 * 11 + 1, 1, 7)
    assert not actions[:, 0, [1, 2, 3, 4, 6]].any()
    assert actions[:, 0, 5].abs().max() == pytest.approx(0.2)


def test_progress_counts_every_action():
    done: list[int] = []
    slope_over(grid_axis("x", 0.2, 9), grid_axis("y", 0.2, 9), advance=done.append)
    assert sum(done) == 82 and len(done) > 1


def test_a_world_model_gives_the_energies_that_the_search_sees():
    model = small_world_model()
    cost, context, goal = WorldModelCost(model, LastStepMse()), small_context(1), torch.ones(3, 4)
    landscape = sweep(cost, context, goal, 0.0, [grid_axis("y", 0.06, 5)])
    action = torch.zeros(1, 1, 7)
    action[0, 0, 1] = 0.03
    assert landscape.energies[3] == pytest.approx(cost.energies(context, goal, action).item(), rel=1e-5)


@pytest.mark.parametrize("names", [(), ("x", "x"), ("x", "y", "z")])
def test_one_or_two_different_axes_are_needed(names):
    with pytest.raises(ValueError, match="expected one, or two different ones"):
        slope_over(*(grid_axis(name, 0.1, 3) for name in names))


def test_an_energy_that_is_not_a_number_is_refused():
    class Broken:
        def energies(self, context, goal, actions):
            return torch.where(actions[:, 0, 0] > 0.05, torch.nan, 1.0)

    with pytest.raises(NonFiniteEnergyError, match="1 of 4 energies"):
        sweep(Broken(), small_context(1), torch.zeros(3, 4), 5.0, [grid_axis("x", 0.1, 3)])
