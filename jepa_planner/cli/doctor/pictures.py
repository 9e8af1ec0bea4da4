"""Checks of the cameras' pictures: encodings, sizes, and whether those of all views show one moment."""

from __future__ import annotations

import numpy as np

from jepa_planner.cli.doctor.findings import Finding, green, red, yellow
from jepa_planner.cli.doctor.heard import Heard, Stream, Use
from jepa_planner.core.aspect import same_aspect
from jepa_planner.nodes.conversions import ConversionError, image_to_array
from jepa_planner.nodes.view_pairing import ViewPairing

DARK, BRIGHT = 3.0, 252.0
"""Mean grey values of a covered camera, and of one that sees nothing but light."""
ALIKE = 0.5
"""The least share of the slower camera's pictures that find their partner."""


def pictures(heard: Heard) -> tuple[list[Finding], np.ndarray | None]:
    """What there is to say on the newest pictures, and they themselves, uint8 RGB [views, H, W, 3], where all can be
    used together.
    """
    findings, pixels = [], []
    for use in heard.pictures:
        messages = heard.streams.get(use.topic, Stream()).messages
        if not messages:
            continue
        try:
            pixels.append(image_to_array(messages[-1]))
        except ConversionError as error:
            findings.append(red(use.key, str(error), "have the driver publish rgb8, or remap to a topic that does"))
            continue
        findings += [_picture(use, pixels[-1], messages[-1].encoding), *_camera_info(use, pixels[-1], heard)]
    shapes = [picture.shape for picture in pixels]
    if len(set(shapes)) > 1:
        sizes = " and ".join(f"{width} x {height}" for height, width, _ in shapes)
        findings.append(red("views", f"they are {sizes} pixels", "all cameras must deliver pictures of one size"))
    complete = len(pixels) == len(heard.pictures) and len(set(shapes)) == 1
    return findings, np.stack(pixels) if complete else None


def _picture(use: Use, pixels: np.ndarray, encoding: str) -> Finding:
    text = f"{pixels.shape[1]} x {pixels.shape[0]} pixels, {encoding}"
    mean = float(pixels.mean())
    if mean < DARK or mean > BRIGHT:
        what = "black" if mean < DARK else "white"
        return yellow(use.key, f"{text}, and all but {what}", "take off the cap, or mend exposure and light")
    return green(use.key, text)


def _camera_info(use: Use, pixels: np.ndarray, heard: Heard) -> list[Finding]:
    topic = f"{use.topic.rpartition('/')[0]}/camera_info"
    for info in heard.streams.get(topic, Stream()).messages[-1:]:
        if (info.height, info.width) != pixels.shape[:2]:
            text = f"{topic} describes {info.width} x {info.height} pixels; the pictures have others"
            return [
                yellow(use.key, text, "load the calibration of this resolution; nothing can be rectified by this one")
            ]
    return []


def pairs(heard: Heard) -> list[Finding]:
    """How often the pictures of all views are of one moment, by the rule of encoder_node."""
    views = heard.pictures
    streams = [heard.streams.get(use.topic, Stream()) for use in views]
    if len(views) < 2 or not all(stream.arrivals for stream in streams):
        return []
    arrivals = sorted(
        (arrival.steady_s, view, arrival.stamp_s) for view, stream in enumerate(streams) for arrival in stream.arrivals
    )
    tolerance_s = heard.settings["encoder_node"]["sync_tolerance_s"]
    pairing: ViewPairing[None] = ViewPairing(len(views), tolerance_s)
    moments = sum(pairing.add(view, stamp_s, None) is not None for _, view, stamp_s in arrivals)
    slower = min(streams, key=lambda stream: len(stream.arrivals))
    pictures = len(slower.arrivals)
    rate, slowest = slower.per_second(moments), slower.per_second(pictures)
    text = f"{rate:.1f} pairs a second, of {slowest:.1f} pictures of the slower camera"
    if moments >= ALIKE * pictures:
        return [green("pairs", text)]
    spread_s = pairing.spread_s()
    apart = f"; stamps differ by {spread_s:.3f} s, sync_tolerance_s is {tolerance_s:g}" if spread_s is not None else ""
    how = "trigger the cameras together, or raise sync_tolerance_s above that: the arm rests while pictures count"
    level = red if not moments else yellow
    return [level("pairs", f"{text}{apart}", how)]


def goal(pixels: np.ndarray | None, shown: np.ndarray) -> list[Finding]:
    """Whether goal pictures, [views, H, W, 3], can be of the cameras whose pictures came."""
    if pixels is None or same_aspect(_size(pixels), _size(shown)):
        return []
    now, then = (" x ".join(map(str, _size(one))) for one in (pixels, shown))
    text = f"the cameras' pictures are {now} pixels, the goal's {then}: another aspect"
    return [red("goal picture", text, "take goal pictures whole, with the same cameras")]


def _size(pixels: np.ndarray) -> tuple[int, int]:
    return pixels.shape[-2], pixels.shape[-3]
