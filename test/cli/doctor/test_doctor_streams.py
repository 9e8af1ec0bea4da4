from dataclasses import replace

import numpy as np
import pytest
from made_up_system import NOW_S, SETTINGS, every, levels, planner, system, told, with_streams
from sensor_msgs.msg import CameraInfo

from jepa_planner.cli.doctor import pictures, streams
from jepa_planner.cli.doctor.findings import Level
from jepa_planner.cli.doctor.heard import Arrival, Stream
from jepa_planner.nodes.conversions import array_to_image

GREEN, YELLOW, RED = Level


def test_steady_streams_are_green_with_their_numbers():
    findings = streams.streams(system())
    assert levels(findings) == {GREEN}
    assert "joint_states: 30.0 a second, 10 ms to 10 ms old on arrival, longest gap 33 ms" in told(findings, GREEN)


@pytest.mark.parametrize(
    ("stream", "level", "words"),
    [
        (Stream(), RED, "/driver publishes /joint_states, and nothing came in 1.0 s"),
        (every(0.03, ahead_s=0.31), RED, "is stamped 0.30 s ahead of this computer's clock"),
        (every(0.03, late_s=0.6), RED, "0.60 s old on arrival, limit 0.25 s"),
        (every(0.03, late_s=NOW_S), RED, "carries no time"),
        (every(0.03, late_s=0.1), YELLOW, "is at least 0.10 s old on arrival"),
        (every(0.4), RED, "longest gap 400 ms"),
        (every(0.03, until_s=NOW_S - 0.5), RED, "longest gap 500 ms"),
        (every(0.22), YELLOW, "near the limit of 0.25 s"),
        (Stream(tuple(Arrival(NOW_S - 0.1, NOW_S, NOW_S) for _ in range(9))), RED, "one and the same stamp"),
    ],
)
def test_what_is_wrong_with_a_stream_is_told_with_its_numbers(stream, level, words):
    assert words in told(streams.streams(with_streams(joint_states=stream)), level)


def test_clocks_of_other_computers_are_seen_in_their_diagnostics():
    ahead, behind = every(1.0, ahead_s=0.3, count=4), every(1.0, late_s=0.4, count=4)
    findings = streams.hosts(system(running=planner(), diagnostics={"/arm_node": ahead, "/camera": behind}))
    assert "diagnostics of /arm_node is stamped 0.29 s ahead" in told(findings, RED)
    assert "diagnostics of /camera is at least 0.40 s old on arrival" in told(findings, YELLOW)
    assert levels(streams.hosts(system(diagnostics={"/camera": every(1.0)}))) == {GREEN}


def cameras(**changes: Stream) -> object:
    return with_streams(**{f"{view}/image_raw": stream for view, stream in changes.items()})


@pytest.mark.parametrize(
    ("front", "side", "level"),
    [
        (every(0.1), every(0.1), GREEN),
        (every(1 / 30, late_s=0.030), every(1 / 30, late_s=0.065), GREEN),
        (every(1 / 30, late_s=0.030), every(1 / 30, late_s=0.100), GREEN),
        (every(0.1), every(1 / 30, count=90), GREEN),
        (every(0.1), every(0.1, ahead_s=-0.05), RED),
    ],
)
def test_pairs_of_pictures_are_counted_by_the_rule_of_the_encoder(front, side, level):
    (finding,) = pictures.pairs(cameras(front=front, side=side))
    assert finding.level is level, finding
    if level is RED:
        assert "stamps differ by 0.050 s, sync_tolerance_s is 0.03" in finding.found


def test_one_view_alone_has_no_pairs():
    heard = system()
    one = tuple(use for use in heard.uses if use.key != "side/image_raw")
    assert pictures.pairs(replace(heard, uses=one)) == []


GREY = np.full((48, 64, 3), 120, np.uint8)


def looked_at(front: np.ndarray = GREY, side: np.ndarray = GREY, info=None, encoder=None, **changes: object):
    """Pictures of both cameras; info: width and height in camera_info; encoder: parameters of encoder_node."""
    heard = system()
    streams = dict(heard.streams)
    for view, pixels in (("front", front), ("side", side)):
        message = array_to_image(pixels)
        for name, value in changes.items():
            setattr(message, name, value)
        streams[f"/{view}/image_raw"] = Stream(every(0.1).arrivals, (message,))
    if info:
        streams["/front/camera_info"] = Stream((), (CameraInfo(width=info[0], height=info[1]),))
    settings = {**SETTINGS, "encoder_node": {**SETTINGS["encoder_node"], **(encoder or {})}}
    return pictures.pictures(replace(heard, streams=streams, settings=settings))


def test_pictures_that_can_be_used_together_are_given_on_as_the_model_is_to_see_them():
    findings, seen = looked_at()
    assert levels(findings) == {GREEN} and seen.pixels.shape == (2, 48, 64, 3)
    findings, seen = looked_at(encoder={"crop": [8, 0, 48, 48]})
    assert "64 x 48 pixels, rgb8, of which 48 x 48 are left" in told(findings, GREEN)
    assert seen.pixels.shape == (2, 48, 48, 3)


@pytest.mark.parametrize(
    ("changes", "level", "words", "usable"),
    [
        ({"encoding": "32FC1"}, RED, "image encoding is '32FC1'", False),
        ({"side": np.full((96, 64, 3), 9, np.uint8)}, RED, "views: they are 64 x 48 and 64 x 96 pixels", False),
        ({"front": np.zeros((48, 64, 3), np.uint8)}, YELLOW, "all but black -> take off the cap", True),
        ({"info": (1280, 720)}, YELLOW, "/front/camera_info describes 1280 x 720 pixels", True),
        ({"encoder": {"rectify": True}}, RED, "nothing came on /front/camera_info, which rectify needs", False),
        ({"encoder": {"crop": [0, 0, 640, 480]}}, RED, "view front: ", False),
        ({"encoder": {"rotation": [45]}}, RED, "rotation", False),
    ],
)
def test_what_is_wrong_with_pictures_is_named(changes, level, words, usable):
    findings, seen = looked_at(**changes)
    assert words in told(findings, level)
    assert (seen is not None) == usable


def test_a_goal_of_another_aspect_is_red():
    _, seen = looked_at()
    findings, framed = pictures.goal(seen, [np.zeros((72, 128, 3), np.uint8)] * 2)
    assert "64 x 48 pixels and the goal 128 x 72" in told(findings, RED) and framed is None
    findings, framed = pictures.goal(seen, [np.zeros((96, 128, 3), np.uint8)] * 2)
    assert findings == [] and framed.shape == (2, 96, 128, 3)
    assert "one per view" in told(pictures.goal(seen, [GREY])[0], RED)
    assert pictures.goal(None, [GREY, GREY])[1].shape == (2, 48, 64, 3)


def test_simulated_time_lets_stamps_be_ahead_as_far_as_its_nodes_do():
    settings = {node: values | {"use_sim_time": True} for node, values in SETTINGS.items()}
    heard = replace(with_streams(joint_states=every(0.03, ahead_s=0.3)), settings=settings)
    assert levels(streams.streams(heard)) == {GREEN}
