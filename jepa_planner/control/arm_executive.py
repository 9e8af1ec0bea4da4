"""Decides what the arm may do: which plans it follows, when it brakes, and why. No ROS; the time is passed in."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum

import numpy as np

from jepa_planner.control.arm_settings import ArmSettings
from jepa_planner.control.following import OPEN_CLOSURE, ArmFollowing, GripperFollowing
from jepa_planner.control.kinematics import ArmKinematics
from jepa_planner.control.limits import SafetyLimits
from jepa_planner.control.setpoint_stream import SetpointStream
from jepa_planner.control.setpoints import Setpoint
from jepa_planner.control.step_checks import Measurement, Step, StepChecks
from jepa_planner.control.watchdog import Watchdog
from jepa_planner.core.status import OK, Status, StatusCode

CLOCK_TOLERANCE_S = 0.05
MAX_SKIPPED_SETPOINTS = 1000
BEGUN_BEFORE_ANSWER_S = 0.02
"""An arm that takes a whole motion begins it so long, at most, before its answer is heard."""
BRAKE_WHOLE_S = 0.2
"""A whole motion is braked so long at least, since it is not known to some 0.03 s how far the arm has got: a harder
brake could ask for more than the limits. One that ends sooner by itself is not braked.
"""
RESYNC_ANGLE_RAD = 0.02
"""A resting arm with a joint further away than this was moved by others, though its tcp be in place."""
_SNAP = 0.02
FAULTS = (
    *(StatusCode.OK, StatusCode.ARM_NOT_FOLLOWING, StatusCode.GRIPPER_NOT_FOLLOWING, StatusCode.NOBODY_LISTENS),
    StatusCode.ARM_CONTESTED,
)
"""Why an arm takes no steps though it could; in the order of the numbers in jepa_planner/msg/ArmState."""


class Mode(IntEnum):
    """What the arm is doing; the numbers are those of jepa_planner/msg/ArmState."""

    WAITING = 0
    HOLDING = 1
    MOVING = 2
    BRAKING = 3
    STOPPED = 4


class ArmExecutive:
    """State machine around a setpoint stream.

    Nothing is commanded before the first accepted step. A motion always ends at rest; setpoints come from `tick` only
    while something moves. A stop is latched: only `reset` leaves it. Joint states that go silent brake the arm.
    A fault, which is that the arm does not do what it is told, refuses steps until a hold or `reset`; so does an
    `obstacle`, which others set and clear.
    """

    def __init__(self, kinematics: ArmKinematics, limits: SafetyLimits, rate_hz: float, settings: ArmSettings) -> None:
        self.settings = settings
        self.limits = limits
        self.stream = SetpointStream(kinematics, limits, rate_hz, settings.ahead_s)
        self.mode = Mode.WAITING
        self.reason = self._waited_for = "no joint state yet"
        self.moving = False
        self.course = 0
        """Changes whenever the arm's way does: with each accepted step and each brake."""
        self.fault = self.obstacle = OK
        self.measurement: Measurement | None = None
        self._last: Setpoint | None = None
        self.rest_since_s = 0.0
        self.accepted_plan_id = 0
        self.refused_plan_id = 0
        self._kinematics = kinematics
        self._step_checks = StepChecks(kinematics, limits, settings)
        timeout_s, lead_s = settings.joint_state_timeout_s, settings.lead_tolerance_s
        self.joint_state = Watchdog("joint state", timeout_s, lead_s, reader="arm_node")
        self._last_plan_id = 0
        self._last_now_s = -np.inf
        self._streamed_until_s: float | None = None
        self._is_adrift = False
        self._arm_following, self._gripper_following = ArmFollowing(), GripperFollowing()

    @property
    def trouble(self) -> Status:
        """The obstacle or else the fault for which steps are refused."""
        return self.fault if self.obstacle.ok else self.obstacle

    def measured(self, now_s: float, stamp_s: float, q_rad: np.ndarray, closure: float) -> None:
        """Takes a joint state that arrives now; one that is invalid or not newer than the last counts as none."""
        if not (np.all(np.isfinite(q_rad)) and np.isfinite(closure)):
            self.joint_state.explain(Status(StatusCode.NOT_FINITE, "joint state holds numbers that are not finite"))
            return
        self.joint_state.explain(OK)
        if not self.joint_state.feed(stamp_s, now_s):
            return
        xyz, rotation = self._kinematics.tcp_pose(q_rad)
        self.measurement = Measurement(stamp_s, np.array(q_rad, dtype=float), xyz, rotation, float(closure))
        if not self.moving:
            if self.stream.ready and self._gripper_following.was_moved(self.stream.closure, closure):
                self.stream.reset(self.stream.q_rad, self._closure_kept())
            self._judge_following(now_s)
            if not self.stream.ready:
                self.stream.reset(q_rad, _snap(closure))
            elif self._is_adrift or self._was_moved():
                self.stream.reset(q_rad, self.stream.closure)
        elif self.mode is Mode.MOVING and self._tracking_error_m() > self.settings.max_tracking_error_m:
            self._brake(Mode.BRAKING, f"arm is {self._tracking_error_m():.3f} m from where it was told to be")

    def offer(self, now_s: float, step: Step) -> Status:
        """Follows a step, or refuses it and says why."""
        if not self.moving:
            self._judge_following(now_s, last_look=True)
        status = self._judge(now_s, step)
        if not status.ok:
            self.refuse(step.plan_id, status)
            return status
        self._last_plan_id = self.accepted_plan_id = step.plan_id
        self.moving, self._last, self._streamed_until_s = True, None, None
        self._is_adrift = False
        self.course += 1
        self._enter(Mode.MOVING, f"following plan {step.plan_id}")
        return OK

    def refuse(self, plan_id: int, why: Status) -> None:
        """Notes a plan that is not followed; it may not come again."""
        self._last_plan_id = max(self._last_plan_id, plan_id)
        self.refused_plan_id = plan_id
        self._explain(f"plan {plan_id} refused: {why.text}")

    def hold(self, reason: str) -> None:
        """Brakes a motion and clears a fault; else does nothing to an arm that rests or is stopped."""
        self.fault = OK
        if self.mode is Mode.MOVING:
            self._brake(Mode.BRAKING, reason)

    def stop(self, reason: str) -> None:
        """Brakes and refuses everything until `reset`."""
        self._brake(Mode.STOPPED, reason)

    def fail(self, why: Status) -> None:
        """Brakes a motion and refuses steps until a hold or `reset`: something is not done as it was told."""
        self.hold(why.text)
        self.fault = why

    def lose(self, now_s: float, why: Status) -> None:
        """The same for an arm that is in others' hands, or nobody's: its motion ends and is not braked.

        Where it comes to rest, there the next one begins.
        """
        self.fault = why
        if not self.moving:
            return
        self.moving, self._is_adrift, self.rest_since_s, self._last = False, True, now_s, None
        self.stream.reset(self._measurement.q_rad, self.stream.closure)
        if self.mode in (Mode.MOVING, Mode.BRAKING):
            self._enter(Mode.HOLDING, why.text)

    def reset(self, now_s: float) -> Status:
        """Leaves a stop and takes the measured joints and gripper as the starting point, or says why it cannot."""
        if self.moving:
            return Status(StatusCode.NOT_AT_REST, "the arm is still moving; try again when it rests")
        if not (joint_state := self.joint_state.status(now_s)).ok:
            if self.mode is Mode.STOPPED:
                self._explain(f"cannot reset: {joint_state.text}")
            return joint_state
        self.stream.reset(self._measurement.q_rad, self._closure_kept())
        self.fault = OK
        self._enter(Mode.HOLDING, "reset")
        return OK

    def tick(
        self, now_s: float, steady_s: float | None = None, begun: bool = True, ended: bool = True
    ) -> Setpoint | None:
        """Advances to now; returns the setpoint to publish, or None while there is nothing to say.

        A tick that comes late finds the arm where it was told to go on to, or beyond on its way to rest, and goes on
        from there; one that comes too late brakes.
        now_s: by the clock of stamps, which may be set; steady_s: by one that cannot be, which paces the stream; the
        same if not given. begun, ended: whether the arm is known to have begun the motion, and to have ended it.
        """
        steady_s = now_s if steady_s is None else steady_s
        course = self.course
        if now_s < self._last_now_s - CLOCK_TOLERANCE_S:
            self.joint_state.forget()
            self.joint_state.explain(Status(StatusCode.CLOCK_SET_BACK, "the clock jumped back"))
            self._streamed_until_s, self.rest_since_s = None, 0.0
        self._last_now_s = now_s
        joint_state = self.joint_state.status(now_s)
        if not joint_state.ok and self.mode is not Mode.STOPPED:
            if self.mode is not Mode.WAITING:
                self._brake(Mode.WAITING, joint_state.text)
            self.reason = self._waited_for = joint_state.text
        elif joint_state.ok and self.mode is Mode.WAITING and not self.moving:
            self._enter(Mode.HOLDING, f"joint states arrive; before: {self._waited_for}")
        if not self.moving or (self.settings.takes_whole_motions and self.course != course):
            return None  # in the latter case what brakes is handed over first
        if self._streamed_until_s is None:
            self._streamed_until_s = steady_s - self.stream.period_s
        if not begun:
            self._streamed_until_s = max(self._streamed_until_s, steady_s - BEGUN_BEFORE_ANSWER_S)
            return None
        silent_s = steady_s - self._streamed_until_s
        periods = round(silent_s / self.stream.period_s)
        if periods < 1:
            return None
        self._streamed_until_s += periods * self.stream.period_s
        if self._last is None or self._last.moving:
            self._last = self._advance(periods, silent_s)
        elif not ended:
            return None
        else:  # one more setpoint closes the motion: where the arm is, at rest
            still = np.zeros(3)
            self._last = replace(
                self._last,
                dq_rad_s=np.zeros_like(self._last.dq_rad_s),
                linear_velocity_m_s=still,
                angular_velocity_rad_s=still,
            )
            self.moving = False
            self.rest_since_s = now_s
            self._arm_following.end(now_s, self.stream.pose())
            if self.mode in (Mode.MOVING, Mode.BRAKING):
                done = f"plan {self.accepted_plan_id} done" if self.mode is Mode.MOVING else self.reason
                self._enter(Mode.HOLDING, done)
        return self._last

    def _advance(self, periods: int, silent_s: float) -> Setpoint:
        """The setpoint so many periods on; those between went by without one, unless the arm knows its whole motion."""
        if self.settings.takes_whole_motions:
            setpoint = self.stream.tick()
            while periods > 1 and setpoint.moving:
                setpoint, periods = self.stream.tick(), periods - 1
            return setpoint
        if periods > 1:
            self.stream.skip(min(periods - 1, MAX_SKIPPED_SETPOINTS))
        if silent_s > self.settings.joint_state_timeout_s and self.mode is Mode.MOVING:
            self._brake(Mode.BRAKING, f"no setpoint could be sent for {silent_s:.2f} s")
        return self.stream.tick()

    def _judge(self, now_s: float, step: Step) -> Status:
        """Whether a step may be followed; the stream then has what the limits leave of its target."""
        if not (status := self._judge_step(now_s, step)).ok:
            return status
        target = self.stream.clip(step.xyz_m, step.rotation, step.closure)
        begins = self.stream.pose()
        if not (status := self._step_checks.target(step, target, self._measurement, begins[0])).ok:
            return status
        try:
            duration_s = step.duration_s * self.settings.motion_share
            self.stream.follow(target.xyz_m, target.rotation, target.closure, duration_s)
        except ValueError as error:
            return Status(StatusCode.UNREACHABLE, str(error))
        self._arm_following.begin((self._measurement.xyz_m, self._measurement.rotation), begins)
        self._gripper_following.begin()
        return OK

    def _judge_step(self, now_s: float, step: Step) -> Status:
        """Whether a step comes in time, to an arm at rest, and is whole."""
        if self.mode is Mode.STOPPED:
            return Status(StatusCode.STOPPED, f"stopped ({self.reason}); call ~/reset first")
        if not self.trouble.ok:
            return self.trouble
        if step.plan_id <= self._last_plan_id:
            return Status(StatusCode.REPLAYED, f"replayed: plans up to {self._last_plan_id} were seen before")
        if not (joint_state := self.joint_state.status(now_s)).ok:
            return joint_state
        if self.moving or self.mode is not Mode.HOLDING:
            motion = ", still in motion" if self.moving else ""
            return Status(StatusCode.NOT_AT_REST, f"the arm is {self.mode.name.lower()}{motion}")
        if not (whole := self._step_checks.numbers(step)).ok:
            return whole
        return self._step_checks.age(now_s, step, self.rest_since_s)

    @property
    def _measurement(self) -> Measurement:
        if self.measurement is None:
            raise RuntimeError("no joint state has been measured yet")
        return self.measurement

    def _judge_following(self, now_s: float, last_look: bool = False) -> None:
        """Notes a fault where what is measured at rest is not what was commanded."""
        if (measured := self.measurement) is None or not self.stream.ready:
            return
        for status in (
            self._arm_following.judge(now_s, (measured.xyz_m, measured.rotation), last_look),
            self._gripper_following.judge(now_s, self.stream.closure, measured.closure),
        ):
            if not status.ok and self.fault.ok:
                self.fault = status

    def _closure_kept(self) -> float:
        """The closure from which the gripper goes on after a stop, or after others moved it: the measured one.

        But where it is short of its command, and not open, it may hold something: it keeps its command, because its
        measured width would let go.
        """
        measured, commanded = _snap(self._measurement.closure), self.stream.closure
        return commanded if OPEN_CLOSURE < measured < commanded else measured

    def _was_moved(self) -> bool:
        """Whether a resting arm is not where it was told to be: moved by hand, or by another controller."""
        turn_rad = self._kinematics.turn_rad(self.stream.q_rad, self._measurement.q_rad)
        return self._tracking_error_m() > self.settings.resync_distance_m or np.max(np.abs(turn_rad)) > RESYNC_ANGLE_RAD

    def _tracking_error_m(self) -> float:
        return float(np.linalg.norm(self.stream.pose()[0] - self._measurement.xyz_m))

    def _brake(self, mode: Mode, reason: str) -> None:
        self._enter(mode, reason)
        if not (self.settings.takes_whole_motions and self.moving):
            self.stream.brake()
        elif len(self.stream.way()) * self.stream.period_s > BRAKE_WHOLE_S:
            self.stream.brake(BRAKE_WHOLE_S)
        else:
            return
        self._last = None
        self.course += 1

    def _enter(self, mode: Mode, reason: str) -> None:
        self.mode, self.reason = mode, reason

    def _explain(self, reason: str) -> None:
        """Says why without changing the mode; a stop keeps its own reason."""
        if self.mode is not Mode.STOPPED:
            self.reason = reason


def _snap(closure: float) -> float:
    """A gripper that is all but open or closed was told to be so."""
    return 0.0 if closure < _SNAP else 1.0 if closure > 1.0 - _SNAP else float(closure)
