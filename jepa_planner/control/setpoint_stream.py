"""The stream of setpoints between a plan and the motors: fixed rate, bounded velocity, acceleration and jerk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import ruckig

from jepa_planner.control.kinematics import (
    ArmKinematics,
    rotation_from_rpy,
    rotation_from_vector,
    rotation_vector,
)
from jepa_planner.control.limits import SafetyLimits
from jepa_planner.control.setpoints import JointPoint, Setpoint, Target
from jepa_planner.control.trajectory_validation import LAG_RAD, TrajectoryValidation, UnreachableError, lags
from jepa_planner.core.arm_layout import GRIPPER, RPY, XYZ

VALIDATED_POINTS = 100
STRETCH_ATTEMPTS = 4
REST_POINTS = 4
ROUNDING = 1e-12
MOST_SETPOINTS = 100_000
ASKED_OF_A_MOTION = ("control_interface", "synchronization", "target_position", "minimum_duration")
"""What a motion's input holds beside limits and the present state; targets of velocity and acceleration are zero."""


class SetpointStream:
    """Turns tcp targets into joint setpoints at a fixed rate; always has something safe to send.

    Targets are clipped to the workspace and its yaw; from outside of them the arm is moved as it was asked, or less,
    and never further out. Between targets the tcp follows the time-optimal profile under the
    velocity, acceleration and jerk limits (Berscheid and Kroeger, Jerk-limited Real-time Trajectory Generation, 2021),
    so a new target or a brake in mid-motion leaves no seam. Each motion is validated first, and takes longer where its
    joints would be too fast. Whatever happens, a joint step beyond the joint velocity limit is shortened, and the
    profile then goes on from where the joints are.
    ahead_s: so far ahead `coming` tells how the arm goes on.
    """

    def __init__(
        self, kinematics: ArmKinematics, limits: SafetyLimits, rate_hz: float = 100.0, ahead_s: float = 0.0
    ) -> None:
        self.limits = limits
        self.course = 0
        """Changes whenever what is to come does."""
        self._ahead_periods = round(ahead_s * rate_hz)
        self._ahead: SetpointStream | None = None
        self._ahead_by = 0
        self._told: tuple[ruckig.InputParameter, int] | None = None
        """The motion that the arm knows, and for how many periods, where a brake came of which it was not told yet."""
        self.period_s = 1.0 / rate_hz
        self._kinematics = kinematics
        self._validation = TrajectoryValidation(kinematics, limits)
        self._max_joint_step_rad = self._validation.max_speed_rad_s * self.period_s
        self._profile = ruckig.Ruckig(6, self.period_s)
        self._input = self._new_input()
        self._followed_s = 0.0
        self._output = ruckig.OutputParameter(6)
        self._known_rad: np.ndarray | None = None
        self._dq_rad_s = np.zeros(len(kinematics.joint_names))
        self._rests = True

    @property
    def ready(self) -> bool:
        """Whether a measured state has been given; before that nothing may be sent."""
        return self._known_rad is not None

    @property
    def _q_rad(self) -> np.ndarray:
        if self._known_rad is None:
            raise RuntimeError("where the joints are is not known before reset")
        return self._known_rad

    @_q_rad.setter
    def _q_rad(self, q_rad: np.ndarray) -> None:
        self._known_rad = q_rad

    def reset(self, q_rad: np.ndarray, closure: float) -> None:
        """Start, at rest, from measured joint positions [joints] and the gripper's commanded closure."""
        self._known_rad = None
        measured_rad, joints = np.array(q_rad, dtype=float), len(self._kinematics.joint_names)
        if measured_rad.shape != (joints,) or not np.all(np.isfinite([*measured_rad, closure])):
            raise ValueError(
                f"a start is {joints} finite joint positions and a closure, got {measured_rad} and {closure}"
            )
        self._q_rad = measured_rad
        xyz, rotation = self._kinematics.tcp_pose(self._q_rad)
        self._closure = self._target_closure = float(np.clip(closure, 0.0, 1.0))
        self._reference = rotation
        self._input.current_position = [*xyz, 0.0, 0.0, 0.0]
        self._input.current_velocity = [0.0] * 6
        self._input.current_acceleration = [0.0] * 6
        self.brake()
        self._told = None

    def clip(self, xyz_m: np.ndarray, rotation: np.ndarray, closure: float) -> Target:
        """What `follow` makes of a target: what was asked where limits and joints allow it, else as much as they do.

        From the present setpoint on no axis moves further than was asked, nor the other way, nor further out of bounds.
        What was clipped is not changed by clipping it again. Raises ValueError and RuntimeError as `follow`.
        """
        if not self.ready:
            raise RuntimeError("no measured joint state yet: call reset(q_rad, closure) first")
        xyz_m, rotation = np.asarray(xyz_m, dtype=float), np.asarray(rotation, dtype=float)
        if xyz_m.shape != (3,) or rotation.shape != (3, 3):
            raise ValueError(f"a target is xyz [3] and a rotation [3, 3], got {xyz_m.shape} and {rotation.shape}")
        if not (np.all(np.isfinite(xyz_m)) and np.all(np.isfinite(rotation)) and np.isfinite(closure)):
            raise ValueError(f"target must be finite, got xyz {xyz_m}, closure {closure}")
        now_m, now = self.pose()
        xyz_m, rotation = self.limits.clip_to_workspace(xyz_m, now_m), self.limits.clip_yaw(rotation, now)
        rotation = self._kinematics.nearest_rotation(xyz_m, rotation, self._q_rad)
        return Target(xyz_m, rotation, float(np.clip(closure, 0.0, 1.0)))

    def follow(self, xyz_m: np.ndarray, rotation: np.ndarray, closure: float, min_duration_s: float = 0.0) -> None:
        """Move to a tcp pose in the base frame, clipped, arriving at rest, no sooner than `min_duration_s`.

        It takes longer where the joints need the time. Raises ValueError for numbers that are not finite,
        UnreachableError where the joints cannot follow, RuntimeError before `reset`; the previous target then stays in
        force.
        """
        target = self.clip(xyz_m, rotation, closure)
        current_xyz, current_rotation = self.pose()
        self._check_yaw(target, current_rotation)
        motion = self._new_input(from_rest=False)
        motion.current_position = [*current_xyz, 0.0, 0.0, 0.0]
        motion.control_interface = ruckig.ControlInterface.Position
        motion.synchronization = ruckig.Synchronization.Time
        motion.target_position = [*target.xyz_m, *rotation_vector(target.rotation @ current_rotation.T)]
        motion.minimum_duration = min_duration_s if min_duration_s > 0 else None
        self._stretch(motion, current_rotation)
        self._input, self._reference, self._followed_s = motion, current_rotation, 0.0
        self._target_closure = target.closure
        self._change_course()

    def move_by(self, action: np.ndarray, min_duration_s: float = 0.0) -> None:
        """Move by one action [7] (m, rad, closure) from the present setpoint: xyz adds, R_new = R(action) R,
        closure adds.

        Starting from the setpoint instead of the measured pose keeps a resting arm's small sag from adding up over
        steps. Rotation is extrinsic "xyz" (vjepa2-ac's convention). Same errors as `follow`.
        """
        action = np.asarray(action, dtype=float)
        if action.shape != (7,) or not np.all(np.isfinite(action)):
            raise ValueError(f"an action is 7 finite numbers [dx, dy, dz, droll, dpitch, dyaw, dclosure], got {action}")
        xyz, rotation = self.pose()
        closure = self._target_closure + action[GRIPPER]
        self.follow(xyz + action[XYZ], rotation_from_rpy(action[RPY]) @ rotation, closure, min_duration_s)

    def pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Position [3] and rotation [3, 3] of the present setpoint. Raises RuntimeError before `reset`."""
        if not self.ready:
            raise RuntimeError("no measured joint state yet: call reset(q_rad, closure) first")
        position = np.asarray(self._input.current_position)
        return position[:3], rotation_from_vector(position[3:]) @ self._reference

    @property
    def q_rad(self) -> np.ndarray:
        """Joint positions [joints] of the present setpoint. Raises RuntimeError before `reset`."""
        self.pose()
        return self._q_rad.copy()

    @property
    def closure(self) -> float:
        """The commanded closure, 0 open .. 1 closed."""
        return self._target_closure

    def brake(self, at_least_s: float = 0.0) -> None:
        """Slow to a standstill as fast as the limits allow and stay there; the gripper keeps its command.

        at_least_s: above 0, all axes brake evenly for so long or longer.
        """
        if not self.ready:
            return
        if self._told is None:
            self._told = self._input, self._ahead_by
        self._input = self._new_input(from_rest=False)
        _aim_at_rest(self._input)
        if at_least_s > 0.0:
            self._input.synchronization, self._input.minimum_duration = ruckig.Synchronization.Time, at_least_s
        self._target_closure = self._closure
        self._change_course()

    def tick(self) -> Setpoint:
        """The next setpoint, one period later. Raises RuntimeError before `reset`."""
        self._told = None
        self._look_ahead()
        xyz, rotation, velocity, step, arrived = self._advance()
        gripper_step = self.limits.gripper_rate_per_s * self.period_s
        self._closure += float(np.clip(self._target_closure - self._closure, -gripper_step, gripper_step))
        return Setpoint(
            q_rad=self._q_rad.copy(), dq_rad_s=step / self.period_s, xyz_m=xyz.copy(), rotation=rotation,
            linear_velocity_m_s=velocity[:3].copy(), angular_velocity_rad_s=velocity[3:].copy(),
            closure=self._closure, moving=not arrived or self._closure != self._target_closure,
        )  # fmt: skip

    def skip(self, periods: int) -> None:
        """Lets periods pass in which nothing could be sent: the arm went on for as long as it was told, then to rest.

        The target stays in force; from where the arm got to, it is reached so much later. A brake that came meanwhile
        begins there. Raises RuntimeError before `reset`.
        """
        motion, is_news = self._input, self._told is not None
        if self._told is not None:
            self._input, self._ahead_by = self._told
            self._told = None
        known = min(periods, self._ahead_by)
        for _ in range(known):
            if not is_news:
                self._look_ahead()
            self._advance()
        if known == periods and not is_news:
            return
        self._input = self._new_input(from_rest=False)
        _aim_at_rest(self._input)
        for _ in range(periods - known):
            self._advance()
        for name in ("current_position", "current_velocity", "current_acceleration"):
            setattr(motion, name, _without_rounding(getattr(self._input, name)))
        if motion.minimum_duration is not None:
            left_s = motion.minimum_duration - self._followed_s
            motion.minimum_duration = left_s if left_s > 0.0 else None
        self._input, self._followed_s = motion, 0.0
        self._change_course()

    def way(self) -> list[Setpoint]:
        """Every setpoint that `tick` will give, one a period, until the arm rests, should nothing change meanwhile.

        Raises RuntimeError before `reset`.
        """
        self.pose()
        ahead = self._copy()
        setpoints = [ahead.tick()]
        while setpoints[-1].moving and len(setpoints) < MOST_SETPOINTS:
            setpoints.append(ahead.tick())
        return setpoints

    def coming(self) -> list[JointPoint]:
        """What follows the present setpoint: where the arm is `ahead_s` later, and how it then comes to rest as fast as
        the limits allow, should nothing follow; only where it rests, if it does by then (`knows_its_end`).

        Raises RuntimeError before `reset`.
        """
        self.pose()
        ahead = self if self._ahead is None else self._ahead
        dq_rad_s = np.zeros_like(ahead._dq_rad_s) if ahead._rests else ahead._dq_rad_s
        point = JointPoint(self._ahead_by * self.period_s, ahead._q_rad.copy(), dq_rad_s)
        if not np.any(dq_rad_s):
            return [point]
        return [point, *(replace(rest, after_s=point.after_s + rest.after_s) for rest in ahead.way_to_rest())]

    @property
    def knows_its_end(self) -> bool:
        """Whether the end of the motion is among what is coming."""
        return (self if self._ahead is None else self._ahead)._rests

    def way_to_rest(self) -> list[JointPoint]:
        """How the arm comes to rest from the present setpoint as fast as the limits allow, should nothing follow it.

        Raises RuntimeError before `reset`.
        """
        self.pose()
        brake = self._new_input(from_rest=False)
        _aim_at_rest(brake)
        trajectory = self._plan(brake)
        if trajectory is None or trajectory.duration < self.period_s:
            return [JointPoint(self.period_s, self._q_rad.copy(), np.zeros_like(self._q_rad))]
        times_s = trajectory.duration * np.arange(1, REST_POINTS + 1) / REST_POINTS
        positions = [self._q_rad]
        for time_s in times_s:
            target = np.asarray(trajectory.at_time(time_s)[0])
            aim = target[:3], rotation_from_vector(target[3:]) @ self._reference
            positions.append(self._kinematics.inverse_step(*aim, positions[-1], 0.0)[0])
        pace = (np.array(positions[2:]) - np.array(positions[:-2])) * REST_POINTS / (2.0 * trajectory.duration)
        return [
            JointPoint(float(time_s), q_rad, dq_rad_s)
            for time_s, q_rad, dq_rad_s in zip(times_s, positions[1:], [*pace, 0.0 * self._q_rad], strict=True)
        ]

    def _copy(self) -> SetpointStream:
        """Another one that goes the same way from here; true only to a motion that has not begun."""
        copy = SetpointStream(self._kinematics, self.limits, 1.0 / self.period_s)
        copy._known_rad, copy._reference = self._q_rad.copy(), self._reference
        copy._closure, copy._target_closure = self._closure, self._target_closure
        copy._input = self._new_input(from_rest=False)
        for name in ASKED_OF_A_MOTION:
            setattr(copy._input, name, getattr(self._input, name))
        copy._rests = False
        return copy

    def _change_course(self) -> None:
        self.course += 1
        self._ahead, self._ahead_by, self._rests = None, 0, False

    def _look_ahead(self) -> None:
        """Keeps a copy so many periods ahead, until that rests; called before each period."""
        if self._ahead_periods and self._ahead is None and self.ready:
            self._ahead = self._copy()
        while self._ahead is not None and self._ahead_by <= self._ahead_periods and not self._ahead._rests:
            self._ahead._advance()
            self._ahead_by += 1

    def _check_yaw(self, target: Target, now: np.ndarray) -> None:
        """Raises UnreachableError where a tcp that cannot be turned at will would leave the bounds of its yaw."""
        beyond = rotation_vector(self.limits.clip_yaw(target.rotation, now) @ target.rotation.T)
        if np.linalg.norm(beyond) > LAG_RAD:
            raise UnreachableError(
                f"at {np.round(target.xyz_m, 3).tolist()} the joints turn the tcp {np.linalg.norm(beyond):.2f} rad "
                "beyond workspace_yaw_rad: widen it, or let the tool point down"
            )

    def _stretch(self, motion: ruckig.InputParameter, reference: np.ndarray) -> None:
        """Gives a motion the time that its joints need. Raises UnreachableError."""
        for _ in range(STRETCH_ATTEMPTS):
            if (trajectory := self._plan(motion)) is None:
                raise ValueError(f"no profile within limits leads to {np.round(motion.target_position, 3).tolist()}")
            points = max(1, min(VALIDATED_POINTS, int(np.ceil(trajectory.duration / self.period_s))))
            period_s = max(self.period_s, trajectory.duration / points)
            poses = (np.asarray(trajectory.at_time((i + 1) * period_s)[0]) for i in range(points))
            path = ((pose[:3], rotation_from_vector(pose[3:]) @ reference) for pose in poses)
            too_fast_by = self._validation.too_fast_by(path, self._q_rad, period_s)
            if too_fast_by <= 1.0:
                return
            motion.minimum_duration = trajectory.duration * too_fast_by

    def _advance(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, bool]:
        """One period on: position, rotation and velocity of the tcp, the joints' step, and whether it is the last."""
        if not self.ready:
            raise RuntimeError("no measured joint state yet: call reset(q_rad, closure) first")
        result = self._follow_profile()
        self._followed_s += self.period_s
        self._ahead_by = max(0, self._ahead_by - 1)
        velocity = np.asarray(self._input.current_velocity)
        xyz, rotation = self.pose()
        step = self._validation.step(xyz, rotation, self._q_rad, self.period_s) - self._q_rad
        excess = float(np.max(np.abs(step) / self._max_joint_step_rad))
        if excess > 1.0:
            step /= excess
        self._q_rad = self._q_rad + step
        if lags(self._kinematics, xyz, rotation, self._q_rad):
            xyz, rotation, velocity = self._go_on_from_joints(step)
        self._dq_rad_s = step / self.period_s
        self._rests = result == ruckig.Result.Finished and excess <= 1.0
        return xyz, rotation, velocity, step, self._rests

    def _follow_profile(self) -> ruckig.Result:
        """Takes the profile one period on. Where none is found it brakes, and where no brake is found it stands."""
        for attempt in (lambda: None, lambda: _aim_at_rest(self._input)):
            attempt()
            try:
                result = self._profile.update(self._input, self._output)
            except ruckig.RuckigError:
                continue
            if result in (ruckig.Result.Working, ruckig.Result.Finished):
                self._output.pass_to_input(self._input)
                return result
        self._input.current_velocity = self._input.current_acceleration = [0.0] * 6
        return ruckig.Result.Finished

    def _plan(self, motion: ruckig.InputParameter) -> ruckig.Trajectory | None:
        """The whole profile of a motion, None where there is none."""
        trajectory = ruckig.Trajectory(6)
        try:
            return trajectory if self._profile.calculate(motion, trajectory) >= 0 else None
        except ruckig.RuckigError:
            return None

    def _go_on_from_joints(self, step_rad: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Takes the profile back to where the joints are; returns position, rotation and velocity of the tcp there."""
        xyz, rotation = self._kinematics.tcp_pose(self._q_rad)
        before_xyz, before = self._kinematics.tcp_pose(self._q_rad - step_rad)
        way = np.concatenate([xyz - before_xyz, rotation_vector(rotation @ before.T)])
        most = np.asarray(self._input.max_velocity)
        velocity = np.clip(way / self.period_s, -most, most)
        self._input.current_position = [*xyz, *rotation_vector(rotation @ self._reference.T)]
        self._input.current_velocity = velocity
        self._input.current_acceleration = [0.0] * 6
        return xyz, rotation, velocity

    def _new_input(self, from_rest: bool = True) -> ruckig.InputParameter:
        """A motion within the limits, without a target; from the present setpoint unless from rest."""
        limits, motion = self.limits, ruckig.InputParameter(6)
        if not from_rest:
            for name in ("current_position", "current_velocity", "current_acceleration"):
                setattr(motion, name, _without_rounding(getattr(self._input, name)))
        motion.max_velocity = [limits.linear_velocity_m_s] * 3 + [limits.angular_velocity_rad_s] * 3
        motion.max_acceleration = [limits.linear_acceleration_m_s2] * 3 + [limits.angular_acceleration_rad_s2] * 3
        motion.max_jerk = [limits.linear_jerk_m_s3] * 3 + [limits.angular_jerk_rad_s3] * 3
        motion.target_velocity = motion.target_acceleration = [0.0] * 6
        return motion


def _aim_at_rest(motion: ruckig.InputParameter) -> None:
    motion.control_interface = ruckig.ControlInterface.Velocity
    motion.synchronization = ruckig.Synchronization.No  # an axis that waits for a slower one overruns its stop
    motion.target_velocity = [0.0] * 6
    motion.target_acceleration = [0.0] * 6
    motion.minimum_duration = None


def _without_rounding(numbers: list[float]) -> list[float]:
    """What is left of velocities and accelerations that have come to zero defeats the search for a profile."""
    return [0.0 if abs(number) < ROUNDING else number for number in numbers]
