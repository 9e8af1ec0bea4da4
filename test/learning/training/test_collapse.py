import numpy as np
import pytest

from jepa_planner.learning.training.collapse import CollapseReport, measure_collapse

SHAPE = (12, 20, 4, 8)  # episodes, frames, tokens, channels
NUMBERS = 32


def gaussian(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)


def of_rank(rank: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    flat = rng.normal(size=(*SHAPE[:2], rank)) @ rng.normal(size=(rank, NUMBERS))
    return flat.reshape(SHAPE).astype(np.float32)


def slow_walk() -> np.ndarray:
    return np.cumsum(0.1 * gaussian(), axis=1) + 2.0 * gaussian(1)[:, :1]


def measure(latents: np.ndarray) -> CollapseReport:
    return measure_collapse(latents, np.random.default_rng(0))


def test_gaussian_latents_are_not_collapsed():
    report = measure(gaussian())
    assert not report.collapsed
    assert report.numbers == NUMBERS
    assert 0.85 * NUMBERS < report.effective_rank <= NUMBERS
    assert report.std_mean == pytest.approx(1.0, abs=0.1)
    assert report.dead_share == 0.0
    assert str(report).startswith("not collapsed: effective rank")


@pytest.mark.parametrize("value", [0.0, 3.5])
def test_constant_latents_are_collapsed(value):
    report = measure(np.full(SHAPE, value, np.float32))
    assert report.collapsed
    assert report.std_mean == 0.0 and report.dead_share == 1.0
    assert str(report).startswith("COLLAPSED")


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_latents_along_few_directions_are_collapsed_however_large(rank):
    report = measure(100.0 * of_rank(rank))
    assert report.collapsed
    assert report.effective_rank <= rank + 1e-6


def test_all_but_motionless_latents_are_collapsed():
    assert measure(1e-5 * gaussian()).collapsed


def test_latents_that_are_not_finite_are_collapsed():
    spoilt = gaussian()
    spoilt[3, 2] = np.nan
    assert measure(spoilt).collapsed


def test_the_effective_rank_follows_the_number_of_directions():
    ranks = [measure(of_rank(rank)).effective_rank for rank in (1, 4, 16)]
    assert ranks == sorted(ranks)
    assert ranks[0] == pytest.approx(1.0) and 8 < ranks[2] <= 16


def test_dead_numbers_are_counted():
    latents = gaussian()
    latents[..., 0, :] = 0.5
    assert measure(latents).dead_share == pytest.approx(0.25)
    assert measure(latents).std_min == 0.0


def test_neighbours_in_time_are_closer_than_unrelated_frames_only_where_time_left_a_trace():
    assert measure(slow_walk()).neighbour_ratio < 0.3
    assert measure(gaussian()).neighbour_ratio == pytest.approx(1.0, abs=0.05)


def test_latents_that_are_not_numbers_are_collapsed():
    spoilt = gaussian()
    spoilt[3, 2] = np.nan
    assert measure(spoilt).collapsed
