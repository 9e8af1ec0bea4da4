"""Starts a stranger's robot and the planner for it, and stands for the person who sets scenes and shows goals."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from jepa_planner.core.image_message import rgb_pixels
from jepa_planner.nodes.conversions import seconds
from jepa_planner.nodes.planner_node import wait_until
from jepa_planner.nodes.running import NodeThread

ROBOTS = Path(__file__).parents[2] / "examples" / "robots"
BIG_PICTURES = Path(__file__).parent / "big_pictures.xml"
"""Room for a whole picture where it arrives: with the 0.2 MB of Linux, most of one is lost while its receiver waits for
its core.
"""
RUN = [sys.executable, "-c", "import sys; from jepa_planner.cli.main import main; sys.exit(main())", "run"]
TIMEOUT_S = 100.0


@contextmanager
def processes(log_folder: Path, **commands: Sequence[str]) -> Iterator[dict[str, subprocess.Popen]]:
    """Runs commands, each with a log of its own, and ends them in the order in which they were named."""
    running = {}
    profiles = dict.fromkeys(("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"), str(BIG_PICTURES))
    environment = {**os.environ, **profiles}
    try:
        for name, command in commands.items():
            with (log_folder / f"{name}.log").open("w") as log:
                running[name] = subprocess.Popen(
                    list(map(str, command)), stdout=log, stderr=subprocess.STDOUT, env=environment
                )
        yield running
    finally:
        for process in running.values():
            process.terminate()
            try:
                process.wait(20.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def on_core(number: int) -> list[str]:
    """Keeps a command on one core, where there are so many."""
    return ["taskset", "-c", str(number % (os.cpu_count() or 1))]


class Person(Node):
    """Who works at the robot: sets scenes, takes pictures, and sees where the cube really is."""

    def __init__(self, image_topics: Sequence[str], driver: str) -> None:
        super().__init__("person", use_global_arguments=False)
        self._pictures: dict[str, Image] = {}
        self.cube_m = np.zeros(3)
        self._cubes: list[tuple[float, np.ndarray]] = []
        self._topics = tuple(image_topics)
        self.create_subscription(PoseStamped, "/bench/cube", self._on_cube, 1)
        self._set = self.create_client(SetParameters, f"{driver}/set_parameters")
        self._apply = self.create_client(Trigger, "/bench/set_scene")
        self.thread = NodeThread(self, lambda: None)

    def set_scene(self, **values: object) -> float:
        """Makes `scene.NAME` true; returns from when on it is."""
        plain = {name: np.asarray(value, dtype=float).tolist() for name, value in values.items()}
        changes = [Parameter(f"scene.{name}", value=value).to_parameter_msg() for name, value in plain.items()]
        request = SetParameters.Request(parameters=changes)
        answer = self._call(self._set, request)
        assert all(result.successful for result in answer.results), answer
        answer = self._call(self._apply, Trigger.Request())
        assert answer.success, answer.message
        return self.get_clock().now().nanoseconds * 1e-9

    def pictures(self, from_s: float) -> list[np.ndarray]:
        """One of each camera, RGB, taken at or after a time (s)."""

        def are_fresh() -> bool:
            stamps_s = [seconds(image.header.stamp) for image in list(self._pictures.values())]
            return len(stamps_s) == len(self._topics) and min(stamps_s) >= from_s

        watching: list[Subscription] = []
        assert self.thread.call(lambda: watching.extend(map(self._watch, self._topics)))
        until(are_fresh, "pictures of all cameras")
        assert self.thread.call(lambda: [self.destroy_subscription(one) for one in watching])
        images = [self._pictures[topic] for topic in self._topics]
        return [rgb_pixels(one.encoding, one.height, one.width, one.step, one.data) for one in images]

    def _watch(self, topic: str) -> Subscription:
        return self.create_subscription(Image, topic, lambda image: self._pictures.update({topic: image}), 1)

    def cube_rests(self) -> bool:
        """Whether the cube was where it is for the last half second."""
        recent = [xyz for at_s, xyz in self._cubes if at_s > time.monotonic() - 0.5]
        return len(recent) > 2 and float(np.ptp(recent, axis=0).max()) < 1e-3

    def close(self) -> None:
        self.thread.stop()

    def _on_cube(self, message: PoseStamped) -> None:
        at = message.pose.position
        self.cube_m = np.array([at.x, at.y, at.z])
        self._cubes = [*self._cubes[-20:], (time.monotonic(), self.cube_m)]

    def _call(self, client, request):
        until(client.service_is_ready, client.srv_name)
        sent: list = []
        assert self.thread.call(lambda: sent.append(client.call_async(request)))
        until(sent[0].done, f"an answer of {client.srv_name}")
        return sent[0].result()


def until(condition: Callable[[], bool], what: str, timeout_s: float = TIMEOUT_S) -> None:
    assert wait_until(condition, timeout_s), f"no {what} within {timeout_s:.0f} s"
