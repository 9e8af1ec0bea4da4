import math

import pytest

from jepa_planner.learning.evaluation.statistics import percentile, wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (50, 100, 0.4038, 0.5962),
        (85, 100, 0.7672, 0.9069),
        (95, 100, 0.8882, 0.9785),
        (1, 1, 0.2065, 1.0),
    ],
)
def test_the_interval_is_that_of_the_tables(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_the_interval_holds_the_rate_and_stays_within_0_and_1():
    for trials in (1, 5, 40):
        for successes in range(trials + 1):
            low, high = wilson_interval(successes, trials)
            assert 0.0 <= low <= successes / trials <= high <= 1.0


def test_more_trials_narrow_the_interval():
    widths = [high - low for low, high in (wilson_interval(n * 8 // 10, n) for n in (10, 100, 1000))]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 5), (6, 5), (0, -3)])
def test_what_is_no_proportion_is_refused(successes, trials):
    with pytest.raises(ValueError, match=f"{successes} successes in {trials} trials is no proportion"):
        wilson_interval(successes, trials)


def test_percentiles_of_nothing_are_not_a_number():
    assert math.isnan(percentile([], 50))
    assert percentile([1.0, 2.0, 4.0], 50) == 2.0
    assert percentile([0.0, 10.0], 95) == pytest.approx(9.5)
