"""The limits that every command obeys, whatever the planner says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from jepa_planner.control.description_text import FROM_TOPIC, DescriptionText
from jepa_planner.control.gripper import Gripper
from jepa_planner.control.joint_names import JointNames
from jepa_planner.control.kinematics import ArmKinematics, rotation_from_rpy, rotation_vector, rpy_from_rotation
from jepa_planner.control.limits_values import read_value
from jepa_planner.core.shipped import shipped
from jepa_planner.core.yaml_text import read_yaml

FAR_OFF = 10.0
"""Of an arm's reach: a workspace box that goes further bounds nothing, and is hardly in metres."""
ROUNDING = 1e-12
"""Turns (rad) that differ by less are the same: what is clipped once stays as it is."""


class LimitsError(ValueError):
    """A limits file that is incomplete, unknown in part, or contradicts itself."""


@dataclass(frozen=True)
class SafetyLimits:
    """Limits of the tcp and the joints; positions are in the base frame. All names are the description's."""

    robot_description: Path | None
    """URDF of the arm, or a xacro file that makes one; None: it comes by the topic robot_description."""
    tcp_frame: str
    """The link of it whose poses are meant."""
    workspace_min_m: tuple[float, float, float]
    """Lower corner of the box in which the tcp may be; its z is the minimum height over the table."""
    workspace_max_m: tuple[float, float, float]
    """Upper corner of that box, above the lower one on each axis."""
    workspace_yaw_rad: tuple[float, float]
    """The least and the most that the tcp may be turned about the base frame's z axis; less than a turn apart."""
    linear_velocity_m_s: float
    """Per axis of the base frame, more than 0."""
    linear_acceleration_m_s2: float
    """Per axis of the base frame, more than 0."""
    linear_jerk_m_s3: float
    """Per axis of the base frame, more than 0."""
    angular_velocity_rad_s: float
    """Per axis of the rotation vector, more than 0."""
    angular_acceleration_rad_s2: float
    """Per axis of the rotation vector, more than 0."""
    angular_jerk_rad_s3: float
    """Per axis of the rotation vector, more than 0."""
    gripper_rate_per_s: float
    """Change of closure (0 open .. 1 closed) per second, more than 0."""
    joint_margin_rad: float
    """Kept from each joint limit of the robot description, more than 0."""
    joint_slowdown_rad: float
    """A joint that comes nearer to its margin than this slows down; more than 0."""
    joint_velocity_scale: float
    """Share of the robot description's joint velocities that may be used, in (0, 1]."""
    singularity_slowdown: float
    """Smallest singular value of the Jacobian below which motions slow down; more than 0."""
    max_step_m: float
    """A first target further than this from the measured tcp is refused; more than 0."""
    posture_rad: tuple[float, ...] | None = None
    """Where the null space of seven joints is pulled to [joints]; None: nowhere."""
    xacro_arguments: Mapping[str, str] = field(default_factory=dict)
    """With which a xacro file is expanded."""
    base_frame: str | None = None
    """The link of the description in which poses and the box are; None: its root."""
    joint_prefix: str = ""
    """What the driver puts before the names of joints."""
    joints: Mapping[str, str] = field(default_factory=dict)
    """The description's name by the driver's, for joints that the driver calls by another."""
    gripper_joints: tuple[str, ...] | None = None
    """Finger joints, of which the first is commanded; none for an arm without a gripper; None: not said here."""
    gripper_open: float | None = None
    """Position (m or rad) of a finger joint when the gripper is open."""
    gripper_closed: float | None = None
    """Position of a finger joint when the gripper is closed."""
    gripper_mimic: tuple[str, ...] = ()
    """Joints that follow the fingers by themselves: neither commanded nor needed in joint states."""

    def __post_init__(self) -> None:
        corners = np.array([self.workspace_min_m, self.workspace_max_m])
        if not (np.all(np.isfinite(corners)) and np.all(corners[0] < corners[1])):
            raise LimitsError(
                f"workspace_min_m {self.workspace_min_m} must be below workspace_max_m {self.workspace_max_m} per axis"
            )
        least_rad, most_rad = self.workspace_yaw_rad
        if not -2 * np.pi <= least_rad < most_rad <= min(2 * np.pi, least_rad + 2 * np.pi):
            raise LimitsError(
                f"workspace_yaw_rad is {self.workspace_yaw_rad}, expected the least and the most, at most a turn "
                "apart, within -2 pi..2 pi"
            )
        for limit in fields(self):
            value = getattr(self, limit.name)
            if limit.type == "float" and not (np.isfinite(value) and value > 0):
                raise LimitsError(f"{limit.name} is {value}, expected a finite number above 0")
        if self.joint_velocity_scale > 1.0:
            raise LimitsError(f"joint_velocity_scale is {self.joint_velocity_scale}, expected a share, at most 1")
        if self.robot_description is None and self.xacro_arguments:
            raise LimitsError("xacro_arguments are for a file; what comes by the topic is expanded by who publishes it")
        try:
            _ = self.gripper
        except ValueError as error:
            raise LimitsError(str(error)) from error

    @property
    def gripper(self) -> Gripper | None:
        """The gripper by the names of the description; None where this says nothing of it."""
        if self.gripper_joints is None:
            said = [name for name in ("gripper_open", "gripper_closed") if getattr(self, name) is not None]
            if said or self.gripper_mimic:
                raise ValueError(f"{', '.join(said) or 'gripper_mimic'} without gripper_joints")
            return None
        if not self.gripper_joints:
            return Gripper()
        if self.gripper_open is None or self.gripper_closed is None:
            raise ValueError("gripper_joints without gripper_open and gripper_closed, their position at both ends")
        return Gripper(self.gripper_open, self.gripper_closed, self.gripper_joints)

    @property
    def joint_names(self) -> JointNames:
        """The driver's names of joints."""
        return JointNames(self.joints, self.joint_prefix)

    @classmethod
    def load(cls, path: str | Path) -> SafetyLimits:
        """Read a YAML file; `robot_description` is relative to it. Raises LimitsError naming the field at fault."""
        path = Path(path).expanduser()
        try:
            plain = read_yaml(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError, ValueError) as error:
            raise LimitsError(f"cannot read limits from {path}: {error}") from error
        if not isinstance(plain, dict):
            raise LimitsError(f"{path} holds {type(plain).__name__}, expected one 'name: value' per limit")
        known = {limit.name: limit for limit in fields(cls)}
        required = {name for name, limit in known.items() if limit.default is limit.default_factory is MISSING}
        if missing := sorted(required - plain.keys()):
            raise LimitsError(f"{path} lacks {', '.join(missing)}")
        if unknown := sorted(str(name) for name in plain.keys() - known.keys()):
            raise LimitsError(f"{path} has unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        values: dict[str, Any] = {}
        for name, value in plain.items():
            try:
                values[name] = read_value(name, value)
                if name == "robot_description":
                    values[name] = None if value == FROM_TOPIC else (path.parent / Path(value).expanduser()).resolve()
            except (ValueError, OverflowError) as error:
                raise LimitsError(f"{path}: {name} is {value!r}: {error}") from error
        try:
            return cls(**values)
        except LimitsError as error:
            raise LimitsError(f"{path}: {error}") from error

    @classmethod
    def panda(cls) -> SafetyLimits:
        """The limits that ship with the package, for the Franka Panda."""
        return cls.load(shipped_config("panda_limits.yaml"))

    def kinematics(self, text: DescriptionText | None = None) -> ArmKinematics:
        """The arm that these limits are for.

        text: the description that came by the topic, where the limits leave it to that. Raises ValueError for a
        description that cannot be used and for limits and names that do not fit it.
        """
        if self.robot_description is not None:
            text = DescriptionText.read(self.robot_description, self.xacro_arguments)
        if text is None:
            raise LimitsError("robot_description is to come by the topic; name a file to do without ROS")
        arm = ArmKinematics(text, self.tcp_frame, self.joint_margin_rad, self.posture_rad, self.base_frame)
        fingers = (*(self.gripper_joints or ()), *self.gripper_mimic)
        if both := [name for name in fingers if name in arm.joint_names]:
            raise LimitsError(
                f"gripper_joints {', '.join(both)} lie before tcp_frame {self.tcp_frame!r}: choose another"
            )
        self.joint_names.check(arm.joint_names, fingers, arm.description.all_joints)
        base_m, reach_m = arm.reach()
        reaches = f"the arm reaches {reach_m:.2f} m: expected metres"
        away_m = float(np.linalg.norm(self.clip_to_workspace(base_m) - base_m))
        far_m = float(np.max(np.abs([self.workspace_min_m - base_m, self.workspace_max_m - base_m])))
        if away_m > reach_m or far_m > FAR_OFF * reach_m:
            place = f"begins {away_m:.2f} m" if away_m > reach_m else f"reaches to {far_m:.2f} m"
            raise LimitsError(
                f"the workspace box {self.workspace_min_m} to {self.workspace_max_m} {place} from "
                f"{arm.joint_names[0]}, from where {reaches} in the base frame"
            )
        if self.max_step_m > 2.0 * reach_m:
            raise LimitsError(f"max_step_m is {self.max_step_m:g}, but {reaches}")
        return arm

    def clip_to_workspace(self, xyz_m: np.ndarray, now_m: np.ndarray | None = None) -> np.ndarray:
        """The point of the workspace box nearest to `xyz_m` [3].

        For a tcp that is at `now_m` [3], outside of the box, the box reaches that far: each axis then stays or comes
        inward as far as `xyz_m` asks, and no further.
        """
        now_m = np.clip(xyz_m, self.workspace_min_m, self.workspace_max_m) if now_m is None else now_m
        return np.clip(xyz_m, np.minimum(self.workspace_min_m, now_m), np.maximum(self.workspace_max_m, now_m))

    def clip_yaw(self, rotation: np.ndarray, now: np.ndarray) -> np.ndarray:
        """The rotation [3, 3] of the tcp with its yaw within bounds, or no further outside than it is `now` [3, 3]: an
        arm that was switched on there is not turned back at once.

        Where that would turn the tcp further than was asked, as near a pitch of 90 degrees, it stays as it is.
        """
        roll, pitch, yaw_rad = rpy_from_rotation(rotation)
        now_rad = float(rpy_from_rotation(now)[2])
        least_rad, most_rad = self.workspace_yaw_rad
        middle_rad = (least_rad + most_rad) / 2
        if abs(now_rad - middle_rad) > math.pi:  # of two ways back into the bounds the shorter one
            now_rad = middle_rad + math.remainder(now_rad - middle_rad, 2 * math.pi)
        aim_rad = now_rad + math.remainder(yaw_rad - now_rad, 2 * math.pi)
        within_rad = min(max(aim_rad, min(least_rad, now_rad)), max(most_rad, now_rad))
        if abs(within_rad - aim_rad) < ROUNDING:
            return rotation
        clipped = rotation_from_rpy(np.array([roll, pitch, within_rad]))
        turn_rad, asked_rad = (np.linalg.norm(rotation_vector(aim @ now.T)) for aim in (clipped, rotation))
        return clipped if turn_rad <= asked_rad + ROUNDING else now

    def outside_workspace(self, xyz_m: np.ndarray) -> tuple[float, str]:
        """How far (m) `xyz_m` [3] lies outside of the workspace box, and the words for it."""
        words: list[str] = []
        for axis, at_m, low_m, high_m in zip("xyz", xyz_m, self.workspace_min_m, self.workspace_max_m, strict=True):
            away_m, bound = (at_m - high_m, f"up to {high_m:g}") if at_m > high_m else (low_m - at_m, f"from {low_m:g}")
            if away_m > 0.0:
                side = "outside" if axis != "z" else "above" if at_m > high_m else "below"
                words.append(f"{away_m:.3f} m {side} the workspace box ({axis} {at_m:.3f}, box {bound})")
        return float(np.linalg.norm(self.clip_to_workspace(xyz_m) - xyz_m)), " and ".join(words)

    def inside_workspace(self, xyz_m: np.ndarray, tolerance_m: float = 1e-6) -> bool:
        """Whether `xyz_m` [3] lies in the workspace box."""
        return bool(
            np.all(xyz_m >= np.asarray(self.workspace_min_m) - tolerance_m)
            and np.all(xyz_m <= np.asarray(self.workspace_max_m) + tolerance_m)
        )


def shipped_config(name: str) -> Path:
    """Path of a file in config/; raises FileNotFoundError where it does not ship."""
    return shipped(f"config/{name}")
