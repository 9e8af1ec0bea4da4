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
    """An upright object on the table."""

    shape: str = "box"
    """box, cylinder, sphere, hexagon or cross."""
    extents_m: tuple[float, float, float] = (STANDARD_CUBE_M,) * 3
    """Length, width (across which it is grasped) and height; a round one's first two are its diameter, those of a
    hexagon and a cross the distance between opposite faces.
    """
    colour: tuple[float, float, float] = STANDARD_COLOUR
    """Red, green and blue, in [0, 1]."""
    xy_m: tuple[float, float] = (0.5, 0.0)
    """Its centre in the base frame."""
    yaw_rad: float = 0.0
    """Its turn about the base frame's z axis."""

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
    """How far a camera stands from its nominal place."""

    xyz_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """In the base frame."""
    tilt_rad: float = 0.0
    """About its own right axis."""
    pan_rad: float = 0.0
    """About its own up axis."""


@dataclass(frozen=True)
class BackgroundMotion:
    """How strongly the background moves."""

    flicker: float = 0.0
    """How strongly it flickers, at least 0; 0: not at all."""
    texture: float = 0.0
    """How strongly its texture moves, at least 0; 0: not at all."""
    seed: int = 0
    """Of both."""


@dataclass(frozen=True)
class Scene:
    """Everything about a scene but the arm."""

    objects: tuple[TableObject, ...] = (TableObject(),)
    """The task's comes first; the others distract."""
    camera_shifts: dict[str, CameraShift] = field(default_factory=dict)
    """By the cameras' names; one that is not named stands where it should."""
    light_direction: tuple[float, float, float] = (0.6, 0.4, 1.0)
    """Towards the light, in the base frame."""
    light_ambient: float = 0.65
    """Share of the light that comes from everywhere, in [0, 1]."""
    light_colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Red, green and blue; white is 1 of each."""
    table_colour: tuple[float, float, float] = (0.72, 0.66, 0.56)
    """Red, green and blue, in [0, 1]."""
    table_texture_seed: int | None = None
    """Of the table's texture; None: it has none."""
    motion: BackgroundMotion | None = None
    """Of the background; None: it stands still."""
    start_yaw_rad: float = 0.0
    """How far the gripper is turned at the start."""
