"""The planner's nodes in processes of their own, a robot that follows trajectories, and faults to put between them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from harness import FAR, KINEMATICS, LIMITS, TIMEOUT_S, Rig, Robot, goal_of
from jepa_planner.action import ReachGoalImage
from rclpy.duration import Duration
from rclpy.time import Time
from sensor_msgs.msg import Image

from jepa_planner.nodes.conversions import array_to_image
from jepa_planner.nodes.goal_executor import Outcome
from jepa_planner.nodes.graph import PLANNER_MODULES, ros_arguments, spawn
from jepa_planner.nodes.planner_node import wait_until

TICK_S = 0.01
QUIET_S = 0.6
IN_MOTION_S = 0.03
ANSWER_S = 10.0
LONG_S = 5 * TIMEOUT_S
"""Processes start slowly on a loaded machine."""
STILL_RAD = 1e-6
SLOW = 0.3
"""Share of full speed: steps last so long that faults hit them in the middle."""
WITH_DEFAULTS = bool(os.environ.get("FAULTS_WITH_DEFAULTS"))
STALE_S = 3.0
"""Long enough that a loaded machine does not trip it by itself."""
TIMEOUTS = {} if WITH_DEFAULTS else {"joint_state_timeout_s": STALE_S, "image_timeout_s": STALE_S, "plan_valid_s": 5.0}
TABLE: list[FaultReport] = []


@dataclass(frozen=True)
class FaultReport:
    """What came of a fault: seconds until the arm stood still, why it did, and whether a later goal was pursued."""

    fault: str
    still_after_s: float
    reason: str
    resumed: bool


class WatchedRobot(Robot):
    """Notices when it moves, and how fast."""

    def __init__(self, namespace: str) -> None:
        self.camera_fault = ""
        self.moved_at_s = 0.0
        self.worst_rad_s = np.zeros(7)
        self._shots = 0
        super().__init__(namespace)

    def _follow(self, passed_s: float) -> None:
        before_rad, passed_s = (
            self.q_rad,
            max(passed_s, TICK_S),
        )  # ticks that come late on a loaded machine come in a bunch
        super()._follow(passed_s)
        moved_rad = np.abs(self.q_rad - before_rad)
        if np.max(moved_rad) > STILL_RAD:
            self.moved_at_s = time.monotonic()
            self.worst_rad_s = np.maximum(self.worst_rad_s, moved_rad / passed_s)

    def _publish_images(self) -> None:
        self._shots += 1
        if not self.camera_fault:
            super()._publish_images()
        elif self.camera_fault != "half dropped" or self._shots % 2:
            for camera, view in zip(self._cameras, self.views, strict=True):
                camera.publish(self._faulty(view))

    def _faulty(self, view: np.ndarray) -> Image:
        now = self.get_clock().now()
        stamp: Time = now - Duration(seconds=5.0) if self.camera_fault == "late" else now
        image = array_to_image(view[:16, :16].copy() if self.camera_fault == "wrong size" else view, stamp.to_msg())
        if self.camera_fault == "corrupted":
            image.data = image.data[: len(image.data) // 2]
        return image


class FaultRig(Rig):
    """Four nodes in four processes; `survives` puts a fault into the middle of a motion and reports."""

    robot_class = WatchedRobot

    def __init__(self, bundle: str, folder: Path) -> None:
        super().__init__(bundle)
        self.folder = folder
        self.processes: dict[str, subprocess.Popen] = {}
        for name in PLANNER_MODULES:
            self.begin(name)
        self.until(lambda: self.holding() and self.reach.server_is_ready())
        self.goes_on()

    def begin(self, name: str, **parameters: object) -> None:
        """Starts one node's process."""
        given = {
            "model": self.bundle,
            "speed_scale": SLOW,
            "predictor_timeout_s": 2.0,
            "encoder_timeout_s": 10.0,
            **TIMEOUTS,
            **parameters,
        }
        arguments = ros_arguments(given, namespace=self.namespace)
        self.processes[name] = spawn([sys.executable, "-m", PLANNER_MODULES[name], *arguments])

    def until(self, condition: Callable[[], bool], timeout_s: float = LONG_S) -> None:
        super().until(condition, timeout_s)

    def in_motion(self) -> bool:
        return self.state().moving and time.monotonic() - self.robot.moved_at_s < IN_MOTION_S

    def interrupted(self) -> bool:
        """Whether the last setpoint was one of a motion that was to go on: the way to rest follows it."""
        return len(self.robot.commands[-1].points) > 1

    def pursue_until_in_motion(self):
        """The result to come of a goal that moves the arm; one that ends before, of traces that fade, is sent again."""
        deadline_s = time.monotonic() + LONG_S
        while time.monotonic() < deadline_s:
            ended = self.ask(self.pursue().get_result_async)
            self.until(lambda ended=ended: self.in_motion() or ended.done())
            if not ended.done():
                return ended
        raise AssertionError(f"no goal moves the arm: {ended.result().result.message}")

    def send_signal(self, name: str, number: int) -> None:
        self.processes[name].send_signal(number)
        if number == signal.SIGKILL:
            self.processes[name].wait()

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()
        super().close()

    def still(self) -> bool:
        return time.monotonic() - self.robot.moved_at_s > QUIET_S

    def pursue(self, budget: int = 1000):
        """Sends a goal that is never reached; gives up waiting for a planner that is not there."""
        deadline_s = time.monotonic() + LONG_S
        while time.monotonic() < deadline_s:
            goal = ReachGoalImage.Goal(goals=[goal_of(*FAR, budget=budget, tolerance=1e-9)])
            sent = self.ask(lambda goal=goal: self.reach.send_goal_async(goal))
            if wait_until(sent.done, ANSWER_S) and sent.result().accepted:
                return sent.result()
        raise AssertionError("no planner takes a goal")

    def survives(
        self,
        fault: str,
        inject: Callable[[], object],
        mend: Callable[[], object],
        expected: Outcome | None,
        words: str,
    ) -> None:
        """A fault in mid-motion ends with the arm at rest and a reason, and after it is mended work goes on."""
        ended = self.pursue_until_in_motion()
        began_s = time.monotonic()
        inject()
        try:
            if expected is None:
                self.until(lambda: self.still() and words in self.state().reason)
                reason = self.state().reason
            else:
                self.until(lambda: ended.done() and self.still())
                result = ended.result().result
                reason = f"{Outcome(result.code).name}: {result.message}"
                assert result.code == expected, reason
                assert words in reason, reason
        finally:
            mend()
        still_after_s = max(0.0, self.robot.moved_at_s - began_s)
        assert np.all(self.robot.worst_rad_s <= KINEMATICS.velocity_rad_s * LIMITS.joint_velocity_scale * 1.01)
        self.goes_on()
        TABLE.append(FaultReport(fault, still_after_s, reason, True))

    def goes_on(self) -> None:
        """A later goal moves the arm: a fault whose traces still fade may end one or two before."""
        for _ in range(20):
            before = len(self.robot.commands)
            result = self.result(self.pursue(budget=1))
            if result.outcome is Outcome.BUDGET_SPENT and len(self.robot.commands) > before:
                return
            time.sleep(1.0)
        raise AssertionError(f"work does not go on: {result}")
