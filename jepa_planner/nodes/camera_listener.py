"""What a camera sees and where the arm is meanwhile, for the command line."""

from __future__ import annotations

import os
import threading
from typing import NamedTuple

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage

from jepa_planner.calibration.camera_info import lens_of
from jepa_planner.calibration.resting import RestingArm
from jepa_planner.calibration.samples import GivenLens
from jepa_planner.calibration.transforms import transform
from jepa_planner.msg import ArmState
from jepa_planner.nodes import qos
from jepa_planner.nodes.camera_stream import CameraStream
from jepa_planner.nodes.conversions import compressed_to_array, image_to_array, numbers, rotation_from, seconds
from jepa_planner.nodes.image_input import TRANSPORTS, Picture, info_topic
from jepa_planner.nodes.planner_node import wait_until
from jepa_planner.nodes.running import NodeThread


class ListenerError(RuntimeError):
    """Nothing came on a topic; the message names it."""


class Seen(NamedTuple):
    """A picture, uint8 RGB [H, W, 3], and the pose of the tcp then, [4, 4]; None where the arm did not rest."""

    stamp_s: float
    picture: np.ndarray
    base_from_tcp: np.ndarray | None


class CameraListener:
    """Hears one camera and arm_state; `rclpy.init` comes first. Close it, or use it as a context manager."""

    def __init__(self, image_topic: str, namespace: str = "", image_transport: str = "raw") -> None:
        self.node = Node(f"camera_listener_{os.getpid()}", namespace=namespace, use_global_arguments=False)
        self.arm, self.base_frame = RestingArm(), ""
        self._lens: CameraInfo | None = None
        self._image: Picture | None = None
        self._pose: np.ndarray | None = None
        self._lock = threading.Lock()
        kind, ending = TRANSPORTS[image_transport]
        self._images = CameraStream(self.node, kind, f"{image_topic}{ending}", self._on_image)
        # As reliably as pictures: one is small, and lost among their many parts.
        CameraStream(self.node, CameraInfo, info_topic(image_topic), self._on_info)
        self._states = self.node.create_subscription(ArmState, "arm_state", self._on_state, qos.STATE)
        self._thread = NodeThread(self.node, lambda: None)

    def __enter__(self) -> CameraListener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the listener's thread and node."""
        self._thread.stop()

    def wait(self, timeout_s: float, with_arm: bool = True) -> None:
        """Until a picture came, and a state of the arm; raises ListenerError naming the topic on which nothing did."""
        wait_until(lambda: self._image is not None and (self._pose is not None or not with_arm), timeout_s)
        for there, topic, who in (
            (self._image, self._images.subscription.topic_name, "the camera's driver, or --image-topic"),
            (self._pose if with_arm else self, self._states.topic_name, "arm_node, `jepa-planner run`"),
        ):
            if there is None:
                raise ListenerError(f"nothing came on {topic} within {timeout_s:.0f} s: check {who}")

    def newest(self) -> Seen:
        """The newest picture; raises ConversionError where it is none."""
        with self._lock:
            image = self._image
            assert image is not None, "wait first"
            stamp_s = seconds(image.header.stamp)
            pose = self.arm.pose_at(stamp_s)
        decode = compressed_to_array if isinstance(image, CompressedImage) else image_to_array
        return Seen(stamp_s, decode(image), pose)

    def tcp(self) -> np.ndarray:
        """Where the tcp is now, [4, 4]."""
        with self._lock:
            assert self._pose is not None, "wait first"
            return self._pose

    def camera_info(self) -> GivenLens | None:
        """The lens as the driver says it, None where it says none that can be used."""
        info = self._lens
        try:
            return None if info is None else lens_of(info.width, info.height, info.k, info.d, info.distortion_model)
        except ValueError:
            return None

    def _on_image(self, message: Picture) -> None:
        with self._lock:
            self._image = message

    def _on_info(self, message: CameraInfo) -> None:
        self._lens = message

    def _on_state(self, message: ArmState) -> None:
        pose = transform(numbers(message.pose.position), rotation_from(message.pose.orientation))
        with self._lock:
            self._pose, self.base_frame = pose, message.header.frame_id
            self.arm.feed(seconds(message.header.stamp), pose)
