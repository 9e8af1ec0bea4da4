import numpy as np
import pytest

from jepa_planner.control.jog import HELD_S, TAPPED_S, Jog

UP, LEFT = np.array([0, 0, 1.0, 0, 0, 0]), np.array([0, 1.0, 0, 0, 0, 0])
REPEAT_S = 0.04


@pytest.fixture
def jog():
    return Jog()


def held(jog: Jog, direction: np.ndarray, begins_s: float, seconds: float) -> float:
    """Presses as a terminal does of a key that is held; returns when the last came."""
    jog.press(direction, begins_s)
    now_s = begins_s + 0.5
    while now_s < begins_s + seconds:
        jog.press(direction, now_s)
        now_s += REPEAT_S
    return now_s - REPEAT_S


def test_a_tap_is_one_step(jog):
    jog.press(UP, 0.0)
    assert np.array_equal(jog.step(0.0, 0.0), [*UP, 0.0])
    assert jog.step(0.1, 0.0) is None and jog.step(TAPPED_S - 0.01, 0.0) is None


def test_a_held_key_is_step_after_step_until_it_is_released(jog):
    last_s = held(jog, UP, 0.0, seconds=2.0)
    for _ in range(3):
        assert np.array_equal(jog.step(last_s, 0.0)[:6], UP)
    assert not jog.brakes(last_s + HELD_S - 0.01)
    assert jog.step(last_s + HELD_S, 0.0) is None
    assert jog.brakes(last_s + HELD_S)
    assert not jog.brakes(last_s + HELD_S + 1.0)  # once is enough


def test_another_key_brakes_first_and_is_a_tap(jog):
    last_s = held(jog, UP, 0.0, seconds=1.0)
    jog.press(LEFT, last_s + 0.01)
    assert jog.brakes(last_s + 0.02)
    assert np.array_equal(jog.step(last_s + 0.02, 0.0)[:6], LEFT)
    assert jog.step(last_s + 0.03, 0.0) is None


def test_two_taps_are_two_steps(jog):
    for now_s in (0.0, 2.0):
        jog.press(UP, now_s)
        assert jog.step(now_s, 0.0) is not None and jog.step(now_s + 0.1, 0.0) is None


@pytest.mark.parametrize(("closure", "change"), [(0.0, 1.0), (0.4, 1.0), (0.6, -1.0), (1.0, -1.0)])
def test_the_gripper_goes_to_its_other_end_in_one_step(jog, closure, change):
    jog.toggle_gripper()
    assert np.array_equal(jog.step(0.0, closure), [0, 0, 0, 0, 0, 0, change])
    assert jog.step(0.0, closure) is None


def test_a_joystick_moves_as_far_as_it_leans_and_brakes_in_the_middle(jog):
    for turn in range(5):
        jog.lean(0.1 * turn * LEFT, 0.05 * turn)
    assert np.allclose(jog.step(0.2, 0.0)[:6], 0.4 * LEFT)
    assert not jog.brakes(0.2)
    jog.lean(0.0 * LEFT, 0.25)
    assert jog.step(0.25, 0.0) is None and jog.brakes(0.25)


def test_a_joystick_that_falls_silent_brakes(jog):
    jog.lean(LEFT, 0.0)
    assert jog.step(HELD_S + 0.01, 0.0) is None and jog.brakes(HELD_S + 0.01)


def test_nothing_is_wanted_at_first(jog):
    assert jog.step(0.0, 0.0) is None and not jog.brakes(0.0)
