"""Poses for people and for tf2: the tcp as it is measured and commanded, and the cameras, in the base frame.

A frame has one parent and one publisher (REP 105). What the drivers' robot_state_publisher tells, the links, is not
told here: these frames have names of their own, with the node's namespace before them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose, PoseStamped, TransformStamped
from rclpy.node import Node

from jepa_planner.msg import ArmState
from jepa_planner.nodes import qos
from jepa_planner.nodes.conversions import pose
from jepa_planner.nodes.parameters import Parameter

PUBLISH_TF = Parameter("publish_tf", True, "Tell its frames on /tf or /tf_static too, where tf2_msgs is installed.")
TCP, TCP_TARGET = "jepa_tcp", "jepa_tcp_target"
NO_TF2 = (
    "tf2_msgs is not installed, so nothing is told on /tf and /tf_static: sudo apt install ros-$ROS_DISTRO-tf2-msgs"
)


class TransformPublisher:
    """Sends transforms, on /tf or, where they stand for good, on /tf_static; nothing where that is not wanted or
    tf2_msgs is not installed, which the log then says.
    """

    def __init__(self, node: Node, is_wanted: bool, is_static: bool = False) -> None:
        self._node, self._publisher = node, None
        if not is_wanted:
            return
        try:
            from tf2_msgs.msg import TFMessage
        except ImportError:
            node.get_logger().info(NO_TF2, once=True)
            return
        self._message = TFMessage
        topic, quality = ("/tf_static", qos.LATCHED) if is_static else ("/tf", qos.TRANSFORMS)
        self._publisher = node.create_publisher(TFMessage, topic, quality)

    def send(self, *transforms: TransformStamped) -> None:
        """Publishes them together: on /tf_static the last message is all that late subscribers get of this node."""
        if self._publisher is not None:
            self._publisher.publish(self._message(transforms=list(transforms)))

    def destroy(self) -> None:
        """Ends the publisher."""
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)


class TcpFrames:
    """Tells where the tcp is and where it was told to be, whenever an arm state is told."""

    def __init__(self, node: Any, is_wanted: bool) -> None:
        self._node = node
        self._measured = node.create_lifecycle_publisher(PoseStamped, "~/tcp_pose", qos.STREAM)
        self._target = node.create_lifecycle_publisher(PoseStamped, "~/tcp_target", qos.STREAM)
        self._transforms = TransformPublisher(node, is_wanted)
        self._told = (0, 0)

    def tell(self, state: ArmState) -> None:
        """Sends the poses of an arm state, once for each joint state that it comes from; none without."""
        stamp = state.header.stamp.sec, state.header.stamp.nanosec
        if stamp == (0, 0) or not self._node.active:
            return
        transforms = []
        for publisher, frame, where in (
            (self._measured, TCP, state.pose),
            (self._target, TCP_TARGET, state.commanded_pose),
        ):
            if publisher.get_subscription_count():
                publisher.publish(PoseStamped(header=state.header, pose=where))
            transforms.append(transform(state.header.frame_id, own_frame(self._node, frame), where, state.header.stamp))
        if stamp != self._told:  # tf2 complains of the same stamp again
            self._told = stamp
            self._transforms.send(*transforms)

    def destroy(self) -> None:
        """Ends the publishers."""
        for publisher in (self._measured, self._target):
            self._node.destroy_lifecycle_publisher(publisher)
        self._transforms.destroy()


@dataclass(frozen=True)
class PlacedCamera:
    """Where a camera stands in the base frame: of its optical frame, z forward, x right and y down (REP 103)."""

    view: str
    frame: str
    xyz_m: np.ndarray
    rotation: np.ndarray


class CameraFrames:
    """Tells where cameras stand, latched, on `~/VIEW/pose` and /tf_static."""

    def __init__(self, node: Node, base_frame: str, is_wanted: bool) -> None:
        self._node, self._base_frame, self._is_wanted = node, base_frame, is_wanted
        self._transforms: TransformPublisher | None = None
        self._poses: dict[str, Any] = {}

    def tell(self, cameras: Iterable[PlacedCamera], stamp: Time) -> None:
        """Sends the places of all cameras; what was told of them before counts no more."""
        transforms = []
        for camera in cameras:
            if camera.view not in self._poses:
                topic = f"~/{camera.view}/pose"
                self._poses[camera.view] = self._node.create_publisher(PoseStamped, topic, qos.LATCHED)
            where = pose(camera.xyz_m, camera.rotation)
            told = transform(self._base_frame, camera.frame, where, stamp)
            self._poses[camera.view].publish(PoseStamped(header=told.header, pose=where))
            transforms.append(told)
        if transforms:
            self._transforms = self._transforms or TransformPublisher(self._node, self._is_wanted, is_static=True)
            self._transforms.send(*transforms)

    def destroy(self) -> None:
        """Ends the publishers."""
        for publisher in self._poses.values():
            self._node.destroy_publisher(publisher)
        if self._transforms is not None:
            self._transforms.destroy()


def own_frame(node: Node, name: str) -> str:
    """A frame that nobody else publishes, not even the same node in another namespace."""
    return f"{node.get_namespace()}/{name}".lstrip("/")


def transform(parent: str, child: str, where: Pose, stamp: Time) -> TransformStamped:
    """The pose of a frame in its parent as tf2 has it."""
    message = TransformStamped(child_frame_id=child)
    message.header.stamp, message.header.frame_id = stamp, parent
    translation, position = message.transform.translation, where.position
    translation.x, translation.y, translation.z = position.x, position.y, position.z
    message.transform.rotation = where.orientation
    return message
