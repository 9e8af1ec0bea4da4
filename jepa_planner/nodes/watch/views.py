"""One camera of the model as people watch it: its newest picture, how old that is, and where the camera stands."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo

from jepa_planner.core.camera_calibration import CameraCalibration
from jepa_planner.nodes import qos
from jepa_planner.nodes.camera_stream import CameraStream
from jepa_planner.nodes.image_input import TRANSPORTS, Picture, info_topic
from jepa_planner.nodes.watch.camera_places import Placed, calibration_of

SILENT_S = 2.0
"""A picture that is older is said to be old, and its topic silent."""
KEEP_EVERY_S, MOST_KEPT = 5.0, 12


@dataclass(frozen=True)
class Seen:
    """A picture as it was published; number: how many came before it; arrived_s: on the steady clock."""

    number: int
    message: Picture
    arrived_s: float

    @property
    def age_s(self) -> float:
        """Since it arrived."""
        return time.monotonic() - self.arrived_s


class View:
    """Hears one camera until it is closed; made and closed in the node's own thread.

    calibration: of cameras.yaml beside the model, where there is one.
    """

    def __init__(
        self, node: Node, name: str, topic: str, transport: str, calibration: CameraCalibration | None
    ) -> None:
        self.name = name
        self.newest: Seen | None = None
        self.kept: deque[Seen] = deque(maxlen=MOST_KEPT)
        """One of every few seconds, oldest first: things stood elsewhere in some."""
        self._node, self._calibration = node, calibration
        self._poses: dict[str, PoseStamped] = {}
        self._info: CameraInfo | None = None
        kind, ending = TRANSPORTS[transport]
        self._pictures = CameraStream(node, kind, f"{topic}{ending}", self._on_picture)
        self._info_topic = node.resolve_topic_name(info_topic(topic))
        # As reliably as pictures: one is small, and lost among their many parts.
        self._infos: CameraStream | None = CameraStream(node, CameraInfo, self._info_topic, self._on_info)
        self._subscriptions: list[Subscription] = []
        for teller in ("mpc_node", "sim_node"):
            keep = self._keeper(teller)
            self._subscriptions.append(
                node.create_subscription(PoseStamped, f"{teller}/{name}/pose", keep, qos.LATCHED)
            )

    @property
    def topic(self) -> str:
        """On which pictures are awaited, in full."""
        return self._pictures.subscription.topic_name

    def silence(self) -> str:
        """Why there is no new picture, in words; empty where there is one."""
        if self.newest is not None and self.newest.age_s <= SILENT_S:
            return ""
        nobody = "" if self._node.count_publishers(self.topic) else "; nobody publishes it"
        since = "" if self.newest is None else f" for {self.newest.age_s:.0f} s"
        return f"nothing came on {self.topic}{since}{nobody}"

    def calibration(self, tf: Any, base_frame: str) -> CameraCalibration:
        """How the camera projects and where it stands; tf: gives the place of a frame in another, or None.

        Raises ValueError saying what is not known.
        """
        if self._calibration is not None:
            return self._calibration
        if (info := self._info) is None:
            raise ValueError(f"there is no cameras.yaml beside the model, and nothing came on {self._info_topic}")
        placed = next(
            (_placed(self._poses[teller]) for teller in ("mpc_node", "sim_node") if teller in self._poses), None
        )
        placed = placed or tf(info.header.frame_id, base_frame)
        if placed is None:
            raise ValueError(
                f"nobody tells where the camera of {self.name} stands: neither cameras.yaml beside the model, nor a "
                f"pose, nor /tf_static from {info.header.frame_id or 'its frame'} to {base_frame}"
            )
        return calibration_of(self.name, info, placed)

    def close(self) -> None:
        """Hears no more."""
        self._pictures.close()
        self._hear_no_more_infos()
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _on_picture(self, message: Picture) -> None:
        number = 0 if self.newest is None else self.newest.number + 1
        self.newest = seen = Seen(number, message, time.monotonic())
        if not self.kept or seen.arrived_s - self.kept[-1].arrived_s >= KEEP_EVERY_S:
            self.kept.append(seen)
        if self._info is not None:
            self._hear_no_more_infos()

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message

    def _hear_no_more_infos(self) -> None:
        """A lens stays as it is. Called when a picture comes: a subscription does not end within its own callback."""
        if self._infos is not None:
            self._infos.close()
            self._infos = None

    def _keeper(self, teller: str):
        def keep(message: PoseStamped) -> None:
            self._poses[teller] = message

        return keep


def _placed(message: PoseStamped) -> Placed:
    p, q = message.pose.position, message.pose.orientation
    return Placed(message.header.frame_id, (p.x, p.y, p.z), (q.x, q.y, q.z, q.w))
