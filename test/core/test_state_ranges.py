import numpy as np
import pytest

from jepa_planner.core.state_ranges import check_change, states_out_of_range

CHANNELS = ("x_m", "y_m", "z_m", "roll_rad", "pitch_rad", "yaw_rad", "closure_measured")
SOUND = np.array([0.5, -0.1, 0.2, 3.14, 0.0, -1.9, 1.0])


@pytest.mark.parametrize("state", [SOUND, -SOUND * [1, 1, 1, 2, 1, 1, 0.02], SOUND * [5, 1, 1, 1, 1, 1, 1.05]])
def test_states_of_arms_are_taken(state):
    assert states_out_of_range(CHANNELS, state) == []


@pytest.mark.parametrize(
    ("channel", "value", "says"),
    [
        (0, 500.0, "x 500 m, expected at most 3 m from the base: is it in millimetres?"),
        (1, -40.0, "y -40 m, expected at most 3 m from the base: is it in centimetres?"),
        (3, 180.0, "roll 180 rad, expected at most 6.28: is it in degrees?"),
        (6, 100.0, "closure_measured 100, expected 0 (open) to 1 (closed): is it in percent, or of 255?"),
        (6, -1.0, "closure_measured -1, expected 0 (open) to 1 (closed): is it in percent, or of 255?"),
    ],
)
def test_what_no_arm_can_be_is_named_with_its_unit(channel, value, says):
    states = np.tile(SOUND, (3, 4, 1))
    states[1, 2, channel] = value
    assert states_out_of_range(CHANNELS, states) == [says]


def test_an_action_in_millimetres_degrees_or_percent_is_refused_by_channel():
    names = ("dx_m", "dyaw_rad", "dclosure")
    check_change(names, (0.5, -3.1, 1.0), "true action")
    with pytest.raises(ValueError, match=r"true action: dx_m 30, .* 0.5; dyaw_rad 45, .*; dclosure -100, .*"):
        check_change(names, (30.0, 45.0, -100.0), "true action")
