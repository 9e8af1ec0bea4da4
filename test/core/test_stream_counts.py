import numpy as np
import pytest

from jepa_planner.core.stream_counts import StreamCounts

PERIOD_S = 1 / 30


def counted(stamps_s, delay_s=0.01, late_s=0.2, at_s=None, is_periodic=True):
    """Counts of messages with these stamps, which arrive that much later, in their order."""
    delays = np.broadcast_to(delay_s, len(stamps_s))
    counts = StreamCounts(late_s, is_periodic)
    for stamp_s, own_delay_s in zip(stamps_s, delays, strict=True):
        counts.came(stamp_s + own_delay_s, stamp_s, stamp_s + own_delay_s)
    return counts.now(stamps_s[-1] + delays[-1] if at_s is None else at_s)


def regular(count=300, begins_s=1000.0):
    return begins_s + PERIOD_S * np.arange(count)


def test_a_regular_topic_has_its_rate_and_nothing_to_complain_of():
    counts = counted(regular())
    assert (counts.messages, counts.dropped, counts.late, counts.unordered) == (300, 0, 0, 0)
    assert counts.rate_hz == pytest.approx(30.0)
    assert counts.longest_gap_s == pytest.approx(PERIOD_S)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6])
def test_as_many_as_are_missing_are_counted_though_most_be(share):
    generator = np.random.default_rng(0)
    stamps = regular(2000)
    kept = generator.random(2000) > share
    kept[:20] = kept[-1] = True
    counts = counted(stamps[kept])
    assert counts.dropped == pytest.approx(np.sum(~kept), rel=0.05)


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_of_what_comes_regularly_by_itself_losses_are_counted_too(share):
    generator = np.random.default_rng(0)
    kept = generator.random(2000) > share
    kept[:20] = kept[-1] = True
    counts = counted(regular(2000)[kept], is_periodic=False)
    assert counts.dropped == pytest.approx(np.sum(~kept), rel=0.05)


def test_what_comes_as_it_changes_has_no_losses():
    steps_s = np.random.default_rng(0).uniform(0.01, 0.1, 2000)
    assert counted(1000.0 + np.cumsum(steps_s), is_periodic=False).dropped == 0


def test_jitter_of_a_camera_is_not_taken_for_loss():
    stamps = regular(2000) + np.random.default_rng(0).uniform(-0.1, 0.1, 2000) * PERIOD_S
    assert counted(stamps).dropped == 0


def test_a_late_message_that_comes_unordered_is_not_lost():
    stamps = regular(100)
    order = np.arange(100)
    order[50:53] = [51, 52, 50]
    counts = counted(stamps[order])
    assert (counts.dropped, counts.unordered) == (0, 1)


def test_late_ones_are_counted_and_the_worst_is_told():
    delays = np.full(100, 0.02)
    delays[40:43] = 0.5
    counts = counted(regular(100), delays)
    assert counts.late == 3
    assert counts.worst_delay_s == pytest.approx(0.5)


def test_stamps_of_another_clock_are_named_and_not_counted_as_late():
    counts = counted(regular(100), delay_s=1.8e9)
    assert counts.other_clock and counts.late == 0


def test_a_pause_of_commands_is_no_loss():
    stamps = np.concatenate([regular(100), regular(100, begins_s=1100.0)])
    counts = counted(stamps)
    assert counts.dropped == 0


def test_messages_without_stamps_have_a_rate_alone():
    counts = StreamCounts(0.2)
    for turn in range(50):
        counts.came(turn * 0.1, 0.0, 1e9 + turn * 0.1)
    found = counts.now(5.0)
    assert (found.messages, found.dropped, found.late, found.longest_gap_s) == (50, 0, 0, 0.0)
    assert found.rate_hz == pytest.approx(10.0)


def test_a_topic_that_fell_silent_has_no_rate():
    stamps = regular()
    assert counted(stamps, at_s=stamps[-1] + 5.0).rate_hz == 0.0


def test_counting_anew_keeps_the_period():
    counts = StreamCounts(0.2)
    for stamp_s in regular(100):
        counts.came(stamp_s, stamp_s, stamp_s)
    counts.restart()
    counts.came(1010.0, 1000.0 + 102 * PERIOD_S, 1010.0)
    assert counts.now(1010.0).dropped == 2
