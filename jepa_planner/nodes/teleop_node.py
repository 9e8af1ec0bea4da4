"""Moves the arm for a person: small steps, each a plan for arm_node, whose limits and checks are those of any plan."""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import Joy

from jepa_planner.control.arm_executive import Mode
from jepa_planner.control.jog import Jog
from jepa_planner.core.arm_layout import AXES, GRIPPER, RPY, XYZ, YAW, X, Y, Z
from jepa_planner.core.status import Status
from jepa_planner.msg import ArmState
from jepa_planner.nodes import qos
from jepa_planner.nodes.arm_states import arm_report
from jepa_planner.nodes.conversions import ConversionError
from jepa_planner.nodes.parameters import Change, Parameter
from jepa_planner.nodes.plan_publisher import PlanPublisher
from jepa_planner.nodes.planner_node import PlannerNode, wait_until
from jepa_planner.nodes.state_buffer import ArmReport

PERIOD_S = 0.02
STALE_S = 0.5
"""Without an arm state for so long, nothing is sent."""
ANSWER_S = 2.0
"""A plan that was not answered in this time was lost."""
PAUSE_S = 0.5
"""After a refused plan, and after a fault was cleared, the next one waits so long."""
SEEN_S = 1e-3
"""A state of an arm at rest was measured so long after it came to rest, at least."""
DISCOVERY_S = 1.0
FASTER, SLOWEST, FASTEST = 1.5, 0.1, 4.0
DEAD_ZONE = 0.15


class TeleopNode(PlannerNode):
    """Hears `arm_state` and `joy`; publishes `plan`.

    While a direction is wanted, one step follows another, as the planner's do; the arm brakes when it is no longer.
    """

    PARAMETERS = (
        Parameter("step_m", 0.01, "Length of a step (m).", 0.001, 0.05, change=Change.ANY_TIME),
        Parameter("step_rad", 0.05, "Turn of a step (rad).", 0.005, 0.3, change=Change.ANY_TIME),
        Parameter("time_step_s", 0.25, "Duration of a step.", 0.1, 2.0),
        Parameter("plan_valid_s", 0.5, "The arm refuses a plan that arrives later.", 0.05, 10.0),
        Parameter("joy_axes", [1, 0, 4, 3], "Axes of joy for x, y, z and yaw; -1: none."),
        Parameter("joy_deadman", 4, "Button of joy without which nothing moves; -1: none.", -1, 100),
        Parameter("joy_gripper", 0, "Button of joy that closes and opens the gripper; -1: none.", -1, 100),
    )

    def __init__(self, **options) -> None:
        super().__init__("teleop_node", **options)
        self.jog = Jog()
        self.busy = threading.RLock()
        """Hold it to use `jog` from another thread."""
        self.scale = 1.0
        """Of the size of steps, and so of speed."""
        self._report: ArmReport | None = None

    def configure(self) -> None:
        """Raises RuntimeError where somebody else plans: two would fight over the arm."""
        parameters = self.parameters
        if len(parameters["joy_axes"]) != 4:
            raise ValueError(f"joy_axes is {list(parameters['joy_axes'])}; expected four numbers, for x, y, z and yaw")
        wait_until(lambda: self.going_down.is_set() or self.count_publishers("plan") > 0, DISCOVERY_S)
        if others := sorted({publisher.node_name for publisher in self.get_publishers_info_by_topic("plan")}):
            raise RuntimeError(f"{', '.join(others)} sends plans: end it first; one source of plans may have an arm")
        self._heard_s = self._sent_s = self._paused_s = -np.inf
        self._sent_id, self._is_translating, self._was_pressed = 0, False, False
        self._plans = PlanPublisher(self, "", parameters["time_step_s"], parameters["plan_valid_s"])
        self._subscriptions_ = (
            self.create_subscription(ArmState, "arm_state", self._on_arm_state, qos.STATE),
            self.create_subscription(Joy, "joy", self._on_joy, qos.SENSOR),
        )
        self._timer = self.create_timer(PERIOD_S, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def deactivate(self) -> None:
        """Brakes."""
        self._hold()

    def cleanup(self) -> None:
        self.destroy_timer(self._timer)
        for subscription in self._subscriptions_:
            self.destroy_subscription(subscription)
        self._plans.destroy()

    def health(self) -> tuple[Status, dict[str, object]]:
        if (report := self.report) is None:
            return self.nothing_came_on(self._subscriptions_[:1]), {}
        return report.fault, {"mode": report.mode.name, "step_m": round(self.step_m, 4)}

    @property
    def report(self) -> ArmReport | None:
        """What arm_node said last; None where that is too long ago."""
        return self._report if time.monotonic() - self._heard_s < STALE_S else None

    @property
    def step_m(self) -> float:
        """Length of a step now."""
        return self.parameters["step_m"] * self.scale

    @property
    def refusal(self) -> str:
        """Why the last step was not taken; empty where it was."""
        report = self._report
        return report.reason if report is not None and report.refused_plan_id == self._sent_id != 0 else ""

    def change_speed(self, faster: bool) -> None:
        """Makes steps longer or shorter."""
        self.scale = float(np.clip(self.scale * (FASTER if faster else 1 / FASTER), SLOWEST, FASTEST))

    def _on_joy(self, message: Joy) -> None:
        parameters, pressed = self.parameters, [bool(button) for button in message.buttons]
        direction = np.zeros(6)
        for place, axis in zip((X, Y, Z, YAW), parameters["joy_axes"], strict=True):
            if 0 <= axis < len(message.axes) and abs(message.axes[axis]) > DEAD_ZONE:
                direction[place] = np.clip(message.axes[axis], -1.0, 1.0)
        deadman, gripper = parameters["joy_deadman"], parameters["joy_gripper"]
        is_held = deadman < 0 or (deadman < len(pressed) and pressed[deadman])
        is_pressed = is_held and 0 <= gripper < len(pressed) and pressed[gripper]
        with self.busy:
            self.jog.lean(direction * is_held, time.monotonic())
            if is_pressed and not self._was_pressed:
                self.jog.toggle_gripper()
        self._was_pressed = is_pressed

    def _on_arm_state(self, message: ArmState) -> None:
        try:
            self._report = arm_report(message)
        except ConversionError as error:
            self.get_logger().warning(f"arm_state: {error}", throttle_duration_sec=5.0)
            return
        self._heard_s, self._plans.base_frame = time.monotonic(), message.header.frame_id
        if self._report.refused_plan_id == self._sent_id and self._sent_s > self._paused_s:
            self._paused_s = self._heard_s

    def _tick(self) -> None:
        if not self.active:
            return
        now_s, report = time.monotonic(), self.report
        with self.busy:
            if self.jog.brakes(now_s) and self._is_translating:
                self._hold()
            if report is None or not self._is_ready(report, now_s) or not self.jog.wants(now_s):
                return
            if not report.fault.ok:  # whoever goes on has seen the arm: that clears a fault of its following
                self._plans.hold()
                self._paused_s = now_s
                return
            step = self.jog.step(now_s, report.closure_commanded)
        if step is None:
            return
        action = np.zeros(AXES)
        action[XYZ] = step[XYZ] * self.step_m
        action[RPY] = step[RPY] * self.parameters["step_rad"] * self.scale
        action[GRIPPER] = step[GRIPPER]
        self._is_translating = not step[GRIPPER]
        self._sent_id = self._plans.publish(action[None], report.stamp_s, report).id
        self._sent_s = now_s

    def _is_ready(self, report: ArmReport, now_s: float) -> bool:
        """Whether the arm rests, is seen to, and has answered the step before."""
        is_answered = self._sent_id in (0, report.plan_id, report.refused_plan_id) or now_s - self._sent_s > ANSWER_S
        is_seen = report.stamp_s > report.rest_since_s + SEEN_S and report.mode is Mode.HOLDING and not report.moving
        return is_answered and is_seen and now_s - self._paused_s > PAUSE_S

    def _hold(self) -> None:
        report = self._report
        if report is not None and (report.moving or self._sent_id not in (report.plan_id, report.refused_plan_id)):
            self._plans.hold()


def main() -> int:
    """Runs the node until SIGINT or SIGTERM."""
    from jepa_planner.nodes.running import run_node

    return run_node(TeleopNode)


if __name__ == "__main__":
    sys.exit(main())
