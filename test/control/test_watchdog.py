import pytest

from jepa_planner.control.watchdog import LEAD_KEPT_S, SIMULATED_LEAD_TOLERANCE_S, Watchdog
from jepa_planner.core.status import Status, StatusCode


def fed(stamp_s: float, arrived_s: float, **changes) -> Watchdog:
    watchdog = Watchdog("image", 1.0, **changes)
    watchdog.feed(stamp_s, arrived_s)
    return watchdog


def test_time_that_has_not_begun_is_named_rather_than_a_stamp_that_is_ahead():
    assert fed(4.5, 0.0).status(0.0).text == "simulated time has not begun: nothing came on /clock"


def test_time_that_has_not_begun_is_named_rather_than_input_that_is_missing():
    assert Watchdog("joint state", 1.0).status(0.0).text == "simulated time has not begun: nothing came on /clock"


def test_nothing_yet_is_said():
    assert Watchdog("image", 1.0).status(1.0).text == "no image yet"


def test_a_reason_takes_the_place_of_nothing_yet_and_follows_on_silence():
    watchdog = Watchdog("image", 1.0)
    watchdog.explain(Status(StatusCode.UNUSABLE, "the lens is covered"))
    assert watchdog.status(9.0).text == "the lens is covered"
    watchdog.feed(10.0, 10.0)
    assert watchdog.status(10.5).text == ""
    assert watchdog.status(11.5).text == "image is stale: 1.50 s old, limit 1.00 s; the lens is covered"


def test_a_fresh_arrival_is_none():
    assert fed(10.0, 10.0).status(11.0).text == ""


def test_an_old_arrival_is_named_with_its_age_and_limit():
    assert fed(10.0, 10.0).status(11.5).text == "image is stale: 1.50 s old, limit 1.00 s"


@pytest.mark.parametrize("stamp_s", [10.0, 9.0, float("nan")])
def test_a_frozen_source_is_as_silent_as_none(stamp_s):
    watchdog = fed(10.0, 10.0)
    assert not watchdog.feed(stamp_s, 11.4)
    assert watchdog.status(11.5).text == "image is stale: 1.50 s old, limit 1.00 s"


@pytest.mark.parametrize("ahead_s", [0.0, 0.02, -0.02, -0.3, -0.99])
def test_age_counts_from_the_earlier_of_stamp_and_arrival(ahead_s):
    watchdog = fed(10.0 + ahead_s, 10.0)
    assert watchdog.status(10.99 + min(0.0, ahead_s)).text == ""
    assert "stale" in watchdog.status(11.01 + min(0.0, ahead_s)).text


@pytest.mark.parametrize("ahead_s", [0.05, 0.3, 0.99, 5.0])
def test_stamps_ahead_of_their_arrival_are_told_with_both_clocks(ahead_s):
    assert fed(10.0 + ahead_s, 10.0, reader="mpc_node").status(10.0).text == (
        f"image is stamped {ahead_s:.2f} s ahead of mpc_node's clock: the clocks of its source's computer and of "
        "mpc_node's differ; synchronise them (chrony, PTP)"
    )


def test_stamps_behind_are_named_as_late_or_of_a_clock_that_is_behind():
    status = fed(5.0, 10.0).status(10.0).text
    assert status.startswith("image is stale: 5.00 s old on arrival, limit 1.00 s: it comes late, or the clocks")


def test_a_source_that_falls_silent_is_not_taken_for_a_late_one():
    assert fed(10.0, 10.04).status(11.03).text == "image is stale: 1.03 s old, limit 1.00 s"


def test_input_that_is_steadily_late_though_not_too_late_is_remarked_on():
    watchdog = Watchdog("image", 1.0)
    for arrived_s in (10.0, 10.1, 10.2):
        watchdog.feed(arrived_s - 0.3, arrived_s)
    assert watchdog.status(10.2).text == ""
    remark = "image is at least 0.30 s old on arrival: it comes late, or the clocks"
    assert watchdog.delay_status().text.startswith(remark)
    watchdog.feed(10.29, 10.3)
    assert watchdog.delay_status().text == ""


def test_a_lead_is_remembered_while_late_messages_hide_it():
    watchdog = fed(10.3, 10.0)
    watchdog.feed(10.35, 10.34)
    assert "ahead" in watchdog.status(10.34).text
    watchdog.feed(10.3 + LEAD_KEPT_S, 10.3 + LEAD_KEPT_S)
    assert watchdog.status(10.3 + LEAD_KEPT_S).text == ""


def test_a_copy_of_simulated_time_may_lag_behind_what_is_stamped_with_it():
    assert fed(10.3, 10.0, lead_tolerance_s=SIMULATED_LEAD_TOLERANCE_S).status(10.0).text == ""


@pytest.mark.parametrize(("stamp_s", "arrived_s"), [(1.8e9, 12.0), (12.0, 1.8e9)])
def test_simulated_beside_real_time_is_named(stamp_s, arrived_s):
    assert "set use_sim_time for all nodes or for none" in fed(stamp_s, arrived_s).status(arrived_s).text


def test_a_source_without_time_stamps_is_named():
    assert "leaves header.stamp at zero" in fed(0.0, 10.0).status(10.0).text


def test_a_source_whose_clock_is_set_right_is_believed_again():
    watchdog = fed(15.0, 10.0)
    assert watchdog.feed(13.0, 13.0)
    assert watchdog.status(13.0).text == ""


def test_a_clock_of_its_own_that_was_set_back_is_named():
    assert "this node's clock was set back" in fed(10.0, 10.0).status(8.0).text


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("inf"), float("nan")])
def test_a_timeout_that_never_fires_is_refused(timeout_s):
    with pytest.raises(ValueError, match="expected a finite number above 0"):
        Watchdog("image", timeout_s)
