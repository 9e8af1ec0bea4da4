import numpy as np
import pytest

from jepa_planner.learning.data.contact_segments import contact_segments
from jepa_planner.learning.data.hand_thresholds import HandThresholds, hand_thresholds
from jepa_planner.learning.data.object_tracks import frame_pairs


def working(holds: float = 0.5, empty: float = 1.0, table_m: float = 0.0, episodes: int = 12) -> np.ndarray:
    """Hands that come down, close, go 8 cm along x and open; in every third episode on nothing."""
    states = np.zeros((episodes, 25, 8), np.float32)
    states[..., 2] = 0.15
    states[:, 4:20, 2] = 0.02
    states[:, 8:14, 2] = 0.10
    states[:, 8:, 0] = 0.08
    states[:, 6:16, 6] = 1.0
    states[:, 6:16, 7] = holds
    states[::3, 6:16, 7] = empty
    states[..., 2] += table_m
    return states


def test_of_the_usual_arm_the_usual_ones_serve():
    assert hand_thresholds(working()) == HandThresholds()


@pytest.mark.parametrize("table_m", [-0.4, 0.12])
def test_a_table_that_is_not_as_high_as_the_base_moves_all_heights(table_m):
    thresholds = hand_thresholds(working(table_m=table_m))
    assert thresholds.table_m == pytest.approx(table_m, abs=1e-3)
    pairs = [frame_pairs(states, limits) for states, limits in (
        (working(table_m=table_m), thresholds.tracks), (working(), None))]  # fmt: skip
    assert len(pairs[0].now) == len(pairs[1].now)
    np.testing.assert_allclose(pairs[0].off_m, pairs[1].off_m, atol=1e-5)


@pytest.mark.parametrize(("holds", "empty"), [(0.78, 1.0), (0.72, 0.97)])
def test_thin_things_are_told_from_nothing(holds, empty):
    thresholds = hand_thresholds(working(holds, empty))
    assert holds < thresholds.holding < empty
    kinds = [len(contact_segments(states, thresholds.contacts)) for states in working(holds, empty)]
    assert kinds == [0, 1, 1] * 4


def test_hands_that_never_close_leave_the_usual_ones():
    states = working()
    states[..., 6:] = 0.0
    assert hand_thresholds(states) == HandThresholds()


def test_episodes_shorter_than_fingers_take_are_no_error():
    assert hand_thresholds(working()[:, 4:6]) == HandThresholds()
