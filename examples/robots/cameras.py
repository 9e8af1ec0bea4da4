"""Camera drivers: pictures of one moment go out some time after it, and are stamped with it."""

from __future__ import annotations

import array
import heapq
import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

WIDTH_PX, HEIGHT_PX = 640, 480


@dataclass(frozen=True)
class Camera:
    """Where a camera is and looks (m, degrees), where its axis meets the picture, and how late its pictures are."""

    name: str
    eye_m: tuple[float, float, float]
    target_m: tuple[float, float, float]
    vertical_field_of_view_deg: float
    delay_s: float
    axis_px: tuple[float, float] = (WIDTH_PX / 2, HEIGHT_PX / 2)

    def focal_px(self) -> float:
        return HEIGHT_PX / 2 / math.tan(math.radians(self.vertical_field_of_view_deg) / 2)


class Stream:
    """`NAME/image_raw` (bgr8), or only `NAME/image_raw/compressed`, and `NAME/camera_info`.

    The cameras run freely at one rate, each `APART_S` behind the one before. What shows a motion takes time to draw: it
    comes later, and frames are left out, of all cameras.
    """

    APART_S = 0.012

    def __init__(self, node: Node, cameras: tuple[Camera, ...], rate_hz: float, compressed: bool) -> None:
        reliable = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        kind, ending = (CompressedImage, "/compressed") if compressed else (Image, "")
        self._images = {
            camera.name: node.create_publisher(kind, f"{camera.name}/image_raw{ending}", reliable) for camera in cameras
        }
        self._infos = {
            camera.name: node.create_publisher(CameraInfo, f"{camera.name}/camera_info", reliable) for camera in cameras
        }
        self._cameras, self._period_s, self._compressed = cameras, 1.0 / rate_hz, compressed
        self._due: list[tuple[float, int, Camera, object]] = []
        self._order = itertools.count()

    def run(self, going: Callable[[], bool], draw: Callable[[Camera, float], np.ndarray]) -> None:
        """Until `going` says no; draw: gives the picture of a moment (s since the epoch), RGB [480, 640, 3]."""
        frame_s, last_s = time.time(), self.APART_S * (len(self._cameras) - 1)
        while going():
            self._send_what_is_due()
            if (wait_s := frame_s + last_s - time.time()) > 0.0:
                due_s = self._due[0][0] - time.time() if self._due else wait_s
                time.sleep(max(0.0, min(wait_s, due_s)))
                continue
            for number, camera in enumerate(self._cameras):
                exposed_s = frame_s + number * self.APART_S
                message = self._message(camera, exposed_s, draw(camera, exposed_s))
                heapq.heappush(self._due, (exposed_s + camera.delay_s, next(self._order), camera, message))
                self._send_what_is_due()
            frame_s += self._period_s * max(1, math.ceil((time.time() - last_s - frame_s) / self._period_s))

    def _send_what_is_due(self) -> None:
        while self._due and self._due[0][0] <= time.time():
            _, _, camera, message = heapq.heappop(self._due)
            self._images[camera.name].publish(message)
            if self._infos[camera.name].get_subscription_count():
                self._infos[camera.name].publish(self._info(camera, message.header))

    def _message(self, camera: Camera, stamp_s: float, picture: np.ndarray) -> Image | CompressedImage:
        bgr = np.ascontiguousarray(picture[..., ::-1])
        if self._compressed:
            data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
            message = CompressedImage(format="bgr8; jpeg compressed bgr8")
        else:
            data = bgr.tobytes()
            message = Image(height=HEIGHT_PX, width=WIDTH_PX, encoding="bgr8", step=3 * WIDTH_PX)
        message.data = array.array("B", data)
        message.header.stamp = Time(sec=int(stamp_s), nanosec=int(stamp_s % 1 * 1e9))
        message.header.frame_id = f"{camera.name.rsplit('/', 1)[0].strip('/').replace('/', '_')}_optical_frame"
        return message

    def _info(self, camera: Camera, header) -> CameraInfo:
        focal = camera.focal_px()
        k = [focal, 0.0, camera.axis_px[0], 0.0, focal, camera.axis_px[1], 0.0, 0.0, 1.0]
        return CameraInfo(
            header=header, height=HEIGHT_PX, width=WIDTH_PX, distortion_model="plumb_bob", d=[0.0] * 5, k=k,
            r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0], p=[*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0],
        )  # fmt: skip
