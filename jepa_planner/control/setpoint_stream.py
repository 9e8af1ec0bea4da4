"""The stream of setpoints between a plan and the motors: fixed rate, bounded velocity, acceleration and jerk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import ruckig

from jepa_planner.control.kinematics import (
    ArmKinematics,
    rotation_from_rpy,
    rotation_from_vector,
    rotation_vector,
    rpy_from_rotation,
)
from jepa_planner.control.limits import SafetyLimits


@dataclass(frozen=True)
class Setpoint:
    """What the arm is told at one tick: joints (rad, rad/s), the same as a tcp pose in the base frame, and the
    gripper.
    """

    q_rad: np.ndarray
    dq_rad_s: np.ndarray
    xyz_m: np.ndarray
    rotation: np.ndarray
    linear_velocity_m_s: np.ndarray
    angular_velocity_rad_s: np.ndarray
    closedness: float
    moving: bool

    @property
    def rpy_rad(self) -> np.ndarray:
        """Extrinsic "xyz" angles of the tcp."""
        return rpy_from_rotation(self.rotation)


class SetpointStream:
    """Turns tcp targets into joint setpoints at a fixed rate; always has something safe to send.

    Targets are clipped to the workspace. Between targets the tcp follows the time-optimal profile under the velocity,
    acceleration and jerk limits (Berscheid and Kroeger, Jerk-limited Real-time Trajectory Generation, 2021), so a new
    target or a brake in mid-motion leaves no seam. A joint step beyond the joint velocity limit is shortened; the
    pose is caught up later.
    """

    def __init__(self, kinematics: ArmKinematics, limits: SafetyLimits, rate_hz: float = 100.0) -> None:
        self.limits = limits
        self.period_s = 1.0 / rate_hz
        self._kinematics = kinematics
        self._max_joint_step_rad = kinematics.velocity_rad_s * limits.joint_velocity_scale * self.period_s
        self._profile = ruckig.Ruckig(6, self.period_s)
        self._input = ruckig.InputParameter(6)
        self._output = ruckig.OutputParameter(6)
        self._input.max_velocity = [limits.linear_velocity_m_s] * 3 + [limits.angular_velocity_rad_s] * 3
        self._input.max_acceleration = [limits.linear_acceleration_m_s2] * 3 + [limits.angular_acceleration_rad_s2] * 3
        self._input.max_jerk = [limits.linear_jerk_m_s3] * 3 + [limits.angular_jerk_rad_s3] * 3
        self._q_rad: np.ndarray | None = None

    @property
    def ready(self) -> bool:
        """Whether a measured state has been given; before that nothing may be sent."""
        return self._q_rad is not None

    def reset(self, q_rad: np.ndarray, closedness: float) -> None:
        """Start, at rest, from measured joint positions [7] and the gripper's commanded closedness."""
        self._q_rad = None
        measured_rad, joints = np.array(q_rad, dtype=float), len(self._kinematics.joint_names)
        if measured_rad.shape != (joints,) or not np.all(np.isfinite([*measured_rad, closedness])):
            raise ValueError(
                f"a start is {joints} finite joint positions and a closedness, got {measured_rad} and {closedness}"
            )
        self._q_rad = measured_rad
        xyz, rotation = self._kinematics.tcp_pose(self._q_rad)
        self._closedness = self._target_closedness = float(np.clip(closedness, 0.0, 1.0))
        self._reference = rotation
        self._input.current_position = [*xyz, 0.0, 0.0, 0.0]
        self._input.current_velocity = [0.0] * 6
        self._input.current_acceleration = [0.0] * 6
        self.brake()

    def follow(self, xyz_m: np.ndarray, rotation: np.ndarray, closedness: float, min_duration_s: float = 0.0) -> None:
        """Move to a tcp pose in the base frame, arriving at rest, no sooner than `min_duration_s`.

        Raises ValueError for numbers that are not finite, RuntimeError before `reset`; the previous target then stays
        in force.
        """
        if not self.ready:
            raise RuntimeError("no measured joint state yet: call reset(q_rad, closedness) first")
        xyz_m, rotation = np.asarray(xyz_m, dtype=float), np.asarray(rotation, dtype=float)
        if xyz_m.shape != (3,) or rotation.shape != (3, 3):
            raise ValueError(f"a target is xyz [3] and a rotation [3, 3], got {xyz_m.shape} and {rotation.shape}")
        if not (np.all(np.isfinite(xyz_m)) and np.all(np.isfinite(rotation)) and np.isfinite(closedness)):
            raise ValueError(f"target must be finite, got xyz {xyz_m}, closedness {closedness}")
        current_xyz, current_rotation = self.pose()
        self._reference = current_rotation
        self._input.current_position = [*current_xyz, 0.0, 0.0, 0.0]
        self._input.control_interface = ruckig.ControlInterface.Position
        self._input.synchronization = ruckig.Synchronization.Time
        self._input.target_position = [
            *self.limits.clip_to_workspace(xyz_m),
            *rotation_vector(rotation @ current_rotation.T),
        ]
        self._input.target_velocity = [0.0] * 6
        self._input.target_acceleration = [0.0] * 6
        self._input.minimum_duration = min_duration_s if min_duration_s > 0 else None
        self._target_closedness = float(np.clip(closedness, 0.0, 1.0))

    def move_by(self, action: np.ndarray, min_duration_s: float = 0.0) -> None:
        """Move by one action [7] (m, rad, closedness) from the present setpoint: xyz adds, R_new = R(action) R,
        closedness adds.

        Starting from the setpoint instead of the measured pose keeps a resting arm's small sag from adding up over
        steps. Rotation is extrinsic "xyz" (vjepa2-ac's convention). Same errors as `follow`.
        """
        action = np.asarray(action, dtype=float)
        if action.shape != (7,) or not np.all(np.isfinite(action)):
            raise ValueError(
                f"an action is 7 finite numbers [dx, dy, dz, droll, dpitch, dyaw, dclosedness], got {action}"
            )
        xyz, rotation = self.pose()
        closedness = self._target_closedness + action[6]
        self.follow(xyz + action[:3], rotation_from_rpy(action[3:6]) @ rotation, closedness, min_duration_s)

    def pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Position [3] and rotation [3, 3] of the present setpoint. Raises RuntimeError before `reset`."""
        if not self.ready:
            raise RuntimeError("no measured joint state yet: call reset(q_rad, closedness) first")
        position = np.asarray(self._input.current_position)
        return position[:3], rotation_from_vector(position[3:]) @ self._reference

    @property
    def closedness(self) -> float:
        """The commanded closedness, 0 open .. 1 closed."""
        return self._target_closedness

    def brake(self) -> None:
        """Slow to a standstill as fast as the limits allow and stay there; the gripper keeps its command."""
        if not self.ready:
            return
        self._input.control_interface = ruckig.ControlInterface.Velocity
        self._input.synchronization = ruckig.Synchronization.No  # an axis that waits for a slower one overruns its stop
        self._input.target_velocity = [0.0] * 6
        self._input.target_acceleration = [0.0] * 6
        self._input.minimum_duration = None
        self._target_closedness = self._closedness

    def tick(self) -> Setpoint:
        """The next setpoint, one period later. Raises RuntimeError before `reset`."""
        if not self.ready:
            raise RuntimeError("no measured joint state yet: call reset(q_rad, closedness) first")
        result = self._profile.update(self._input, self._output)
        if result in (ruckig.Result.Working, ruckig.Result.Finished):
            self._output.pass_to_input(self._input)
        else:
            raise RuntimeError(f"no profile within limits from the present state: {result}")
        pose = np.asarray(self._input.current_position)
        velocity = np.asarray(self._input.current_velocity)
        xyz, rotation = pose[:3], rotation_from_vector(pose[3:]) @ self._reference
        wanted, _ = self._kinematics.inverse_step(xyz, rotation, self._q_rad)
        step = wanted - self._q_rad
        excess = float(np.max(np.abs(step) / self._max_joint_step_rad))
        if excess > 1.0:
            step /= excess
        self._q_rad = self._q_rad + step
        gripper_step = self.limits.gripper_rate_per_s * self.period_s
        self._closedness += float(np.clip(self._target_closedness - self._closedness, -gripper_step, gripper_step))
        moving = result == ruckig.Result.Working or excess > 1.0 or self._closedness != self._target_closedness
        return Setpoint(
            q_rad=self._q_rad.copy(), dq_rad_s=step / self.period_s, xyz_m=xyz.copy(), rotation=rotation,
            linear_velocity_m_s=velocity[:3].copy(), angular_velocity_rad_s=velocity[3:].copy(),
            closedness=self._closedness, moving=moving,
        )  # fmt: skip
