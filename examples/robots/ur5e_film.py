"""The cell's cameras, which draw beside the physics."""

from __future__ import annotations

import array
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from cameras import HEIGHT_PX, WIDTH_PX
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from ur5e_cell import VIEWS, Cell

if TYPE_CHECKING:
    from ur5e_mujoco import Driver


class Film:
    """The cell's cameras: pictures of one moment, drawn beside the physics and stamped with when they were taken."""

    def __init__(self, driver: Driver, rate_hz: float) -> None:
        self._driver, self._period_s, self._next_s = driver, 1.0 / rate_hz, 0.0
        self._exposed: tuple[float, np.ndarray] | None = None
        self._draws = False
        self._woken = threading.Condition()
        reliable = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        self._images = {
            view.name: driver.create_publisher(
                CompressedImage, f"/cam_{view.name}/color/image_raw/compressed", reliable
            )
            for view in VIEWS
        }

    def is_behind(self, now_s: float) -> bool:
        """Whether pictures are due while those before are still being drawn."""
        with self._woken:
            return now_s >= self._next_s and (self._draws or self._exposed is not None)

    def expose(self, now_s: float) -> None:
        """Called in each cycle; what the cameras did not come to is left out."""
        if now_s >= self._next_s:
            self._next_s = max(self._next_s + self._period_s, now_s - self._period_s)
            with self._woken:
                self._exposed = now_s, self._driver.cell.data.qpos.copy()
                self._woken.notify()

    def run(self, going: Callable[[], bool]) -> None:
        """Draws and publishes, in a thread of its own, until `going` says no."""
        cell = Cell()
        while going():
            with self._woken:
                if self._exposed is None:
                    self._woken.wait(0.1)
                exposed, self._exposed = self._exposed, None
                self._draws = exposed is not None
            if exposed is not None:
                stamp = self._driver.stamp(exposed[0])
                cell.show(exposed[1])
                for view in VIEWS:
                    self._publish(view.name, cell.picture(view.name, WIDTH_PX, HEIGHT_PX), stamp)
                with self._woken:
                    self._draws = False
        cell.close()

    def _publish(self, view: str, picture: np.ndarray, stamp: Time) -> None:
        data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
        message = CompressedImage(format="bgr8; jpeg compressed bgr8", data=array.array("B", data))
        message.header.stamp, message.header.frame_id = stamp, f"cam_{view}_optical_frame"
        self._images[view].publish(message)
