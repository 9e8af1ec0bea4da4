import math

import pytest
from batches import BATCH, FRAMES, gaussian, loss

from jepa_planner.learning.training.objectives.info_nce import InfoNce

FRAMES_TO_TELL_APART = BATCH * (FRAMES - 1)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_latents_all_alike_score_the_logarithm_of_their_number(value):
    alike = 0.0 * gaussian() + value
    assert loss(InfoNce(), alike) == pytest.approx(math.log(FRAMES_TO_TELL_APART), rel=1e-4)


def test_a_perfect_prediction_of_latents_far_apart_scores_nothing():
    assert loss(InfoNce(), 5.0 * gaussian()) < 1e-4


def test_predicting_another_frame_scores_worse_than_guessing():
    wrong = gaussian()[:, 1:].roll(1, dims=0)
    assert loss(InfoNce(), gaussian(), wrong) > math.log(FRAMES_TO_TELL_APART)


def test_frames_of_the_same_window_are_told_apart_too():
    still = 5.0 * gaussian()[:, :1].expand(-1, FRAMES, -1)
    assert loss(InfoNce(), still) == pytest.approx(math.log(FRAMES - 1), rel=1e-3)
