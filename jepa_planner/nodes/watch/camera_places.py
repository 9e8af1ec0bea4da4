"""Where cameras stand and how they project, so that a path can be drawn into their pictures. No ROS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jepa_planner.calibration.lens import Lens
from jepa_planner.calibration.transforms import from_quaternion, quaternion_xyzw, xyz_m
from jepa_planner.core.camera_calibration import CameraCalibration

IN_FRONT_M = 0.01
"""What is nearer to the camera, or behind it, has no place in its picture."""


@dataclass(frozen=True)
class Placed:
    """A frame in another one, as a PoseStamped or a transform tells it."""

    frame: str
    xyz_m: tuple[float, float, float]
    quaternion_xyzw: tuple[float, float, float, float]

    def within(self, outer: Placed) -> Placed:
        """The same in the frame in which its own frame is placed."""
        outer_from_own = from_quaternion(outer.xyz_m, outer.quaternion_xyzw)
        pose = outer_from_own @ from_quaternion(self.xyz_m, self.quaternion_xyzw)
        return Placed(outer.frame, xyz_m(pose), quaternion_xyzw(pose))


def chained(frames: Mapping[str, Placed], frame: str, base: str) -> Placed | None:
    """Where a frame is in the base frame by transforms from each frame to its parent; None: they do not lead there."""
    found = frames.get(frame)
    for _ in range(len(frames)):  # a circle ends too
        if found is None or found.frame == base:
            break
        outer = frames.get(found.frame)
        found = None if outer is None else found.within(outer)
    return found if found is not None and found.frame == base else None


def calibration_of(view: str, info: Any, placed: Placed) -> CameraCalibration:
    """A camera by its sensor_msgs/CameraInfo and its pose; raises ValueError for a lens that is not given."""
    if not info.k[0]:
        raise ValueError(f"camera_info of {view} has no focal length; expected a calibrated camera")
    k = [float(number) for number in info.k]
    return CameraCalibration(
        view=view,
        frame=placed.frame,
        width_px=info.width,
        height_px=info.height,
        camera_matrix=((k[0], 0.0, k[2]), (0.0, k[4], k[5]), (0.0, 0.0, 1.0)),
        xyz_m=placed.xyz_m,
        quaternion_xyzw=placed.quaternion_xyzw,
        distortion_model=info.distortion_model or "plumb_bob",
        distortion=tuple(float(number) for number in info.d),
    )


def pixels_of(camera: CameraCalibration, size_px: tuple[int, int], points_m: np.ndarray) -> np.ndarray:
    """Pixels [N, 2] of points [N, 3] in the base frame, in a whole picture of that width and height; NaN for points
    that the camera does not look at.

    Raises ValueError for a picture of another aspect than the camera was calibrated with.
    """
    scaled = camera.at_size(*size_px)
    in_camera = (np.asarray(points_m, float).reshape(-1, 3) - np.array(scaled.xyz_m)) @ scaled.rotation
    seen = in_camera[:, 2] > IN_FRONT_M
    pixels = np.full((len(in_camera), 2), np.nan)
    if seen.any():
        pixels[seen] = Lens.of(scaled).project(in_camera[seen])
    return pixels
