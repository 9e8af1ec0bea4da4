import math

import pytest
import torch

from jepa_planner.core.arm_layout import GRIPPER
from jepa_planner.planning.action_space import ActionSpace

BOUNDS = (0.1, 0.1, 0.1, 0.0, 0.0, 0.0, 0.75)


def test_actions_are_clipped_per_axis_and_held_axes_stay_at_zero():
    clipped = ActionSpace(BOUNDS).clip(torch.tensor([[9.0, -9.0, 0.05, 9.0, -9.0, 0.0, -9.0]]))
    assert torch.allclose(clipped, torch.tensor([[0.1, -0.1, 0.05, 0.0, 0.0, 0.0, -0.75]]))


def test_only_free_axes_are_searched():
    space = ActionSpace(BOUNDS, initial_std=(1.0,) * 7)
    assert space.free_axes == [0, 1, 2, 6]
    assert space.std.tolist() == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0]


def test_the_spread_is_the_bound_unless_given():
    assert torch.allclose(ActionSpace(BOUNDS).std, torch.tensor(BOUNDS))


@pytest.mark.parametrize(("change", "after"), [(0.24, 0.0), (-0.24, 0.0), (0.3, 0.3), (-0.3, -0.3), (5.0, 0.75)])
def test_small_gripper_changes_fall_into_the_dead_band(change, after):
    actions = torch.zeros(2, 7)
    actions[1, 6] = change
    assert ActionSpace(BOUNDS, gripper_deadband=0.25).finish(actions)[1, 6].item() == pytest.approx(after)


def test_the_dead_band_leaves_the_arm_and_the_input_alone():
    actions = torch.full((1, 7), 0.05)
    finished = ActionSpace(BOUNDS, gripper_deadband=0.25).finish(actions)
    assert torch.allclose(finished[0, :3], actions[0, :3])
    assert actions[0, 6] == 0.05


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"max_abs": (0.1,) * 6}, "max_abs"),
        ({"max_abs": (0.1,) * 6 + (-1.0,)}, "max_abs"),
        ({"max_abs": (0.1,) * 6 + (math.nan,)}, "max_abs"),
        ({"max_abs": (0.0,) * 7}, "nothing is left to plan"),
        ({"max_abs": BOUNDS, "initial_std": (0.1,)}, "initial_std"),
        ({"max_abs": BOUNDS, "initial_std": (0, 0, 0, 0.1, 0.1, 0.1, 0)}, "candidates would be the same"),
        ({"max_abs": BOUNDS, "gripper_deadband": -0.1}, "gripper_deadband"),
    ],
)
def test_impossible_bounds_are_refused_by_name(given, name):
    with pytest.raises(ValueError, match=name):
        ActionSpace(**given)


def test_an_open_gripper_cannot_open_further_and_a_closed_one_cannot_close():
    actions = torch.zeros(2, 3, 7)
    actions[0, :, GRIPPER] = torch.tensor([-0.8, 0.6, 0.9])
    actions[1, :, GRIPPER] = torch.tensor([0.3, 0.3, -1.0])
    happened = ActionSpace(BOUNDS).executable(actions, torch.tensor(0.0))[..., GRIPPER]
    torch.testing.assert_close(happened, torch.tensor([[0.0, 0.6, 0.4], [0.3, 0.3, -0.6]]))
    assert actions[0, 0, GRIPPER] == -0.8, "the given actions are left as they are"


def test_saturation_leaves_the_arm_axes_alone():
    actions = torch.randn(4, 2, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        ActionSpace(BOUNDS).executable(actions, torch.tensor(0.5))[..., :GRIPPER],
        actions[..., :GRIPPER],
        rtol=0,
        atol=0,
    )


def test_with_full_strokes_every_change_of_the_gripper_is_one_to_fully_open_or_closed():
    space = ActionSpace((*BOUNDS[:6], 1.0), gripper_deadband=0.5, gripper_full_strokes=True)
    actions = torch.zeros(3, 3, 7)
    actions[0, :, GRIPPER] = torch.tensor([0.6, 0.0, -0.7])
    actions[1, :, GRIPPER] = torch.tensor([0.4, -0.6, 0.6])  # the first is within the dead band
    actions[2, :, GRIPPER] = torch.tensor([0.0, 0.2, -0.2])
    happened = space.executable(space.finish(actions), torch.tensor(0.3))[..., GRIPPER]
    torch.testing.assert_close(happened, torch.tensor([[0.7, 0.0, -1.0], [0.0, -0.3, 1.0], [0.0, 0.0, 0.0]]))


def test_full_strokes_need_bounds_that_allow_them():
    with pytest.raises(ValueError, match="gripper_full_strokes"):
        ActionSpace(BOUNDS, gripper_full_strokes=True)
