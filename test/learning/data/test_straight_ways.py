import numpy as np

from jepa_planner.learning.data.contact_segments import contact_segments
from jepa_planner.learning.data.keyframes import next_keyframes
from jepa_planner.learning.data.straight_ways import without_detours

HOVERS, TAKES, FRAMES = 12, 14, 24


def wandering() -> np.ndarray:
    """Two detours in the air, then over to the thing at x = 0.3, down, closed and up with it, and let go."""
    corners = {0: (0.0, 0.15), 3: (0.2, 0.15), 6: (0.05, 0.15), 9: (0.15, 0.15), 10: (0.1, 0.15), HOVERS: (0.3, 0.1)}
    corners |= {TAKES: (0.3, 0.02), 16: (0.3, 0.02), 18: (0.3, 0.12), 20: (0.3, 0.02), FRAMES - 1: (0.3, 0.15)}
    states = np.zeros((FRAMES, 8), np.float32)
    for channel, values in zip((0, 2), zip(*corners.values(), strict=True), strict=True):
        states[:, channel] = np.interp(np.arange(FRAMES), list(corners), values)
    states[TAKES + 1 : 21, 6], states[TAKES + 1 : 21, 7] = 1.0, 0.5
    return states


def straight(states: np.ndarray) -> np.ndarray:
    return without_detours(next_keyframes(states), states, contact_segments(states))


def test_from_all_detours_the_next_keyframe_is_the_first_one_on_the_last_way_to_the_thing():
    states = wandering()
    assert next_keyframes(states)[:4].max() < HOVERS, "the detours have keyframes of their own"
    assert straight(states)[:HOVERS].tolist() == [HOVERS] * HOVERS


def test_on_the_way_itself_and_after_it_nothing_changes():
    states = wandering()
    np.testing.assert_array_equal(straight(states)[HOVERS:], next_keyframes(states)[HOVERS:])


def test_a_hand_that_hovered_there_before_goes_down_next():
    states = wandering()
    states[3, :3] = states[HOVERS, :3]
    assert straight(states)[3] == next_keyframes(states)[HOVERS]


def test_a_hand_that_trembles_on_its_way_goes_straight():
    states = wandering()
    states[:HOVERS, 0] = np.linspace(0.0, 0.28, HOVERS)
    states[5, 0] -= 0.03  # a little way back
    np.testing.assert_array_equal(straight(states), next_keyframes(states))


def test_episodes_in_which_no_hand_acts_stay_as_they_are():
    states = wandering()
    states[:, 6:] = 0.0
    np.testing.assert_array_equal(straight(states), next_keyframes(states))
