"""Who stands at the cell: sets the cube, shows with the arm what is to be done, keeps pictures, and sees what came."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import PoseStamped, TwistStamped
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger
from ur5e_cell import FINGER_CLOSED_RAD, HIGH_M, LOW_M, VIEWS

from jepa_planner.nodes.conversions import compressed_to_array, seconds
from jepa_planner.nodes.planner_node import wait_until
from jepa_planner.nodes.running import NodeThread

PERIOD_S, FASTEST_M_S, GAIN = 0.05, 0.2, 3.0
WITHIN_M, GRIP_S, TIMEOUT_S = 0.005, 1.0, 20.0


class CellError(RuntimeError):
    """The robot does not do what it was told."""


@dataclass(frozen=True)
class Move:
    """Where the tool goes (m), how far the gripper is closed there, and what the picture at its end is called."""

    target_m: np.ndarray
    closure: float
    name: str = ""


class Person(Node):
    """Knows the robot's own topics and nothing of the planner; the arm must be stopped while it moves it."""

    def __init__(self) -> None:
        super().__init__("person", use_global_arguments=False)
        self.tool_m, self.cube_m = np.full(3, np.nan), np.full(3, np.nan)
        self._pictures: dict[str, CompressedImage] = {}
        self._closure = 0.0
        self.create_subscription(PoseStamped, "/bench/tool", lambda m: self._see("tool_m", m), 1)
        self.create_subscription(PoseStamped, "/bench/cube", lambda m: self._see("cube_m", m), 1)
        for view in VIEWS:
            topic = f"/cam_{view.name}/color/image_raw/compressed"
            self.create_subscription(CompressedImage, topic, lambda m, v=view.name: self._pictures.update({v: m}), 1)
        self._twist = self.create_publisher(TwistStamped, "/cartesian_velocity_controller/command", 1)
        self._gripper = self.create_publisher(Float64MultiArray, "/gripper_position_controller/commands", 1)
        self._set = self.create_client(SetParameters, "/ur5e_driver/set_parameters")
        self._put = self.create_client(Trigger, "/bench/put_cube")
        self._thread = NodeThread(self, lambda: None)
        self._until(lambda: np.isfinite([self.tool_m, self.cube_m]).all(), "robot")

    def close(self) -> None:
        """Goes home."""
        self._thread.stop()

    def put_cube(self, x_m: float, y_m: float, yaw_rad: float) -> None:
        """By hand; the arm must be out of the way."""
        value = [float(x_m), float(y_m), float(yaw_rad)]
        self._call(self._set, SetParameters.Request(parameters=[Parameter("cube", value=value).to_parameter_msg()]))
        self._call(self._put, Trigger.Request())
        self.watch(0.5)

    def show(self, moves: list[Move]) -> dict[str, list[np.ndarray]]:
        """Goes through moves; the pictures, RGB [H, W, 3] one per view, at the ends of those with names."""
        kept = {}
        for move in moves:
            self._go(move.target_m)
            self._grip(move.closure)
            if move.name:
                kept[move.name] = self.pictures()
        return kept

    def clear(self) -> None:
        """Opens the hand where it is, low if the cube is not, and goes up: after somebody else has moved it."""
        self._closure = np.nan
        if self.cube_m[2] > 0.05:
            self._go(np.array((*self.tool_m[:2], 0.03)))
        self._grip(0.0)
        self._go(np.array((*self.tool_m[:2], 0.16)))

    def pictures(self) -> list[np.ndarray]:
        """One of each camera, taken from now on, at rest."""
        self.watch(0.3)
        asked_s = self.get_clock().now().nanoseconds * 1e-9

        def fresh() -> bool:
            stamps_s = [seconds(message.header.stamp) for message in list(self._pictures.values())]
            return len(stamps_s) == len(VIEWS) and min(stamps_s) > asked_s

        self._until(fresh, "pictures")
        return [compressed_to_array(self._pictures[view.name]) for view in VIEWS]

    def watch(self, for_s: float) -> np.ndarray:
        """Where the cube is in the meantime, [N, 3] (m)."""
        seen, end_s = [], time.monotonic() + for_s
        while time.monotonic() < end_s:
            seen.append(self.cube_m.copy())
            time.sleep(PERIOD_S)
        return np.array(seen)

    def _go(self, target_m: np.ndarray) -> None:
        target_m, begun_s = np.clip(target_m, LOW_M, HIGH_M), time.monotonic()
        while np.linalg.norm(off_m := target_m - self.tool_m) > WITHIN_M:
            if time.monotonic() > begun_s + TIMEOUT_S:
                raise CellError(f"the tool is at {self.tool_m.round(3)} and does not come to {target_m.round(3)}")
            velocity = GAIN * off_m
            velocity *= min(1.0, FASTEST_M_S / max(1e-9, np.abs(velocity).max()))
            self._push_stick(velocity)
            time.sleep(PERIOD_S)
        self._push_stick(np.zeros(3))

    def _grip(self, closure: float) -> None:
        self._gripper.publish(Float64MultiArray(data=[closure * FINGER_CLOSED_RAD]))
        if closure != self._closure:
            time.sleep(GRIP_S)
        self._closure = closure

    def _push_stick(self, velocity_m_s: np.ndarray) -> None:
        twist = TwistStamped()
        twist.header.stamp, twist.header.frame_id = self.get_clock().now().to_msg(), "base_link"
        twist.twist.linear.x, twist.twist.linear.y, twist.twist.linear.z = velocity_m_s.tolist()
        self._twist.publish(twist)

    def _see(self, name: str, message: PoseStamped) -> None:
        at = message.pose.position
        setattr(self, name, np.array((at.x, at.y, at.z)))

    def _call(self, client, request) -> None:
        self._until(client.service_is_ready, client.srv_name)
        sent: list = []
        self._thread.call(lambda: sent.append(client.call_async(request)))
        self._until(sent[0].done, f"answer of {client.srv_name}")

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        if not wait_until(condition, TIMEOUT_S):
            raise CellError(f"no {what} within {TIMEOUT_S:.0f} s")
