"""A person at the sticks of the UR5e's cell, who also works the recorder: commands and keys, nothing else.

    python ur5e_operator.py --minutes 30

Publishes TwistStamped and the gripper's position, at 20 Hz, and sees tool and cube. Around every piece of work it calls
`start` and `keep` of a recorder, where there is one. A cube that left its region is put back between two pieces.
"""

from __future__ import annotations

import argparse
import signal
import time
from itertools import islice

import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped, TwistStamped
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger
from ur5e_cell import CUBE_HIGH_M, CUBE_LOW_M, FINGER_CLOSED_RAD
from ur5e_teleoperator import PERIOD_S, Teleoperator

NEAR_REGION_M = 0.02


class Operator(Node):
    """Sees, commands, and presses keys."""

    def __init__(self, seed: int, recorder: str, push_share: float = 0.0, plays: bool = False) -> None:
        super().__init__("operator")
        self._push_share, self._plays = push_share, plays
        self._rng = np.random.default_rng(seed)
        self._seen: dict[str, np.ndarray] = {}
        for name in ("tool", "cube"):
            self.create_subscription(PoseStamped, f"/bench/{name}", lambda m, name=name: self._see(name, m), 1)
        self._twist = self.create_publisher(TwistStamped, "/cartesian_velocity_controller/command", 1)
        self._gripper = self.create_publisher(Float64MultiArray, "/gripper_position_controller/commands", 1)
        self._put = self.create_client(Trigger, "/bench/put_cube")
        self._keys = {key: self.create_client(Trigger, f"{recorder}/{key}") for key in ("start", "keep")}
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def work(self, seconds: float, piece_s: float) -> None:
        """Pieces of work for so long, by the robot's clock."""
        self._until(lambda: len(self._seen) == 2 and self._now_s() > 0.0)  # a clock may not have come yet
        self._is_recorded = all(client.wait_for_service(3.0) for client in self._keys.values())
        if not self._is_recorded:
            print("no recorder answers: nothing is recorded", flush=True)
        end_s, pieces = self._now_s() + seconds, 0
        while self._now_s() < end_s:
            cube_m = self._seen["cube"]
            inside = cube_m[:2] > CUBE_LOW_M - NEAR_REGION_M, cube_m[:2] < CUBE_HIGH_M + NEAR_REGION_M
            if not np.all(inside) or cube_m[2] < 0.0:
                self._call(self._put)
                self._wait(0.3)
            self._key("start")
            self._piece(piece_s)
            self._key("keep")
            pieces += 1
            left_min = (end_s - self._now_s()) / 60
            print(f"{pieces} pieces of work, {left_min:.1f} minutes left", flush=True)

    def _piece(self, seconds: float) -> None:
        operator = Teleoperator(lambda: (self._seen["tool"], self._seen["cube"]), self._rng, self._push_share)
        due_s = self._now_s()
        wishes = operator.play() if self._plays else operator.work()
        for wish in islice(wishes, round(seconds / PERIOD_S)):
            twist = TwistStamped()
            twist.header.stamp, twist.header.frame_id = self.get_clock().now().to_msg(), "base_link"
            linear = twist.twist.linear
            linear.x, linear.y, linear.z = wish.velocity_m_s.tolist()
            self._twist.publish(twist)
            self._gripper.publish(Float64MultiArray(data=[wish.closure * FINGER_CLOSED_RAD]))
            due_s += PERIOD_S
            self._wait(due_s - self._now_s())
        self._gripper.publish(Float64MultiArray(data=[0.0]))
        self._wait(0.5)

    def _key(self, key: str) -> None:
        if self._is_recorded:
            answer = self._call(self._keys[key])
            if not answer.success:
                raise SystemExit(f"{key}: {answer.message}")

    def _call(self, client) -> Trigger.Response:
        sent = client.call_async(Trigger.Request())
        self._until(sent.done)
        return sent.result()

    def _see(self, name: str, message: PoseStamped) -> None:
        at = message.pose.position
        self._seen[name] = np.array((at.x, at.y, at.z))

    def _now_s(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9

    def _wait(self, seconds: float) -> None:
        end_s = self._now_s() + seconds
        while self._now_s() < end_s:
            self._executor.spin_once(timeout_sec=0.005)

    def _until(self, condition, timeout_s: float = 30.0) -> None:
        end_s = time.monotonic() + timeout_s
        while not condition():
            self._executor.spin_once(timeout_sec=0.02)
            if time.monotonic() > end_s:
                raise SystemExit("the robot, or the recorder, does not answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--piece-s", type=float, default=12.0, help="how long an episode is")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--push-share", type=float, default=0.0, help="of the work that is pushing the cube")
    parser.add_argument("--play", action="store_true", help="drag, shake and drop the cube instead of working")
    parser.add_argument("--recorder", default="/record_node")
    parser.add_argument("--sim-time", action="store_true", help="go by /clock, as of a robot with --speed")
    given = parser.parse_args()
    rclpy.init()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    operator = Operator(given.seed, given.recorder, given.push_share, given.play)
    operator.set_parameters([Parameter("use_sim_time", value=given.sim_time)])
    try:
        operator.work(60.0 * given.minutes, given.piece_s)
    except (KeyboardInterrupt, ExternalShutdownException):
        print("interrupted")
    finally:
        operator.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
