"""Blocks hide as much in each clip, and blocks they are."""

import pytest
import torch

from jepa_planner.learning.training.dense.masks import MaskSettings, hidden_first

GRID = (12, 16)


def orders(seed: int = 0, **changes: float) -> tuple[torch.Tensor, int]:
    return hidden_first(20, GRID, MaskSettings(**changes), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("share", [0.3, 0.75, 0.9])
def test_each_clip_has_each_patch_once_and_as_many_are_hidden(share):
    order, hidden = orders(hidden_share=share)
    assert hidden == round(share * 12 * 16)
    assert torch.equal(order.sort(dim=1).values, torch.arange(12 * 16).expand(20, -1))


def test_what_is_hidden_hangs_together_and_differs_from_clip_to_clip():
    order, hidden = orders()
    shown = torch.zeros(20, 12 * 16, dtype=torch.bool).scatter(1, order[:, :hidden], True).view(20, *GRID)
    alike = (shown[:, :, 1:] == shown[:, :, :-1]).float().mean()
    assert alike > 0.8  # 0.63 where each patch is hidden by itself
    assert len({tuple(mask.flatten().tolist()) for mask in shown}) == 20


def test_the_same_seed_hides_the_same():
    assert torch.equal(orders(3)[0], orders(3)[0]) and not torch.equal(orders(3)[0], orders(4)[0])
