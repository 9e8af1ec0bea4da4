import array
import contextlib
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from geometry_msgs.msg import Quaternion
from hypothesis import given
from hypothesis import strategies as st
from jepa_planner.action import ReachGoalImage
from sensor_msgs.msg import Image

from jepa_planner.control.kinematics import rotation_from_rpy
from jepa_planner.core.observation import Observation
from jepa_planner.nodes.arm_states import xyz_rpy
from jepa_planner.nodes.conversions import (
    ConversionError,
    array_from,
    array_to_image,
    duration_message,
    image_to_array,
    pose,
    quaternion,
    rotation_from,
    seconds,
    time_message,
)
from jepa_planner.nodes.latents import latent_message, observation_from
from jepa_planner.nodes.verdicts import verdict_in_words, verdict_numbers
from jepa_planner.planning.verdict import Verdict

ZEROS = Observation(torch.zeros(3, 4))
PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


def image(encoding: str, data: np.ndarray, step: int) -> Image:
    height, width = data.shape[:2]
    return Image(encoding=encoding, height=height, width=width, step=step, data=array.array("B", data.tobytes()))


def test_a_picture_survives_the_way_there_and_back():
    np.testing.assert_array_equal(image_to_array(array_to_image(PIXELS)), PIXELS)


def test_channels_come_out_as_rgb():
    np.testing.assert_array_equal(image_to_array(image("bgr8", PIXELS[..., ::-1], 9)), PIXELS)
    alpha = np.full((2, 3, 1), 9, np.uint8)
    np.testing.assert_array_equal(image_to_array(image("rgba8", np.concatenate([PIXELS, alpha], 2), 12)), PIXELS)
    grey = image_to_array(image("mono8", PIXELS[..., :1], 3))
    np.testing.assert_array_equal(grey, np.repeat(PIXELS[..., :1], 3, axis=2))


def test_sixteen_bits_become_eight_whatever_the_order_of_bytes():
    values = np.array([[[0x8001], [0xFFFF], [0]]], np.uint16)
    for order, is_bigendian in (("<u2", 0), (">u2", 1)):
        message = image("mono16", values.astype(order), 6)
        message.is_bigendian = is_bigendian
        assert image_to_array(message)[0, :, 0].tolist() == [128, 255, 0]


def test_padding_at_the_end_of_rows_is_left_out():
    padded = np.zeros((2, 16), np.uint8)
    padded[:, :9] = PIXELS.reshape(2, 9)
    message = Image(encoding="rgb8", height=2, width=3, step=16, data=array.array("B", padded.tobytes()))
    np.testing.assert_array_equal(image_to_array(message), PIXELS)


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (Image(encoding="yuv422", height=1, width=1), "yuv422"),
        (Image(encoding="rgb8", height=0, width=3), "3 x 0"),
        (Image(encoding="rgb8", height=2, width=3, step=9, data=[0] * 17), "17 bytes"),
        (Image(encoding="rgb8", height=2, width=3, step=8, data=[0] * 16), "rows of 8"),
        (Image(encoding="rgb8", height=2**31, width=2**31), "expected 1 to 8192"),
    ],
)
def test_a_malformed_image_is_refused_by_name(message, named):
    with pytest.raises(ConversionError, match=named):
        image_to_array(message)


@given(
    encoding=st.sampled_from(["rgb8", "bgra8", "mono8", "", "16UC1"]),
    height=st.integers(0, 20),
    width=st.integers(0, 20),
    step=st.integers(0, 100),
    data=st.binary(max_size=1000),
)
def test_whatever_an_image_message_holds_it_is_an_image_or_a_conversion_error(encoding, height, width, step, data):
    message = Image(encoding=encoding, height=height, width=width, step=step, data=array.array("B", data))
    with contextlib.suppress(ConversionError):
        assert image_to_array(message).shape == (height, width, 3)


def test_a_latent_survives_the_way_there_and_back():
    latent = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    images = np.random.default_rng(1).normal(size=(2, 3, 4, 4)).astype(np.float32)
    given = Observation(torch.from_numpy(latent), torch.from_numpy(images), stamp_s=1.5)
    for sent in (given, replace(given, images=None)):
        came = observation_from(latent_message(sent, "small 1"), "small 1")
        assert torch.equal(came.latent, sent.latent) and came.stamp_s == 1.5
        assert came.images is None if sent.images is None else torch.equal(came.images, sent.images)


def test_latents_of_another_model_are_refused():
    with pytest.raises(ConversionError, match="'small 1', expected 'small 2'"):
        observation_from(latent_message(ZEROS, "small 1"), "small 2")


def test_a_latent_shorter_than_it_says_is_refused():
    message = latent_message(ZEROS, "small 1")
    message.tokens = 5
    with pytest.raises(ConversionError, match="12 numbers, expected 5 x 4"):
        observation_from(message, "small 1")


def test_arrays_of_the_wrong_length_are_refused():
    with pytest.raises(ConversionError, match="states has 3 numbers, expected 2 x 8"):
        array_from([1.0, 2.0, 3.0], (2, 8), "states")


@pytest.mark.parametrize("value_s", [0.0, 0.25, 1.999999999, 1_795_372_105.123456])
def test_times_keep_their_value(value_s):
    assert seconds(time_message(value_s)) == pytest.approx(value_s, abs=1e-6)
    assert seconds(duration_message(value_s)) == pytest.approx(value_s, abs=1e-6)


def test_a_quarter_turn_about_z_is_the_quaternion_of_the_books():
    turned = quaternion(rotation_from_rpy([0.0, 0.0, np.pi / 2]))
    assert (turned.x, turned.y) == pytest.approx((0.0, 0.0))
    assert (turned.z, turned.w) == pytest.approx((np.sqrt(0.5), np.sqrt(0.5)))


def test_a_pose_survives_the_way_there_and_back():
    xyz, rpy = [0.4, -0.1, 0.2], [0.3, -0.2, 2.9]
    np.testing.assert_allclose(xyz_rpy(pose(xyz, rotation_from_rpy(rpy))), [*xyz, *rpy], atol=1e-12)


@pytest.mark.parametrize("parts", [(0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 1.0, 1.0), (0.0, 0.0, math.nan, 1.0)])
def test_what_is_no_unit_quaternion_is_no_orientation(parts):
    with pytest.raises(ConversionError, match="expected a unit quaternion"):
        rotation_from(Quaternion(**dict(zip("xyzw", parts, strict=True))))


def test_a_verdict_is_read_from_a_message_in_its_own_words():
    verdict = Verdict(0.93, 0.008, "the gripper should let go")
    feedback = ReachGoalImage.Feedback(**verdict_numbers(verdict))
    said = verdict_in_words(feedback, verdict.missing)
    assert "0.8 cm off, 93 % sure" in said and said.endswith("; the gripper should let go")
    assert "elsewhere" in verdict_in_words(ReachGoalImage.Feedback(**verdict_numbers(Verdict(0.0, math.inf, ""))))


def test_what_a_verdict_says_anyhow_is_not_said_twice():
    feedback = ReachGoalImage.Feedback(**verdict_numbers(Verdict(0.12, 0.042, "")))
    said = verdict_in_words(feedback)
    assert verdict_in_words(feedback, missing=said.split(",")[0]) == said


def test_where_nothing_was_judged_there_are_no_words():
    assert verdict_in_words(ReachGoalImage.Feedback(**verdict_numbers(None))) == ""
