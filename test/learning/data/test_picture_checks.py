"""What a camera can do wrong, in pictures that show the arm where the states say it is."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tiny_training import episodes

from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.picture_checks import check_pictures
from jepa_planner.learning.data.picture_measures import exchanged

SOUND = episodes(count=6, steps=12)
SOUND.images[:, :, 1] //= 2  # the second camera has a darker background


def pictures(change: Callable[[np.ndarray], object], of: Episodes = SOUND) -> Episodes:
    images = of.images.copy()
    change(images)
    return replace(of, images=images)


def black(images: np.ndarray) -> None:
    images[:] = 0


def grey_side(images: np.ndarray) -> None:
    images[:, :, 1] = 90


def black_first(images: np.ndarray) -> None:
    images[2:, 0] = 0


def frozen(images: np.ndarray) -> None:
    images[:] = images[:, :1]


def frozen_once(images: np.ndarray) -> None:
    images[3, :, 0] = images[3, :1, 0]


def the_same_at_times(images: np.ndarray) -> None:
    images[:, 5, 0] = images[:, 4, 0]


def doubled(images: np.ndarray) -> None:
    images[:, :, 1] = images[:, :, 0]


def exchanged_within(images: np.ndarray) -> None:
    images[4, 7:] = images[4, 7:, ::-1].copy()


def exchanged_from(images: np.ndarray) -> None:
    images[4:] = images[4:, :, ::-1].copy()


def test_nothing_is_found_in_sound_pictures():
    assert list(check_pictures(SOUND)) == []


def test_a_table_that_looks_the_same_from_two_places_now_and_then_is_sound():
    assert list(check_pictures(pictures(the_same_at_times))) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (black, "view front: 78 of 78 pictures are black, expected 0: was the camera on?"),
        (grey_side, "view side: 78 of 78 pictures are of one colour (90 of 255), expected 0: was the camera on?"),
        (frozen, "view front: the picture stays the same in "),
        (doubled, "views front and side show the same pictures, expected two cameras"),
        (exchanged_within, "views front and side change places 1 times within episodes, first in episode 4 after"),
    ],
)
def test_pictures_that_are_surely_wrong_are_refused_by_view(change, says):
    found = list(check_pictures(pictures(change)))
    assert [finding for finding in found if finding.certain and finding.says.startswith(says)], found


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (black_first, "view front: 4 of 78 pictures are black, expected 0: was the camera on? the first is frame 0"),
        (frozen_once, "view front: the picture stays the same in 12 of "),
    ],
)
def test_some_pictures_that_are_wrong_are_named(change, says):
    found = list(check_pictures(pictures(change)))
    assert [finding for finding in found if not finding.certain and finding.says.startswith(says)], found
    assert not any(finding.certain for finding in found)


def plain_table(*arms: slice) -> np.ndarray:
    """Two views [2, 16, 16, 3] of a plain table, in each of which an arm covers some rows."""
    views = np.full((2, 16, 16, 3), 100.0, np.float32)
    for view, rows in zip(views, arms, strict=True):
        view[rows] = 200.0
    return views


def test_an_arm_that_makes_one_view_like_the_other_was_exchanges_none():
    before, after = plain_table(slice(0, 8), slice(0, 6)), plain_table(slice(12, 16), slice(0, 8))
    assert not exchanged(before, after)
    assert exchanged(before, before[::-1])


def test_episodes_in_which_cameras_have_changed_places_are_named():
    found = list(check_pictures(pictures(exchanged_from)))
    assert [finding.says for finding in found] == [
        "views front and side seem to have changed places in 2 of 6 episodes, the first is 4, expected in none"
    ]


@pytest.mark.parametrize(("lag", "says"), [(1, "pictures are 1 step behind the"), (-1, "pictures are 1 step ahead of")])
def test_pictures_of_another_moment_are_noticed(lag, says):
    still = SOUND.states.copy()
    pauses = np.random.default_rng(0).random(still.shape[:2]) < 0.5
    images = SOUND.images.copy()
    for episode, step in np.argwhere(pauses[:, 1:]):
        still[episode, step + 1] = still[episode, step]
        images[episode, step + 1] = images[episode, step]
    some = replace(SOUND, states=still, images=images)
    assert list(check_pictures(some)) == []
    moved = replace(some, images=np.roll(images, lag, axis=1))
    assert [finding.says for finding in check_pictures(moved) if finding.says.startswith(says)]
