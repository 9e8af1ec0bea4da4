"""Cameras that are mixed up are told by where their pictures show the arm.

Of 100 pick_place scenes (seeds from 1000000), each at 8 moments of the expert's way: those in which it is told by the
third moment, and, in brackets, in which the monitor of single pictures tells it at the first.

| what | panda-tabletop | panda-varied |
|---|---|---|
| nothing | 0 (0) | 0 (0) |
| front and side swapped | 98 (13) | 93 (12) |
| front turned by 90, 180, 270 | 100, 100, 100 (98, 91, 92) | 92, 98, 97 (18, 24, 36) |
| side turned by 90, 180, 270 | 100, 100, 100 (98, 91, 92) | 100, 100, 100 (15, 1, 0) |
| front mirrored | 100 (86) | 83 (32) |
| side mirrored | 100 (56) | 81 (4) |

`test/soak/test_mixups_of_scenes.py` tries some of them anew.
"""

import numpy as np
import pytest
import torch

from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.model.view_mixups import MixupCheck

VIEWS = ("front", "side")
LIMIT_M = 0.2
SIDE_PX = 64
SHOWN = LatentStatistics(torch.zeros(3), torch.eye(3), torch.eye(3), torch.zeros(3), -torch.ones(3), torch.ones(3))
"""Latents are the place of the tcp themselves."""
PLACES_M = [np.array(place) for place in ([0.4, 0.1, 0.2], [0.6, 0.2, 0.3], [0.5, 0.3, 0.15], [0.45, 0.15, 0.35])]


def pictures(tcp_m: np.ndarray) -> np.ndarray:
    """A bright spot: x across and y down in front, y across and z down from the side."""
    views = np.zeros((2, SIDE_PX, SIDE_PX, 3), np.uint8)
    for view, (across, down) in zip(views, ((0, 1), (1, 2)), strict=True):
        view[round(tcp_m[down] * SIDE_PX), round(tcp_m[across] * SIDE_PX)] = 255
    return views


def encode(batch: np.ndarray) -> torch.Tensor:
    """What a model does that has learned from such pictures."""
    places = []
    for front, side in batch:
        (y, x), (z, _) = (np.argwhere(view[..., 0])[0] / SIDE_PX for view in (front, side))
        places.append([[x, y, z]])
    return torch.tensor(places, dtype=torch.float32)


def told(change, places_m=PLACES_M, limit_m: float = LIMIT_M, offset_m=(0.0, 0.0, 0.0)) -> list[str]:
    """What is said moment by moment of pictures that are changed."""
    check = MixupCheck(VIEWS, encode, SHOWN, limit_m)
    changed = [change(pictures(place)) for place in places_m]
    return [
        check.judge(seen, encode(seen[None])[0], place + np.array(offset_m))
        for seen, place in zip(changed, places_m, strict=True)
    ]


def of_side(change):
    return lambda views: np.stack([views[0], change(views[1])])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda views: views[::-1], "front and side look swapped: the arm is shown 0."),
        (of_side(lambda picture: np.rot90(picture)), "side looks turned; encoder_node's rotation 90 more would undo"),
        (of_side(lambda picture: np.rot90(picture, 2)), "side looks turned; encoder_node's rotation 180 more"),
        (lambda views: np.stack([np.rot90(views[0], -1), views[1]]), "front looks turned; encoder_node's rotation 270"),
        (lambda views: np.stack([views[0][:, ::-1], views[1]]), "front looks mirrored"),
    ],
    ids=["swapped", "side 90", "side 180", "front 270", "mirrored"],
)
@pytest.mark.parametrize("limit_m", [0.05, 0.4])
def test_what_is_mixed_up_is_told_within_two_moments(change, words, limit_m):
    said = told(change, limit_m=limit_m)
    assert said[1].startswith(words) or said[2].startswith(words)
    assert all(text == "" or text.startswith(words) for text in said)


@pytest.mark.parametrize("offset_m", [(0.0, 0.0, 0.0), (0.04, 0.0, 0.0), (0.0, 0.08, 0.08), (0.3, 0.3, 0.3)])
def test_views_that_are_as_they_should_be_are_let_alone_though_joints_or_cameras_are_a_little_off(offset_m):
    assert told(lambda views: views, offset_m=offset_m) == [""] * 4


def test_one_moment_alone_is_not_believed_unless_the_pictures_are_of_no_use_anyhow():
    turned = of_side(lambda picture: np.rot90(picture, 2))
    assert told(turned, PLACES_M[:1], limit_m=0.9) == [""]
    assert told(turned, PLACES_M[:1], limit_m=0.1) != [""]


def test_after_the_cameras_were_set_right_nothing_is_told():
    check = MixupCheck(VIEWS, encode, SHOWN, 0.05)
    for place in PLACES_M:
        swapped = pictures(place)[::-1]
        assert check.judge(swapped, encode(swapped[None])[0], place)
    for place in PLACES_M:
        assert check.judge(pictures(place), encode(pictures(place)[None])[0], place) == ""
