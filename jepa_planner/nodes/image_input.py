"""The way of a picture from its message to what the model is to see: decoded, rectified, turned, cropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from jepa_planner.core.framing import Framing, framings
from jepa_planner.core.image_message import ConversionError
from jepa_planner.core.seen_picture import SeenPicture, lens_of
from jepa_planner.nodes.conversions import picture_to_array
from jepa_planner.nodes.parameters import Parameter, Parameters

TRANSPORTS = {"raw": (Image, ""), "compressed": (CompressedImage, "/compressed")}
"""What image_transport publishes beside a topic: its type, and what its name ends with."""
Picture: TypeAlias = Image | CompressedImage

IMAGE_PARAMETERS = (
    Parameter("image_topics", [""], "One topic per view of the model, in order; empty: VIEW/image_raw."),
    Parameter(
        "image_transport",
        "raw",
        "Which messages are heard: those of the topics themselves, or of TOPIC/compressed.",
        choices=tuple(TRANSPORTS),
    ),
    Parameter(
        "rectify", False, "Take out the distortion that camera_info beside each image topic tells; goal pictures too."
    ),
    Parameter(
        "rotation", [0], "Degrees that pictures are turned clockwise: 0, 90, 180 or 270, for all views or for each."
    ),
    Parameter(
        "crop",
        [0],
        "x, y, width, height (px) of the part that is seen, after turning, for all views or for each; 0: all of it.",
    ),
)


class ImageInput:
    """One view's pictures; those of goals, in the form in which cameras publish them, go the same way."""

    def __init__(self, view: str, framing: Framing, info_topic: str = "") -> None:
        """info_topic: where the camera's calibration comes from; empty: pictures are not rectified."""
        self.view = view
        self._info_topic = info_topic
        self._seen = SeenPicture(framing)

    @property
    def needs_whole_size(self) -> bool:
        """Whether pixels stand for places in the camera's own picture, so that one of another size will not do."""
        return bool(self._info_topic) or self._seen.framing.crop is not None

    @property
    def lacking(self) -> str:
        """What has not come yet without which no picture can be used; empty where all is there."""
        missing = self._info_topic and self._seen.lens is None
        return f"view {self.view}: nothing came on {self._info_topic}, which rectify needs" if missing else ""

    def take_camera_info(self, message: CameraInfo) -> None:
        """Takes the camera's calibration, by which pictures are rectified from now on."""
        self._seen.lens = lens_of(message)

    def pixels(self, message: Picture) -> tuple[np.ndarray, tuple[int, int]]:
        """uint8 RGB [H, W, 3] as the model is to see it, and width and height of the picture as it came.

        Raises ConversionError naming the view and what is wrong.
        """
        if self.lacking:
            raise ConversionError(self.lacking)
        try:
            came = picture_to_array(message)
            return self._seen.of(came), (came.shape[1], came.shape[0])
        except ConversionError as error:
            raise ConversionError(f"view {self.view}: {error}") from error


def image_inputs(
    views: Sequence[str], parameters: Parameters | Mapping[str, Any], topics: Sequence[str]
) -> list[ImageInput]:
    """One per view, of image topics as they are resolved; raises ValueError naming the parameter that is wrong."""
    framed = framings(views, parameters["rotation"], parameters["crop"])
    infos = [info_topic(topic) if parameters["rectify"] else "" for topic in topics]
    return [ImageInput(view, framing, info) for view, framing, info in zip(views, framed, infos, strict=True)]


def info_topic(image_topic: str) -> str:
    """Where image_transport puts the camera_info of an image topic: beside it."""
    return f"{image_topic.rpartition('/')[0]}/camera_info"


def check_frames(views: Sequence[str], frames: Sequence[str], of_goal: Sequence[str]) -> None:
    """Raises ConversionError where the views' pictures have the frames of the goal's, but in another order.

    Other names say nothing: a goal may come from a file, or from before frames were renamed.
    """
    if sorted(frames) == sorted(of_goal) and list(frames) != list(of_goal):
        now, then = (
            ", ".join(f"{view} in {frame}" for view, frame in zip(views, each, strict=True))
            for each in (frames, of_goal)
        )
        raise ConversionError(
            f"views are mixed up: the cameras show {now}, and the goal pictures {then}: correct image_topics, or the "
            "order of the goal's pictures"
        )
