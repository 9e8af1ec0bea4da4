import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from small_models import CHANNELS, SLOTS, small_actions, small_context, small_predictor

from jepa_planner.core.context import Context
from jepa_planner.core.poses import apply_action
from jepa_planner.model.rollout.plain import moved, plain_forward, plain_rollout

PATCHES = {"slot_embedding": False, "residual": False, "output_norm": "layernorm", "grid": (1, SLOTS)}


@pytest.mark.parametrize("changes", [{}, PATCHES], ids=["slots", "patches"])
@pytest.mark.parametrize("steps", [1, 3])
def test_the_plain_predictor_equals_the_one_that_is_trained(changes, steps):
    predictor = small_predictor(**changes)
    generator = torch.Generator().manual_seed(0)
    shapes = (2, steps, SLOTS, CHANNELS), (2, steps, 7), (2, steps, 8)
    given = [torch.randn(shape, generator=generator) for shape in shapes]
    with torch.no_grad():
        assert torch.allclose(plain_forward(predictor, *given), predictor(*given), atol=1e-5)


def test_a_plain_rollout_feeds_predictions_back_one_candidate_like_another():
    predictor, context, actions = small_predictor(), small_context(2), small_actions(candidates=3, horizon=2)
    rollout = plain_rollout(predictor, context, actions)
    first = plain_rollout(predictor, context, actions[1:2, :1])[0, 0]
    longer = Context(
        torch.cat([context.latents, first[None]]),
        torch.cat([context.states, apply_action(context.states[-1], actions[1, 0])[None]]),
        torch.cat([context.actions, actions[1, :1]]),
    )
    assert torch.allclose(rollout[1, 0], first, atol=1e-6)
    assert torch.allclose(rollout[1, 1], plain_rollout(predictor, longer, actions[1:2, 1:])[0, 0], atol=1e-5)


def test_poses_move_as_in_the_batched_update():
    generator = torch.Generator().manual_seed(0)
    states, actions = torch.randn(20, 8, generator=generator), torch.randn(20, 7, generator=generator)
    one_by_one = torch.stack([moved(s, a) for s, a in zip(states, actions, strict=True)])
    together = apply_action(states, actions)
    assert torch.allclose(one_by_one[:, [0, 1, 2, 6, 7]], together[:, [0, 1, 2, 6, 7]], atol=1e-6)
    turns = [Rotation.from_euler("xyz", x[:, 3:6].numpy()).as_matrix() for x in (one_by_one, together)]
    assert np.allclose(*turns, atol=1e-5)
