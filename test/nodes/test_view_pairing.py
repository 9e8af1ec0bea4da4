import heapq

import pytest

from jepa_planner.nodes.view_pairing import KEPT_PER_VIEW, ViewPairing

PERIOD_S, TOLERANCE_S, SECONDS = 1 / 30, 0.03, 10


def arrivals(delay_s: float, phase_s: float, view: int) -> list[tuple[float, int, float]]:
    exposed_s = [100.0 + phase_s + number * PERIOD_S for number in range(30 * SECONDS)]
    return [(stamp_s + delay_s, view, stamp_s) for stamp_s in exposed_s]


@pytest.mark.parametrize("delay_s", [0.03, 0.065, 0.08, 0.1, 0.3])
@pytest.mark.parametrize("phase_s", [0.0, 0.004, 0.01, 0.016, 0.02, 0.03])
def test_cameras_that_deliver_at_different_times_are_paired_at_their_full_rate(delay_s, phase_s):
    pairing = ViewPairing(2, TOLERANCE_S)
    moments = []
    for _, view, stamp_s in heapq.merge(arrivals(0.03, 0.0, 0), arrivals(delay_s, phase_s, 1)):
        if moment := pairing.add(view, stamp_s, (view, stamp_s)):
            moments.append(moment)
    assert len(moments) >= 30 * SECONDS - 2
    assert all([view for view, _ in moment] == [0, 1] for moment in moments)
    assert all(abs(left_s - right_s) <= TOLERANCE_S for (_, left_s), (_, right_s) in moments)
    for view in (0, 1):
        used = [moment[view][1] for moment in moments]
        assert used == sorted(set(used))


def test_stamps_too_far_apart_are_no_moment_and_their_distance_is_known():
    pairing = ViewPairing(2, TOLERANCE_S)
    assert pairing.spread_s() is None
    for number in range(50):
        assert pairing.add(0, 100.0 + number * 0.1, "left") is None
        assert pairing.add(1, 100.0 + number * 0.1 - 0.05, "right") is None
    assert pairing.spread_s() == pytest.approx(0.05)


def test_only_so_many_pictures_wait():
    pairing = ViewPairing(2, TOLERANCE_S)
    for number in range(10 * KEPT_PER_VIEW):
        pairing.add(0, float(number), "left")
    assert pairing.add(1, float(9 * KEPT_PER_VIEW - 1), "right") is None
    assert pairing.add(1, float(9 * KEPT_PER_VIEW), "right") is not None


def test_a_single_camera_is_a_moment_by_itself():
    assert ViewPairing(1, TOLERANCE_S).add(0, 5.0, "only") == ["only"]


def test_cameras_whose_clock_is_set_back_are_paired_again():
    pairing = ViewPairing(2, TOLERANCE_S)
    pairing.add(0, 100.0, "left")
    assert pairing.add(0, 50.0, "left") is None
    assert pairing.add(1, 50.0, "right") == ["left", "right"]
