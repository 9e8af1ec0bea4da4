"""Where the seconds of a step go, with a clock that the test moves."""

import math
from dataclasses import astuple

import pytest

from jepa_planner.nodes.step_clock import PARTS, StepClock


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def step(clock: Clock, step_clock: StepClock, seconds: tuple[float, ...]) -> tuple[float, ...]:
    for part, part_s in zip(PARTS[:-1], seconds, strict=False):
        clock.now_s += part_s
        step_clock.end(part)
    clock.now_s += seconds[-1]
    return astuple(step_clock.plan())


def test_a_first_plan_has_no_step_before_it():
    step_clock = StepClock(Clock())
    step_clock.end("motion")
    step_clock.end("picture")
    assert all(math.isnan(seconds) for seconds in astuple(step_clock.plan()))


def test_the_parts_of_a_step_add_up_to_it():
    clock = Clock()
    step_clock = StepClock(clock)
    step_clock.plan()
    for seconds in ((0.01, 0.25, 0.05, 0.02, 0.15), (0.02, 0.3, 0.04, 0.01, 0.1)):
        assert step(clock, step_clock, seconds) == pytest.approx((sum(seconds), *seconds))


def test_a_part_that_ended_before_it_was_noticed_leaves_the_rest_to_the_next():
    clock = Clock()
    step_clock = StepClock(clock)
    step_clock.plan()
    step_clock.end("answer")
    step_clock.end("motion")
    clock.now_s += 0.1
    step_clock.end("picture", ago_s=0.03)
    step_clock.end("encoding")
    found = step_clock.plan()
    assert (found.picture, found.encoding) == pytest.approx((0.07, 0.03))


def test_a_picture_of_another_clock_takes_no_part_out_of_its_order():
    clock = Clock()
    step_clock = StepClock(clock)
    step_clock.plan()
    step_clock.end("answer")
    clock.now_s += 0.2
    step_clock.end("motion")
    clock.now_s += 0.1
    step_clock.end("picture", ago_s=5.0)
    step_clock.end("encoding")
    found = step_clock.plan()
    assert (found.step, found.motion, found.picture, found.encoding) == pytest.approx((0.3, 0.2, 0.0, 0.1))


def test_a_part_ends_once():
    clock = Clock()
    step_clock = StepClock(clock)
    step_clock.plan()
    step_clock.end("answer")
    for _ in range(3):
        clock.now_s += 0.1
        step_clock.end("motion")
    step_clock.end("picture")
    step_clock.end("encoding")
    assert step_clock.plan().motion == pytest.approx(0.1)
