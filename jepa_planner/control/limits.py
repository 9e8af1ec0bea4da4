"""The limits that every command obeys, whatever the planner says."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import yaml

from jepa_planner.control.kinematics import rotation_from_rpy, rpy_from_rotation
from jepa_planner.shipped import shipped


class LimitsError(ValueError):
    """A limits file that is incomplete, unknown in part, or contradicts itself."""


@dataclass(frozen=True)
class SafetyLimits:
    """Limits of the tcp and the joints; positions in metres in the base frame, closedness 0 open .. 1 closed.

    `workspace_min_m` and `workspace_max_m` are the corners of the box in which the tcp may be; the lower z is the
    minimum height over the table. `workspace_yaw_rad` holds how far the tcp may be turned about the base frame's z axis
    either way. Velocity, acceleration and jerk limits hold per axis. Motions slow down within
    `joint_slowdown_rad` of a joint limit's margin, and where the smallest singular value of the Jacobian falls below
    `singularity_slowdown`.
    """

    robot_description: Path
    tcp_frame: str
    workspace_min_m: tuple[float, float, float]
    workspace_max_m: tuple[float, float, float]
    workspace_yaw_rad: tuple[float, float]
    linear_velocity_m_s: float
    linear_acceleration_m_s2: float
    linear_jerk_m_s3: float
    angular_velocity_rad_s: float
    angular_acceleration_rad_s2: float
    angular_jerk_rad_s3: float
    gripper_rate_per_s: float
    joint_margin_rad: float
    joint_slowdown_rad: float
    joint_velocity_scale: float
    singularity_slowdown: float
    max_step_m: float

    def __post_init__(self) -> None:
        if not np.all(np.asarray(self.workspace_min_m) < np.asarray(self.workspace_max_m)):
            raise LimitsError(
                f"workspace_min_m {self.workspace_min_m} must be below workspace_max_m {self.workspace_max_m} per axis"
            )
        least_rad, most_rad = self.workspace_yaw_rad
        if not -np.pi <= least_rad < most_rad <= np.pi:
            raise LimitsError(
                f"workspace_yaw_rad is {self.workspace_yaw_rad}, expected the least and the most, within -pi..pi"
            )
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not (np.isfinite(value) and value > 0):
                raise LimitsError(f"{field.name} is {value}, expected a finite number above 0")
        if self.joint_velocity_scale > 1.0:
            raise LimitsError(f"joint_velocity_scale is {self.joint_velocity_scale}, expected a share, at most 1")

    @classmethod
    def load(cls, path: str | Path) -> SafetyLimits:
        """Read a YAML file; `robot_description` is relative to it. Raises LimitsError naming the field at fault."""
        path = Path(path)
        try:
            given = yaml.safe_load(path.read_text())
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise LimitsError(f"cannot read limits from {path}: {error}") from error
        if not isinstance(given, dict):
            raise LimitsError(f"{path} holds {type(given).__name__}, expected one 'name: value' per limit")
        known = {field.name for field in fields(cls)}
        if missing := sorted(known - given.keys()):
            raise LimitsError(f"{path} lacks {', '.join(missing)}")
        if unknown := sorted(given.keys() - known):
            raise LimitsError(f"{path} has unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        values = {}
        for name, value in given.items():
            try:
                if name == "robot_description":
                    values[name] = (path.parent / value).resolve()
                elif name == "tcp_frame":
                    values[name] = str(value)
                elif name.startswith("workspace"):
                    values[name] = tuple(float(v) for v in value)
                    count = 2 if name == "workspace_yaw_rad" else 3
                    if len(values[name]) != count:
                        raise ValueError(f"expected {count} numbers")
                else:
                    values[name] = float(value)
            except (TypeError, ValueError) as error:
                raise LimitsError(f"{path}: {name} is {value!r}: {error}") from error
        return cls(**values)

    @classmethod
    def panda(cls) -> SafetyLimits:
        """The limits that ship with the package, for the Franka Panda."""
        return cls.load(shipped_config("panda_limits.yaml"))

    def clip_to_workspace(self, xyz_m: np.ndarray) -> np.ndarray:
        """The point of the workspace box nearest to `xyz_m` [3]."""
        return np.clip(xyz_m, self.workspace_min_m, self.workspace_max_m)

    def clip_yaw(self, rotation: np.ndarray, now: np.ndarray) -> np.ndarray:
        """The rotation [3, 3] of the tcp with its yaw within bounds, or no further outside than it is `now` [3, 3]: an
        arm that was switched on there is not turned back at once.
        """
        roll, pitch, yaw_rad = rpy_from_rotation(rotation)
        now_rad = float(rpy_from_rotation(now)[2])
        least_rad, most_rad = self.workspace_yaw_rad
        aim_rad = now_rad + math.remainder(yaw_rad - now_rad, 2 * math.pi)
        within_rad = min(max(aim_rad, min(least_rad, now_rad)), max(most_rad, now_rad))
        return rotation if within_rad == aim_rad else rotation_from_rpy(np.array([roll, pitch, within_rad]))

    def inside_workspace(self, xyz_m: np.ndarray, tolerance_m: float = 1e-6) -> bool:
        """Whether `xyz_m` [3] lies in the workspace box."""
        return bool(
            np.all(xyz_m >= np.asarray(self.workspace_min_m) - tolerance_m)
            and np.all(xyz_m <= np.asarray(self.workspace_max_m) + tolerance_m)
        )


def shipped_config(name: str) -> Path:
    """Path of a file in config/; raises FileNotFoundError where it does not ship."""
    return shipped(f"config/{name}")
