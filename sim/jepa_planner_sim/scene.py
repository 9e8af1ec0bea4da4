"""What lies on the table and how it is seen: one frozen description per scene."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

OBJECT_REGION_MIN_M = np.array([0.40, -0.15])
OBJECT_REGION_MAX_M = np.array([0.60, 0.15])
STANDARD_CUBE_M = 0.045
STANDARD_COLOUR = (0.85, 0.10, 0.10)


@dataclass(frozen=True)
class TableObject:
    """An upright object on the table; `xy_m` is its centre in the base frame.

    extents_m: length, width (across which it is grasped) and height; a round one's first two are its diameter, those of
    a hexagon and a cross the distance between opposite faces.
    """

    shape: str = "box"
    extents_m: tuple[float, float, float] = (STANDARD_CUBE_M,) * 3
    colour: tuple[float, float, float] = STANDARD_COLOUR
    xy_m: tuple[float, float] = (0.5, 0.0)
    yaw_rad: float = 0.0

    @property
    def grasp_period_rad(self) -> float | None:
        """A grasp stays as good when the gripper turns by this; None: it does not matter how far it turns."""
        length, width, _ = self.extents_m
        if self.shape in ("cylinder", "sphere"):
            return None
        if self.shape == "hexagon":
            return math.pi / 3
        return math.pi / 2 if length - width < 0.005 else math.pi


@dataclass(frozen=True)
class CameraShift:
    """How far a camera stands from its nominal place: metres in the base frame, and radians about its own right and
    up axes.
    """

    xyz_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    tilt_rad: float = 0.0
    pan_rad: float = 0.0


@dataclass(frozen=True)
class BackgroundMotion:
    """How strongly the background flickers and its texture moves (0: not at all), and the seed of both."""

    flicker: float = 0.0
    texture: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Scene:
    """Everything about a scene but the arm. The task's object comes first in `objects`; the others distract."""

    objects: tuple[TableObject, ...] = (TableObject(),)
    camera_shifts: dict[str, CameraShift] = field(default_factory=dict)
    light_direction: tuple[float, float, float] = (0.6, 0.4, 1.0)
    light_ambient: float = 0.65
    light_colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    table_colour: tuple[float, float, float] = (0.72, 0.66, 0.56)
    table_texture_seed: int | None = None
    motion: BackgroundMotion | None = None
    start_yaw_rad: float = 0.0
