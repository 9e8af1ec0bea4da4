import numpy as np
import pytest

from jepa_planner.learning.data.strokes import Stroke, strokes


def found(*closure: float) -> list[tuple[int, int, float]]:
    return [(begin, end, round(change, 6)) for begin, end, change in strokes(np.array(closure, np.float32))]


def test_a_jump_and_a_slow_way_are_each_one_stroke():
    assert found(0, 0, 1, 1, 0) == [(1, 2, 1.0), (3, 4, -1.0)]
    assert found(0, 0.2, 0.4, 0.9, 0.9, 0.6, 0.2) == [(0, 3, 0.9), (4, 6, -0.7)]


def test_a_gripper_that_turns_without_resting_makes_two():
    assert found(0, 0.5, 1, 0.5, 0) == [(0, 2, 1.0), (2, 4, -1.0)]


@pytest.mark.parametrize("closure", [[0.0] * 5, [0.3], [], [0, 0.1, 0.2, 0.1], [0, 0.01, 0.02, 0.3, 0.31]])
def test_what_trembles_or_goes_a_little_way_is_none(closure):
    assert strokes(np.array(closure)) == []


def test_how_far_a_stroke_goes_can_be_asked_for():
    assert strokes(np.array([0.0, 0.2]), least=0.1) == [Stroke(0, 1, 0.2)]
