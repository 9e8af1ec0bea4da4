from dataclasses import replace

import pytest
import torch
from small_models import KEYPOINTS, small_keypoints

from jepa_planner.model.keypoints import KeypointConfig, SpatialSoftmaxKeypoints


def pictures(seed: int = 1, count: int = 3) -> torch.Tensor:
    return torch.randn(count, 2, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def test_each_view_gives_place_and_values_of_each_of_its_keypoints():
    seen = small_keypoints()(pictures(), pictures(2))
    assert seen.shape == (3, KEYPOINTS.features) == (3, 2 * 4 * (2 + 3))
    places = seen.unflatten(1, (2, -1))[..., : 4 * (2 + 3)].unflatten(-1, (4, 5))[..., :2]
    assert places.abs().max() <= 1.0


def test_a_keypoint_goes_where_the_thing_goes():
    keypoints, (still, moved) = small_keypoints(), torch.zeros(2, 1, 2, 3, 32, 32)
    still[..., 4:10, 4:10] = moved[..., 20:26, 20:26] = 5.0
    for view in keypoints.eyes:  # each keypoint looks at one place
        torch.nn.init.constant_(view.sharpness, 8.0)
    empty = torch.zeros_like(still)
    one, other = (keypoints(shown, empty).unflatten(1, (2, 4, 5))[0, ..., :2] for shown in (still, moved))
    assert (other - one).abs().max() > 0.2


@pytest.mark.parametrize("changed", [0, 1], ids=["now", "goal"])
def test_both_pictures_count(changed):
    given = [pictures(), pictures(2)]
    before = small_keypoints()(*given)
    given[changed] = given[changed] + pictures(3)
    assert (small_keypoints()(*given) - before).abs().max() > 1e-3


@pytest.mark.parametrize("view", [0, 1])
def test_of_a_view_that_is_not_there_nothing_is_invented(view):
    keypoints, now, goal = small_keypoints(), pictures(), pictures(2)
    alone = keypoints.of_views([view])
    both, lone = (seen.unflatten(1, (2, -1)) for seen in (keypoints(now, goal), alone(now[:, [view]], goal[:, [view]])))
    torch.testing.assert_close(lone[:, view], both[:, view])
    assert torch.equal(lone[:, 1 - view], keypoints.unseen[1 - view].expand(3, -1))
    with pytest.raises(ValueError, match=r"pictures are \[3, 2, 3, 32, 32\]; expected \['B', 1, 3, 'H', 'W'\]"):
        alone(now, goal)
    assert keypoints(now, goal).shape == (3, KEYPOINTS.features), "the keypoints themselves still want both"


@pytest.mark.parametrize(
    ("changes", "says"), [({"image_size": (42, 32)}, "multiples of 4"), ({"keypoints": 0}, "sizes of at least 1")]
)
def test_impossible_sizes_are_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        KeypointConfig(**{"image_size": (32, 32), "views": 2, **changes})


def test_keypoints_of_other_views_and_sizes_begin_with_those_that_are_alike():
    given = small_keypoints()
    other = SpatialSoftmaxKeypoints(replace(KEYPOINTS, views=3, image_size=(64, 64)))
    assert KEYPOINTS.is_alike(other.config) and not KEYPOINTS.is_alike(replace(KEYPOINTS, values=5))
    other.begin_with(given)
    for number, eye in enumerate(other.eyes):
        assert torch.equal(eye.where.weight, given.eyes[number % 2].where.weight)
        assert torch.equal(other.unseen[number], given.unseen[number % 2])
