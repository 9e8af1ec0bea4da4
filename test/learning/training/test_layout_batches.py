from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_training import episodes

from jepa_planner.learning.data.episodes import EpisodeError, Episodes
from jepa_planner.learning.training.layout_batches import LayoutBatches

MOTIONS = np.array([8, 3, 8, 3, 8, 5, 5])


def layouts(motions: np.ndarray = MOTIONS) -> Episodes:
    """Every picture shows its episode's number, and its own in it."""
    some = episodes(len(motions), 3)
    images = np.zeros_like(some.images)
    images[..., 0] = np.arange(len(motions))[:, None, None, None, None]
    images[..., 1] = np.arange(4)[None, :, None, None, None]
    return replace(some, images=images, actions=np.zeros_like(some.actions), motions=motions)


def test_a_scene_is_shown_by_two_different_variants_with_the_same_layouts_in_the_same_order():
    batches = LayoutBatches(layouts(), scenes=4, seed=0)
    drawn = torch.cat([batches.draw(iteration) for iteration in range(20)])
    assert drawn.shape[:3] == (80, 2, 4)
    variant, layout = drawn[..., 0, 0, 0, 0], drawn[..., 0, 0, 0, 1]
    assert (layout == torch.arange(4)).all()
    assert (variant[:, 0] != variant[:, 1]).all()
    shown = torch.from_numpy(MOTIONS)[variant[:, :, 0].long()]
    assert torch.equal(shown[:, 0], shown[:, 1]) and set(shown.flatten().tolist()) == {3, 5, 8}


def test_the_same_iteration_draws_the_same():
    batches = LayoutBatches(layouts(), scenes=4, seed=0)
    assert torch.equal(batches.draw(3), batches.draw(3)) and not torch.equal(batches.draw(3), batches.draw(4))


def test_episodes_in_which_something_acts_are_refused():
    acting = replace(layouts(), actions=np.ones((len(MOTIONS), 3, 7), np.float32))
    with pytest.raises(EpisodeError, match="no layouts, the arm acts in them"):
        LayoutBatches(acting, 2, 0)


def test_a_scene_with_a_single_variant_is_refused():
    with pytest.raises(EpisodeError, match="fewer than 2 variants of each"):
        LayoutBatches(layouts(np.array([1, 1, 2])), 2, 0)
