"""Cameras whose rate goes with the model's steps, and others."""

import numpy as np
import pytest

from jepa_planner.learning.data.inspection.judgement import Level
from jepa_planner.learning.data.inspection.step_evenness import judge_evenness


def judged(picture_hz: float, time_step_s: float = 0.25, seconds: float = 12.0):
    rng = np.random.default_rng(0)
    bags = [np.arange(0.0, seconds, 1.0 / picture_hz) for _ in range(3)]
    trembling = [((times_s + rng.uniform(-0.002, 0.002, len(times_s))) * 1e9).astype(np.int64) for times_s in bags]
    (judgement,) = judge_evenness({"front": trembling}, time_step_s)
    return judgement


@pytest.mark.parametrize("picture_hz", [4.0, 8.0, 10.0, 12.0, 15.0, 30.0, 60.0])
def test_a_rate_that_is_a_multiple_of_the_steps_or_high_is_good(picture_hz):
    judgement = judged(picture_hz)
    assert judgement.level is Level.GOOD and f"{picture_hz:.1f} pictures a second" in judgement.says


@pytest.mark.parametrize(("picture_hz", "says"), [(6.0, "0.167 to 0.333 s apart"), (2.0, "0.000 to 0.500 s apart")])
def test_steps_that_are_long_and_short_by_turns_are_warned_of_with_what_to_set(picture_hz, says):
    judgement = judged(picture_hz)
    assert judgement.level is Level.WARNING and says in judgement.says
    assert "set the camera to a multiple of 4 Hz, or to 16 Hz or more" in judgement.advice


def test_the_time_of_a_step_decides():
    assert judged(10.0, time_step_s=0.2).level is Level.GOOD
    assert judged(10.0, time_step_s=0.15).level is Level.WARNING


def test_a_view_without_two_pictures_is_not_judged():
    assert list(judge_evenness({"front": [np.array([5]), np.zeros(0, np.int64)]}, 0.25)) == []
