import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from test_hand_thresholds import working

from jepa_planner.learning.data.contact_segments import ContactThresholds
from jepa_planner.learning.data.way_back import USUAL, way_back


def leaving(toward: tuple[float, float, float], rpy: tuple[float, float, float]) -> np.ndarray:
    """Hands that stand turned by rpy, and go 6 cm toward somewhere in the base frame after they let go."""
    states = working()
    states[..., 3:6] = rpy
    left = states[:, 16:17, :3] + 0.06 * np.array(toward)
    states[:, 17:, :3] = left
    return states


@pytest.mark.parametrize(
    ("toward", "rpy", "back"),
    [
        ((0, 0, 1), (0, 0, 0.4), (0, 0, 1)),
        ((0, 0, 1), (np.pi, 0, 0.4), (0, 0, -1)),
        ((0, 0, 1), (0, np.pi / 2, 0), (-1, 0, 0)),
        ((-1, 0, 0), (0, 0, 0), (-1, 0, 0)),
    ],
    ids=["z up", "z down", "x down", "sideways"],
)
def test_it_is_told_in_the_frame_of_the_tcp(toward, rpy, back):
    states = leaving(toward, rpy)
    found = way_back(states, ContactThresholds())
    assert found == pytest.approx(back, abs=1e-3)
    assert Rotation.from_euler("xyz", rpy).apply(found) == pytest.approx(toward, abs=1e-6)


def test_a_way_along_no_axis_stays_what_it_is():
    slanted = np.array((0.6, 0.0, 0.8))
    assert way_back(leaving(tuple(slanted * (1, 1, 0.9)), (0, 0, 0)), ContactThresholds())[0] > 0.5


def test_hands_that_let_nothing_go_tell_nothing():
    states = working()
    states[..., 6:] = 0.0
    assert way_back(states, ContactThresholds()) == USUAL
