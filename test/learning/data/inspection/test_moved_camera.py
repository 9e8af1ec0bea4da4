"""A camera that was pushed between two recordings is found, by how many pixels, and one that was not is not."""

import cv2
import numpy as np
import pytest
from moving_shape import film, wall, way

from jepa_planner.learning.data.inspection.judgement import Level
from jepa_planner.learning.data.inspection.moved_camera import judge_cameras, sessions
from jepa_planner.learning.data.inspection.seen import Seen

EPISODES = 6
FILES = ["one.h5"] * EPISODES + ["other.h5"] * EPISODES


def recorded(shift_px=(0.0, 0.0), turn_deg=0.0, brighter=1.0, seed=0):
    """Two recordings of a wall, between which the camera was moved and a lamp changed."""
    rng = np.random.default_rng(seed)
    pictures, states = [], []
    move = cv2.getRotationMatrix2D((31.5, 31.5), -turn_deg, 1.0)
    move[:, 2] += shift_px
    moved = cv2.warpAffine(wall(), move, (64, 64), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    for number, file in enumerate(FILES):
        places = way(100 * seed + number, end_s=12.0)[1][::40]
        background = wall() if file == FILES[0] else brighter * moved
        pictures.append(film(places, background, rng)[:, None])
        states.append(np.concatenate([places, np.zeros((len(places), 5))], axis=1).astype(np.float32))
    return Seen(np.arange(2 * EPISODES), tuple(pictures), tuple(states), ("front",), 2.0)


def judged(seen):
    (judgement,) = judge_cameras(sessions(seen, FILES), seen)
    return judgement


@pytest.mark.parametrize("seed", [1, 2])
def test_a_camera_that_stands_still_is_not_said_to_have_moved(seed):
    assert judged(recorded(brighter=0.9, seed=seed)).level is Level.GOOD


@pytest.mark.parametrize(("shift_px", "turn_deg"), [((0.5, 0.0), 0.0), ((6.0, -3.0), 4.0)])
def test_a_camera_that_was_pushed_is_found_in_pixels_of_the_recording(shift_px, turn_deg):
    judgement = judged(recorded(shift_px, turn_deg, brighter=0.9))
    assert judgement.level is Level.WARNING
    (first, by_first), (other, by_other) = judgement.numbers.items()
    assert (first, other) == ("0-5", "6-11")
    apart = np.subtract(by_other["shift_px"], by_first["shift_px"])
    sign = 1.0 if by_first["shift_px"] == [0.0, 0.0] else -1.0
    np.testing.assert_allclose(sign * apart, 2.0 * np.array(shift_px), atol=0.9)
    assert abs(abs(by_other["turn_deg"] - by_first["turn_deg"]) - turn_deg) < 0.5


def test_another_wall_is_told():
    seen = recorded()
    strange = [film(way(number, 12.0)[1][::40], wall(9), np.random.default_rng(number))[:, None] for number in range(6)]
    seen = Seen(seen.numbers, (*seen.pictures[:EPISODES], *strange), seen.states, seen.views, 1.0)
    assert "another scene, light or camera" in judged(seen).says


def test_a_single_recording_is_not_compared():
    seen = recorded()
    (judgement,) = judge_cameras(sessions(seen, ["one.h5"] * 2 * EPISODES), seen)
    assert judgement.level is Level.GOOD and "one session alone" in judgement.says
