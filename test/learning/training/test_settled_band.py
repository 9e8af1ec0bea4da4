from dataclasses import replace

import numpy as np
import pytest
from small_planner import small_planner
from tiny_training import episodes

from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.training.settled_band import SettledBand, settled_band

FRAMES = 40
KIND = "last_step_mse"


def resting(far_m: float = 0.2) -> tuple[np.ndarray, Episodes]:
    """An arm that rests at one place, then at another, and latents [1, T+1, 1, 1] that tremble by up to 0.1 at each
    and differ by 1 between them.
    """
    some = episodes(count=1, steps=FRAMES - 1)
    states = np.zeros((1, FRAMES, 8), np.float32)
    states[:, FRAMES // 2 :, 0] = far_m
    latents = np.tile(np.linspace(0.0, 0.1, FRAMES // 2, dtype=np.float32), 2)[None, :, None, None].copy()
    latents[:, FRAMES // 2 :] += 1.0
    return latents, replace(some, states=states)


def band(latents: np.ndarray, some: Episodes) -> SettledBand:
    return settled_band(latents, some, np.array([0]), KIND)


def test_the_band_holds_most_moments_that_are_alike_and_none_that_are_not():
    found = band(*resting())
    half = FRAMES // 2
    assert (found.alike, found.others) == (half * (half - 1), half * half)
    assert 0.005 < found.energy < 0.01, "pairs at one place differ by up to 0.1, squared, those of two by 0.9 and more"
    assert found.alike_within == pytest.approx(0.95, abs=0.02) and found.false_alarms == 0.0


def test_the_band_is_no_wider_than_moments_that_differ_allow():
    latents, some = resting()
    latents[:, FRAMES // 2 :] -= 1.0
    found = band(latents, some)
    assert found.energy is None or found.energy < 1e-4, "two places look the same: nothing can be told by energies"


def test_moments_between_which_the_gripper_acted_are_not_taken_for_alike():
    latents, some = resting()
    states = some.states.copy()
    states[:, FRAMES // 4, 6] = 1.0
    quarter, half = FRAMES // 4, FRAMES // 2
    rest = half - quarter - 1
    alike = sum(n * (n - 1) // 2 for n in (quarter, rest, half))
    assert band(latents, replace(some, states=states)).alike == alike


def test_where_an_object_moved_moments_differ_though_the_arm_stands_as_before():
    latents, some = resting(far_m=0.0)
    poses = some.object_pose.copy()
    poses[:, FRAMES // 2 :, 0] += 0.06
    half = FRAMES // 2
    assert band(latents, replace(some, object_pose=poses)).others == half * half


def test_too_few_moments_tell_nothing():
    latents, some = resting()
    found = band(latents[:, :3], replace(some, states=some.states[:, :3], object_pose=some.object_pose[:, :3]))
    assert (found.energy, found.alike, found.others) == (None, 3, 0)
    assert found.in_words() == ("settled: too few moments that are alike to tell at what energy nothing is left to do")


def test_a_band_says_how_often_it_is_right_and_wrong():
    said = SettledBand(0.015, 918, 30412, 0.95, 0.0004).in_words()
    assert said == (
        "settled at energy 0.015: 95.0 % of 918 pairs of moments that are alike lie within, 0.04 % of 30412 others do"
    )


def test_pictures_on_the_way_are_reached_within_the_band_and_never_less_closely_asked_for_than_before():
    settings = small_planner()
    wide, narrow, unknown = (
        SettledBand(energy, 30, 30).noted_in(settings)
        for energy in (2.0 * settings.reached_energy, 0.5 * settings.reached_energy, None)
    )
    assert wide.reached_energy == wide.progress.settled_energy == 2.0 * settings.reached_energy
    assert narrow.reached_energy == unknown.reached_energy == settings.reached_energy
