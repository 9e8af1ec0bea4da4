import pytest

from jepa_planner.control.watchdog import Watchdog


def test_time_that_has_not_begun_is_named_rather_than_a_stamp_in_the_future():
    watchdog = Watchdog("image", 1.0)
    watchdog.feed(4.5)
    assert watchdog.complaint(0.0) == "simulated time has not begun: nothing came on /clock"


def test_nothing_yet_is_a_complaint():
    assert Watchdog("image", 1.0).complaint(0.0) == "no image yet"


def test_a_fresh_arrival_is_none():
    watchdog = Watchdog("image", 1.0)
    watchdog.feed(10.0)
    assert watchdog.complaint(11.0) == ""


def test_an_old_arrival_is_named_with_its_age_and_limit():
    watchdog = Watchdog("image", 1.0)
    watchdog.feed(10.0)
    assert watchdog.complaint(11.5) == "image is stale: 1.50 s old, limit 1.00 s"


@pytest.mark.parametrize("stamp_s", [10.0, 9.0, float("nan")])
def test_a_frozen_source_is_as_silent_as_none(stamp_s):
    watchdog = Watchdog("image", 1.0)
    watchdog.feed(10.0)
    assert not watchdog.feed(stamp_s)
    assert "stale" in watchdog.complaint(11.5)


def test_a_stamp_far_in_the_future_means_clocks_that_differ():
    watchdog = Watchdog("image", 1.0)
    watchdog.feed(20.0)
    assert "clocks" in watchdog.complaint(10.0)


def test_a_small_lead_of_another_clock_is_tolerated():
    watchdog = Watchdog("image", 1.0)
    watchdog.feed(10.05)
    assert watchdog.complaint(10.0) == ""


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("inf"), float("nan")])
def test_a_timeout_that_never_fires_is_refused(timeout_s):
    with pytest.raises(ValueError, match="expected a finite number above 0"):
        Watchdog("image", timeout_s)
