"""Frames of a film show what is known at their moment."""

import numpy as np

from jepa_planner.learning.evaluation.film import CAMERA_PX, MARGIN_PX, Moment, _frame

LEFT = CAMERA_PX + 2 * MARGIN_PX
BESIDE_THE_ENERGY = (slice(230, 268), slice(LEFT - 2, None))


def frame(verdict: str, energy: float = 0.5) -> np.ndarray:
    moment = Moment(0.0, np.zeros((8, 8, 3), np.uint8), np.zeros((0, 3)), 0, energy, 0.1, verdict)
    return np.asarray(_frame([moment], [np.zeros((8, 8, 3), np.uint8)], lambda points: points[:, :2], "a film"))


def test_a_frame_shows_the_verdict_between_goal_image_and_energy():
    without, with_ = frame(""), frame("objects are 4.2 cm off, 12 % sure that they lie as shown")
    changed = np.any(without != with_, axis=2)
    assert changed[BESIDE_THE_ENERGY].sum() > 100
    assert changed.sum() == changed[BESIDE_THE_ENERGY].sum()


def test_a_frame_without_numbers_is_drawn():
    assert frame("", energy=float("nan")).shape == frame("").shape
