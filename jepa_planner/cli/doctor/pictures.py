"""Checks of the cameras' pictures: encodings, sizes, and whether those of all views show one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jepa_planner.cli.doctor.findings import Finding, green, red, yellow
from jepa_planner.cli.doctor.heard import Heard, Stream, Use
from jepa_planner.core.aspect import Size, check_same_cameras
from jepa_planner.nodes.conversions import array_to_image
from jepa_planner.nodes.image_input import ImageInput, image_inputs, info_topic
from jepa_planner.nodes.view_pairing import ViewPairing

DARK, BRIGHT = 3.0, 252.0
"""Mean grey values of a covered camera, and of one that sees nothing but light."""
ALIKE = 0.5
"""The least share of the slower camera's pictures that find their partner."""


@dataclass(frozen=True)
class Seen:
    """The newest pictures of all views as the model is to see them, uint8 RGB [views, H, W, 3], and their sizes (width
    and height in pixels) as they came; inputs: what makes the one of the other.
    """

    inputs: Sequence[ImageInput]
    pixels: np.ndarray
    sizes: Sequence[Size]

    def goal(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Goal pictures, uint8 RGB [H, W, 3] each, as the model is to see them; raises ValueError for those of other
        cameras.
        """
        framed = [each.pixels(array_to_image(picture)) for each, picture in zip(self.inputs, pictures, strict=True)]
        check_same_cameras(self.sizes, [size for _, size in framed], [each.needs_whole_size for each in self.inputs])
        return np.stack([pixels for pixels, _ in framed])


def pictures(heard: Heard) -> tuple[list[Finding], Seen | None]:
    """What there is to say on the newest pictures, and they themselves where all can be used together."""
    topics = [use.topic.removesuffix(use.ending) for use in heard.pictures]
    try:
        inputs = image_inputs(heard.views, heard.settings["encoder_node"], topics)
    except ValueError as error:
        return [red("pictures", str(error), "mend this parameter of encoder_node")], None
    findings: list[Finding] = []
    framed = []
    for use, topic, each in zip(heard.pictures, topics, inputs, strict=True):
        messages = heard.streams.get(use.topic, Stream()).messages
        infos = heard.streams.get(info_topic(topic), Stream()).messages
        if not messages:
            continue
        try:
            for info in infos[-1:] if heard.settings["encoder_node"]["rectify"] else ():
                each.take_camera_info(info)
            framed.append(each.pixels(messages[-1]))
        except ValueError as error:
            findings.append(red(use.key, str(error), "have the driver publish rgb8, or remap to a topic that does"))
            continue
        findings += [_picture(use, *framed[-1], messages[-1]), *_camera_info(use, topic, framed[-1][1], infos)]
    shapes = [pixels.shape for pixels, _ in framed]
    if len(set(shapes)) > 1:
        sizes = " and ".join(f"{width} x {height}" for height, width, _ in shapes)
        findings.append(
            red("views", f"they are {sizes} pixels", "set the cameras, or encoder_node's crop, to one size")
        )
    if len(framed) < len(inputs) or len(set(shapes)) != 1:
        return findings, None
    return findings, Seen(inputs, np.stack([pixels for pixels, _ in framed]), [size for _, size in framed])


def _picture(use: Use, pixels: np.ndarray, size: Size, message: Any) -> Finding:
    text = f"{size[0]} x {size[1]} pixels, {getattr(message, 'encoding', '') or message.format}"
    if (seen := (pixels.shape[1], pixels.shape[0])) != size:
        text += f", of which {seen[0]} x {seen[1]} are left"
    mean = float(pixels.mean())
    if mean < DARK or mean > BRIGHT:
        what = "black" if mean < DARK else "white"
        return yellow(use.key, f"{text}, and all but {what}", "take off the cap, or mend exposure and light")
    return green(use.key, text)


def _camera_info(use: Use, topic: str, size: Size, infos: Sequence[Any]) -> list[Finding]:
    for info in infos[-1:]:
        if (info.width, info.height) != size:
            text = f"{info_topic(topic)} describes {info.width} x {info.height} pixels; the pictures have others"
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


def goal(seen: Seen | None, shown: Sequence[np.ndarray]) -> tuple[list[Finding], np.ndarray | None]:
    """Whether goal pictures can be of the cameras whose pictures came; and they as the model is to see them."""
    how = "take goal pictures whole, one per view, with the same cameras"
    try:
        return [], np.stack(shown) if seen is None else seen.goal(shown)
    except ValueError as error:
        return [red("goal picture", str(error), how)], None
