"""Pictures of one moment, found among those of cameras that deliver at different times.

Pairs a second of two cameras, the worst of 17 phases, over 30 s; tolerance 30 ms:

| cameras | pairs a second |
|---|---|
| both 30 Hz, delays 30 and 35, 65, 100 or 300 ms | 30.0 |
| 30 Hz and 15 Hz | 15.0 |
| both 30 Hz, stamps with 2 ms of jitter either way | 30.0 |
| the same with 5 ms | 29.9 |
| the same with 8 ms | 24.5 |
| one picture in ten of either lost, 2 ms of jitter | 23.0, of 24.3 that have a partner |
| delivered in bursts of 3 or 5, 2 ms of jitter | 30.0 |
"""

import heapq
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jepa_planner.nodes.view_pairing import KEPT_PER_VIEW, ViewPairing

TOLERANCE_S, SECONDS = 0.03, 10
PHASES_S = [milliseconds / 1000 for milliseconds in range(0, 34, 4)]


def camera(
    rate_hz: float, delay_s: float, phase_s: float = 0.0, jitter_s: float = 0.0, lost: float = 0.0, burst: int = 1,
    seed: int = 0,
) -> list[tuple[float, float]]:  # fmt: skip
    """When each picture arrives, and its stamp."""
    draws, pictures, arrived_s = random.Random(seed), [], 0.0
    count = round(rate_hz * SECONDS)
    for number in range(count):
        stamp_s = 100.0 + phase_s + number / rate_hz + draws.uniform(-jitter_s, jitter_s)
        sent_with = min(count - 1, (number // burst + 1) * burst - 1)
        arrived_s = max(arrived_s + 1e-6, 100.0 + phase_s + sent_with / rate_hz + delay_s)
        if draws.random() >= lost:
            pictures.append((arrived_s, stamp_s))
    return pictures


def moments_of(*cameras: list[tuple[float, float]], tolerance_s: float = TOLERANCE_S) -> list[list[float]]:
    """The stamps of each moment that was found; what must hold of them at any rate is asserted."""
    pairing: ViewPairing[tuple[int, float]] = ViewPairing(len(cameras), tolerance_s)
    arrivals = [[(at_s, view, stamp_s) for at_s, stamp_s in pictures] for view, pictures in enumerate(cameras)]
    moments = []
    for _, view, stamp_s in heapq.merge(*arrivals):
        if moment := pairing.add(view, stamp_s, (view, stamp_s)):
            assert [view for view, _ in moment] == list(range(len(cameras)))
            moments.append([stamp_s for _, stamp_s in moment])
    assert all(max(stamps_s) - min(stamps_s) <= tolerance_s for stamps_s in moments)
    for used in zip(*moments, strict=True):
        assert list(used) == sorted(set(used)), "a picture was used twice, or one from before another that was"
    return moments


def lowest_rate_hz(**both: float) -> float:
    still = camera(30, 0.03, **both)
    return min(len(moments_of(still, camera(30, 0.065, phase_s, **both, seed=1))) for phase_s in PHASES_S) / SECONDS


@pytest.mark.parametrize("delay_s", [0.03, 0.035, 0.065, 0.08, 0.1, 0.3])
@pytest.mark.parametrize("phase_s", PHASES_S)
@pytest.mark.parametrize("rate_hz", [30, 15])
def test_cameras_that_deliver_at_different_times_are_paired_at_the_rate_of_the_slower(delay_s, phase_s, rate_hz):
    assert len(moments_of(camera(30, 0.03), camera(rate_hz, delay_s, phase_s))) >= rate_hz * SECONDS - 3
    assert len(moments_of(camera(rate_hz, 0.03), camera(30, delay_s, phase_s))) >= rate_hz * SECONDS - 3


@pytest.mark.parametrize(
    ("fault", "pairs_per_s"),
    [
        ({"jitter_s": 0.002}, 29.7),
        ({"jitter_s": 0.005}, 29.0),
        ({"jitter_s": 0.008}, 22.0),
        ({"jitter_s": 0.002, "lost": 0.1}, 22.0),
        ({"jitter_s": 0.002, "burst": 5}, 29.7),
    ],
    ids=["2 ms of jitter", "5 ms of jitter", "8 ms of jitter", "a tenth lost", "bursts"],
)
def test_jitter_losses_and_bursts_cost_few_pairs_at_any_phase(fault, pairs_per_s):
    assert lowest_rate_hz(**fault) >= pairs_per_s


@pytest.mark.parametrize("delay_s", [0.03, 0.035, 0.065, 0.1])
def test_cameras_that_are_triggered_together_are_paired_by_their_very_stamps_however_late_one_delivers(delay_s):
    for lost in (0.0, 0.1):
        left, right = camera(60, 0.03, lost=lost), camera(60, delay_s, lost=lost, seed=1)
        both = {stamp_s for _, stamp_s in left} & {stamp_s for _, stamp_s in right}
        exact = [left_s for left_s, right_s in moments_of(left, right) if left_s == right_s]
        assert len(exact) >= 0.97 * len(both)


def test_three_cameras_are_paired_at_the_rate_of_the_slowest():
    for phase_s in PHASES_S:
        cameras = camera(30, 0.03), camera(30, 0.065, phase_s / 2), camera(10, 0.1, phase_s / 3)
        assert len(moments_of(*cameras)) >= 10 * SECONDS - 3


STEPS_S = st.floats(0.0, 0.1, allow_nan=False)


@given(st.lists(st.lists(st.tuples(STEPS_S, STEPS_S), max_size=40), min_size=1, max_size=3), st.floats(0.0, 0.1))
def test_whatever_comes_moments_are_of_one_time_and_use_each_picture_once_in_order(cameras, tolerance_s):
    def delivered(steps_s: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
        stamp_s = arrived_s = 100.0
        for step_s, delay_s in steps_s:
            stamp_s += step_s
            arrived_s = max(arrived_s, stamp_s + delay_s)
            yield arrived_s, stamp_s

    moments_of(*map(list, map(delivered, cameras)), tolerance_s=tolerance_s)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 12)), max_size=60))
def test_clocks_that_jump_about_leave_no_moment_of_two_times(arrivals):
    pairing: ViewPairing[int] = ViewPairing(2, 1.0)
    for view, stamp_s in arrivals:
        if moment := pairing.add(view, float(stamp_s), stamp_s):
            assert abs(moment[0] - moment[1]) <= 1


def test_a_picture_that_comes_twice_is_no_second_moment():
    pairing = ViewPairing(2, TOLERANCE_S)
    pairing.add(0, 100.0, "left")
    assert pairing.add(1, 100.0, "right") == ["left", "right"]
    for view in (0, 1, 0):
        assert pairing.add(view, 100.0, "again") is None


def test_a_pair_does_not_wait_for_a_picture_that_could_not_be_nearer():
    pairing = ViewPairing(2, TOLERANCE_S)
    for number in range(5):
        for view, stamp_s in ((0, number / 30), (1, number / 30 + 0.01)):
            moment = pairing.add(view, stamp_s, stamp_s)
        assert moment == [number / 30, number / 30 + 0.01]


def test_cameras_that_are_triggered_now_and_then_are_paired_at_once():
    pairing = ViewPairing(2, TOLERANCE_S)
    for stamp_s in (100.0, 100.7, 104.0):
        assert pairing.add(0, stamp_s, "left") is None
        assert pairing.add(1, stamp_s + 0.029, "right") == ["left", "right"]


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


def test_cameras_that_had_delivered_ahead_are_paired_again_once_both_clocks_are_set_back():
    pairing = ViewPairing(2, TOLERANCE_S)
    for number in range(5):
        pairing.add(0, 100.0 + number / 30, "left")
        pairing.add(1, 100.0 + number / 30, "right")
    pairing.add(1, 101.0, "right")
    moments = [pairing.add(view, 50.0 + number / 30, view) for number in range(3) for view in (0, 1)]
    assert moments.count([0, 1]) >= 2
