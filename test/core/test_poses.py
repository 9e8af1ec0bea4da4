import math

import pytest
import torch

from jepa_planner.core.poses import (
    action_between,
    apply_action,
    roll_pitch_yaw,
    rollout_states,
    rotation_matrix,
    state_difference,
)


def state(xyz=(0.4, 0.0, 0.3), rpy=(0.0, 0.0, 0.0), closure=(0.0,)) -> torch.Tensor:
    return torch.tensor([*xyz, *rpy, *closure])


def test_yaw_turns_x_into_y():
    turned = rotation_matrix(torch.tensor([0.0, 0.0, math.pi / 2])) @ torch.tensor([1.0, 0.0, 0.0])
    assert torch.allclose(turned, torch.tensor([0.0, 1.0, 0.0]), atol=1e-6)


def test_roll_is_applied_before_yaw():
    turned = rotation_matrix(torch.tensor([math.pi / 2, 0.0, math.pi / 2])) @ torch.tensor([0.0, 1.0, 0.0])
    assert torch.allclose(turned, torch.tensor([0.0, 0.0, 1.0]), atol=1e-6)


def test_angles_survive_the_way_through_matrices():
    rpy = (torch.rand(200, 3, generator=torch.Generator().manual_seed(0)) - 0.5) * torch.tensor([6.2, 3.1, 6.2])
    assert torch.allclose(roll_pitch_yaw(rotation_matrix(rpy)), rpy, atol=1e-3)


@pytest.mark.parametrize("pitch", [math.pi / 2, -math.pi / 2])
def test_at_gimbal_lock_the_rotation_is_kept(pitch):
    matrix = rotation_matrix(torch.tensor([0.3, pitch, 0.8], dtype=torch.float64))
    assert torch.allclose(rotation_matrix(roll_pitch_yaw(matrix)), matrix, atol=1e-6)


def test_applying_the_difference_of_two_states_leads_from_one_to_the_other():
    start = state((0.4, 0.1, 0.3), (0.1, -0.2, 0.5), (0.2,))
    end = state((0.5, 0.0, 0.2), (-0.3, 0.2, 0.9), (0.9,))
    assert torch.allclose(apply_action(start, action_between(start, end)), end, atol=1e-6)


def test_a_turn_acts_in_the_base_frame():
    yawed = state(rpy=(0.0, 0.0, math.pi / 2))
    rolled = apply_action(yawed, torch.tensor([0.0, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0]))
    expected = rotation_matrix(torch.tensor([0.1, 0.0, 0.0])) @ rotation_matrix(yawed[3:6])
    assert torch.allclose(rotation_matrix(rolled[3:6]), expected, atol=1e-6)


@pytest.mark.parametrize(("change", "after"), [(0.9, 1.0), (-0.9, 0.0), (0.25, 0.75)])
def test_closure_is_clipped(change, after):
    action = torch.zeros(7)
    action[6] = change
    assert apply_action(state(closure=(0.5,)), action)[6] == after


def test_channels_beyond_the_pose_are_carried_unchanged():
    eight = state(closure=(0.5, 0.123))
    assert apply_action(eight, torch.full((7,), 0.1))[7] == eight[7]


def test_states_differ_the_short_way_round():
    one, other = torch.zeros(8), torch.zeros(8)
    one[:6], other[:6] = torch.tensor([4.0, 0, 0, math.pi, 0.1, -3.0]), torch.tensor([-1.0, 0, 0, -math.pi, 0.3, 3.0])
    expected = torch.tensor([5.0, 0, 0, 0, -0.2, 2 * math.pi - 6.0, 0, 0])
    assert torch.allclose(state_difference(one, other), expected, atol=1e-6)


def test_imagined_states_are_those_before_each_action():
    actions = torch.zeros(2, 3, 7)
    actions[1, :, 0] = 0.1
    states = rollout_states(state(), actions)
    assert states.shape == (2, 3, 7)
    assert torch.allclose(states[0, :, 0], torch.tensor([0.4, 0.4, 0.4]))
    assert torch.allclose(states[1, :, 0], torch.tensor([0.4, 0.5, 0.6]))
