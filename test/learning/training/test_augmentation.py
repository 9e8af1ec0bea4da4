import pytest
import torch

from jepa_planner.learning.training.augmentation import augment


@pytest.fixture
def pixels() -> torch.Tensor:
    """Two scenes of three windows of two frames and two views, each picture its own."""
    return torch.rand(6, 2, 2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_all_frames_of_a_scene_are_changed_alike_and_scenes_apart(pixels):
    same = pixels[:1, :1].expand_as(pixels)
    changed = augment(same, 3, torch.Generator().manual_seed(1))
    assert changed.shape == pixels.shape
    for scene in changed.unflatten(0, (2, 3)):
        torch.testing.assert_close(scene, scene[:1, :1].expand_as(scene))
    assert (changed[0] - changed[3]).abs().mean() > 0.05
    assert (changed[0] - same[0]).abs().mean() > 0.05


def test_what_a_picture_shows_is_drawn_into_no_other(pixels):
    alone = augment(pixels, 3, torch.Generator().manual_seed(2))
    other = pixels.clone()
    other[4, 1, 1] = 0.0
    beside = augment(other, 3, torch.Generator().manual_seed(2))
    differs = (alone - beside).abs().flatten(3).amax(3) > 0
    assert differs[4, 1, 1] and differs.sum() == 1


def test_the_same_generator_draws_the_same_change(pixels):
    one, again = (augment(pixels, 2, torch.Generator().manual_seed(3)) for _ in range(2))
    torch.testing.assert_close(one, again)


def test_a_thing_moves_by_less_than_a_fifth_of_the_picture():
    spot = torch.zeros(40, 1, 1, 3, 64, 64)
    spot[..., 30:34, 30:34] = 1.0
    changed = augment(spot, 1, torch.Generator().manual_seed(4)).mean((1, 2, 3))
    brightest = (changed - changed[:, :1, :1]).abs().flatten(1).argmax(1)
    rows, columns = brightest // 64, brightest % 64
    assert (rows - 32).abs().max() < 13 and (columns - 32).abs().max() < 13
    assert len(set(brightest.tolist())) > 20
