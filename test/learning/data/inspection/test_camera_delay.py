"""A delay between camera and arm is found to a few milliseconds, with an interval that holds it."""

import numpy as np
import pytest
from moving_shape import film, wall, way

from jepa_planner.learning.data.inspection.camera_delay import Stretch, camera_delay, find_delay, picture_changes


def late_film(delay_s, seed, rate_hz, arm_hz):
    """Stamps and pictures that show the arm of `delay_s` before, and stamps and poses of the arm, as recorded."""
    rng = np.random.default_rng(seed)
    end_s = 30.0 if rate_hz > 10.0 else 14.0
    stamps, places = way(seed, end_s)
    when = np.arange(0.5, end_s - 0.6, 1.0 / rate_hz)
    if rate_hz > 10.0:  # frames come unevenly, and some are lost
        when = np.sort((when + rng.uniform(-0.004, 0.004, len(when)))[rng.random(len(when)) < 0.9])
    shown = np.stack([np.interp(when - delay_s, stamps, channel) for channel in places.T], axis=1)
    told = when if arm_hz == rate_hz else np.arange(0.0, end_s - 0.1, 1.0 / arm_hz)
    poses = np.stack([np.interp(told, stamps, channel) for channel in places.T], axis=1)
    return when, film(shown, wall(size_px=32), rng), told, poses + rng.normal(0.0, 2e-4, poses.shape)


@pytest.mark.parametrize("delay_s", [-0.15, 0.0, 0.045, 0.15])
def test_at_camera_rate_a_delay_is_found_within_10_ms(delay_s):
    found = camera_delay(*late_film(delay_s, seed=int(1000 * (delay_s + 1.0)), rate_hz=30.0, arm_hz=50.0))
    assert found.known
    assert abs(found.delay_s - delay_s) < 0.010
    assert found.low_s <= delay_s <= found.high_s
    assert found.high_s - found.low_s < 0.06


@pytest.mark.parametrize("delay_s", [-0.15, 0.1])
def test_at_four_pictures_a_second_a_delay_is_found_within_30_ms(delay_s):
    stretches = []
    for seed in range(16):
        when, pictures, _, poses = late_film(delay_s, seed, rate_hz=4.0, arm_hz=4.0)
        stretches.append(Stretch(when, picture_changes(pictures), when, poses))
    found = find_delay(stretches)
    assert found.known
    assert abs(found.delay_s - delay_s) < 0.030
    assert found.low_s <= delay_s <= found.high_s


def test_pictures_that_have_nothing_to_do_with_the_arm_tell_no_delay():
    when, pictures, told, _ = late_film(0.0, 1, rate_hz=30.0, arm_hz=50.0)
    stamps, places = way(2, 30.0)
    other = np.stack([np.interp(told, stamps, channel) for channel in places.T], axis=1)
    assert not camera_delay(when, pictures, told, other).known


def test_a_recording_of_a_second_tells_no_delay():
    when, pictures, told, poses = late_film(0.0, 1, rate_hz=30.0, arm_hz=50.0)
    assert not camera_delay(when[:20], pictures[:20], told, poses).known


def test_stamps_that_go_back_are_refused():
    when, pictures, told, poses = late_film(0.0, 1, rate_hz=4.0, arm_hz=50.0)
    when[3] = when[1]
    with pytest.raises(ValueError, match="stamps of the pictures do not grow"):
        camera_delay(when, pictures, told, poses)


def test_pictures_and_stamps_that_do_not_go_together_are_refused():
    when, pictures, told, poses = late_film(0.0, 1, rate_hz=4.0, arm_hz=50.0)
    with pytest.raises(ValueError, match="as many poses as stamps"):
        camera_delay(when, pictures, told, poses[:-1])
