import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from jepa_planner.control.arm_executive import Mode
from jepa_planner.core.observation import Observation
from jepa_planner.core.status import OK, Status, StatusCode
from jepa_planner.nodes import state_buffer as state_buffer
from jepa_planner.nodes.state_buffer import ArmReport, StateBuffer


class Clock:
    def __init__(self, now_s: float = 100.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def report(stamp_s: float, mode: Mode = Mode.HOLDING, reason: str = "") -> ArmReport:
    pose = np.arange(6, dtype=float)
    return ArmReport(stamp_s, mode, False, reason, 0.0, 0, 0, pose, pose + 0.5, 0.25, 0.75)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fresh(clock) -> StateBuffer:
    fresh = StateBuffer(image_timeout_s=1.0, arm_timeout_s=0.5, now_s=clock)
    fresh.see(Observation(torch.zeros(2, 3), stamp_s=100.0))
    fresh.feel(report(100.0))
    return fresh


def test_fresh_input_is_well(fresh):
    assert (fresh.image_status().text, fresh.arm_status().text) == ("", "")


@pytest.mark.parametrize(
    ("taken_s", "wanted"), [(99.9, False), (100.0, False), (100.2, True)], ids=["old", "too early", "from then on"]
)
def test_pictures_from_before_what_is_waited_for_are_not_encoded(fresh, taken_s, wanted):
    assert not fresh.wants(taken_s)
    fresh.wanted_from_s = 100.1
    assert fresh.wants(taken_s) == wanted


def test_a_picture_that_comes_late_is_encoded_so_that_its_age_can_be_told(fresh, clock):
    fresh.wanted_from_s = 100.1
    clock.now_s = 105.0
    assert fresh.wants(100.0)


def test_each_sense_grows_stale_by_its_own_limit(fresh, clock):
    clock.now_s += 0.75
    assert fresh.image_status().text == ""
    assert "joint state is stale" in fresh.arm_status().text
    clock.now_s += 0.5
    assert "image is stale" in fresh.image_status().text


def test_an_arm_that_waits_says_why_itself(fresh):
    fresh.feel(report(100.1, Mode.WAITING, "joint state is stale: 0.31 s old"))
    assert fresh.arm_status().text == "joint state is stale: 0.31 s old"


def test_a_clock_that_stands_because_its_simulator_is_gone_is_noticed(fresh, monkeypatch):
    later_s = time.monotonic() + 1.0 + state_buffer.CLOCK_STANDS_S + 0.1
    monkeypatch.setattr(state_buffer.time, "monotonic", lambda: later_s)
    assert "the clock stands" in fresh.image_status().text
    assert "the clock stands" in fresh.arm_status().text


def test_a_clock_that_begins_again_is_followed(fresh, clock):
    clock.now_s = 1.0
    fresh.see(Observation(torch.zeros(2, 3), stamp_s=1.0))
    fresh.feel(report(1.0))
    assert (fresh.image_status().text, fresh.arm_status().text) == ("", "")


def test_nothing_is_seen_or_felt_before_its_arrival(fresh, clock):
    fresh.see(Observation(torch.zeros(2, 3), stamp_s=100.015))
    fresh.feel(report(100.015))
    assert (fresh.observation.stamp_s, fresh.arm.stamp_s) == (100.0, 100.0)


def test_an_arm_rests_from_when_it_was_heard_to_or_later_by_its_own_clock(fresh, clock):
    clock.now_s = 101.0
    fresh.feel(replace(report(101.0), rest_since_s=100.2))
    clock.now_s = 102.0
    fresh.feel(replace(report(102.0), rest_since_s=100.2))
    assert fresh.arm.rest_since_s == 101.0
    fresh.feel(replace(report(102.01), rest_since_s=102.3))
    assert fresh.arm.rest_since_s == 102.3


def test_a_clock_that_is_set_back_lets_the_arm_rest_at_once(fresh, clock):
    clock.now_s = 40.0
    fresh.feel(report(40.0))
    assert fresh.arm.rest_since_s == 40.0


def test_what_a_node_says_of_itself_explains_why_nothing_comes(clock):
    state_buffer = StateBuffer(1.0, 0.5, clock)
    assert state_buffer.image_status().text == "nothing came from encoder_node: is it running in this namespace?"
    state_buffer.hear("encoder_node", 100.0, Status(StatusCode.FAILED, "nothing came on /front/image_raw"))
    state_buffer.hear("arm_node", 100.0, Status(StatusCode.FAILED, "not active"))
    assert state_buffer.image_status().text == "encoder_node: nothing came on /front/image_raw"
    assert state_buffer.arm_status().text == "arm_node: not active"
    state_buffer.hear("encoder_node", 100.0, OK)
    expected = "no image yet, though encoder_node says that it works: are its topics this node's?"
    assert state_buffer.image_status().text == expected


def test_a_node_that_was_never_heard_is_named_though_others_are_heard(clock):
    state_buffer = StateBuffer(1.0, 0.5, clock)
    state_buffer.hear("predictor_node", 100.0, OK)
    assert state_buffer.image_status().text == "nothing came from encoder_node: is it running in this namespace?"
    assert state_buffer.arm_status().text == "nothing came from arm_node: is it running in this namespace?"


def test_a_node_that_says_it_works_does_not_explain_what_grew_stale(fresh, clock):
    fresh.hear("encoder_node", 100.0, OK)
    clock.now_s += 1.5
    assert fresh.image_status().text == "image is stale: 1.50 s old, limit 1.00 s"


def test_the_state_is_what_the_contract_of_a_model_names(fresh):
    np.testing.assert_array_equal(fresh.arm.state(8), [0, 1, 2, 3, 4, 5, 0.25, 0.75])
    np.testing.assert_array_equal(fresh.arm.state(7), [0, 1, 2, 3, 4, 5, 0.75])
    assert fresh.arm.state(8).dtype == np.float32


def test_the_next_action_starts_from_where_the_arm_was_told_to_be(fresh):
    np.testing.assert_array_equal(fresh.arm.commanded, [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 0.25])
