"""Latents on their topic: those that a planner waits for, and few that it does not."""

import time

import pytest
from builtin_interfaces.msg import Time
from jepa_planner.msg import Latent

from jepa_planner.nodes import qos
from jepa_planner.nodes.conversions import seconds, time_message
from jepa_planner.nodes.encoder_node import BETWEEN_S, EncoderNode

PERIOD_S = 0.04
"""Of the robot's cameras."""


@pytest.fixture
def latents(rig) -> list[Latent]:
    """What comes; the cameras run."""
    came: list[Latent] = []
    rig.robot.create_subscription(Latent, "latent", came.append, qos.STREAM)
    rig.run(EncoderNode(**rig.options(model=rig.bundle)))
    rig.until(lambda: came)
    return came


@pytest.fixture
def planner(rig, latents):
    """Who may want pictures."""
    planner = rig.robot.create_publisher(Time, "picture_wanted", qos.COMMAND)
    rig.until(planner.get_subscription_count)
    return planner


def count_in(latents: list[Latent], span_s: float) -> int:
    before = len(latents)
    time.sleep(span_s)
    return len(latents) - before


def now_s(rig) -> float:
    return rig.robot.get_clock().now().nanoseconds * 1e-9


def test_without_a_planner_that_says_what_it_wants_every_picture_is_encoded_and_sent(latents):
    assert count_in(latents, 2.0) > 2.0 / BETWEEN_S + 5


def test_beside_one_only_so_many_are_sent_that_nobody_takes_them_for_stale(latents, planner):
    count_in(latents, BETWEEN_S)
    assert 1 <= count_in(latents, 2.0) <= 2.0 / BETWEEN_S + 1


def test_the_first_picture_since_it_is_wanted_is_sent(rig, latents, planner):
    for _ in range(5):
        wanted_s = now_s(rig) + 0.05
        planner.publish(time_message(wanted_s))
        rig.until(lambda wanted_s=wanted_s: seconds(latents[-1].header.stamp) >= wanted_s)
        first_s = next(at_s for latent in latents if (at_s := seconds(latent.header.stamp)) >= wanted_s)
        assert first_s - wanted_s < BETWEEN_S / 2, "it took its turn among those that nobody waits for"


def test_what_was_taken_before_the_wish_came_is_sent_at_once(rig, latents, planner):
    rig.robot.images_on = False
    before_s = seconds(latents[-1].header.stamp)
    time.sleep(2 * PERIOD_S)
    count = len(latents)
    planner.publish(time_message(before_s - 1e-3))
    rig.until(lambda: len(latents) > count, 5.0)
    assert seconds(latents[-1].header.stamp) >= before_s
