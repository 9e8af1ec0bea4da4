from dataclasses import replace

import numpy as np
import pytest
from tiny_training import episodes

from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.unseen_motion import check_sees_the_arm, without_blind_views


def watched(unseen_share: float = 0.0, noise: float = 4.0) -> Episodes:
    """An arm that goes to and fro before two cameras, out of the second one's sight for a share of the steps."""
    some = episodes(count=8, steps=20)
    states, images = some.states.copy(), np.full_like(some.images, 100)
    places = np.arange(states.shape[1]) % 5
    states[..., 0] = 0.4 + 0.02 * places
    for frame, place in enumerate(places):
        images[:, frame, :, 4:8, 2 + 3 * place : 5 + 3 * place] = 20
    images[:, : round(unseen_share * states.shape[1]) + 1, 1] = 100
    spread = np.random.default_rng(0).normal(0.0, noise, images.shape)
    return replace(some, states=states, images=(images + spread).clip(0, 255).astype(np.uint8))


def test_cameras_that_see_the_arm_move_are_good():
    assert list(check_sees_the_arm(watched())) == []


@pytest.mark.parametrize("noise", [0.0, 4.0])
def test_a_camera_that_misses_more_than_a_tenth_of_the_motion_is_refused_by_its_name(noise):
    (finding,) = check_sees_the_arm(watched(0.3, noise))
    assert finding.certain and "view side: in 30% of the steps" in finding.says


def test_an_arm_that_rests_need_not_be_seen():
    still = watched(1.0)
    still.states[..., :3] = 0.4
    assert list(check_sees_the_arm(still)) == []


def test_a_view_that_hardly_ever_sees_the_arm_is_left_out_and_that_is_said(capsys):
    seen = without_blind_views(watched(0.8))
    assert seen.views == ("front",)
    np.testing.assert_array_equal(seen.images[:, :, 0], watched(0.8).images[:, :, 0])
    assert "view side is left out: it misses 85% of the arm's motion" in capsys.readouterr().err


@pytest.mark.parametrize("unseen_share", [0.0, 0.3])
def test_views_that_see_some_of_the_work_are_kept(unseen_share, capsys):
    assert without_blind_views(watched(unseen_share)).views == ("front", "side")
    assert capsys.readouterr().err == ""
