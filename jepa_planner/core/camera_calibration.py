"""What cameras see and where they stand, in a `cameras.yaml` beside a bundle: a mapping from views to calibrations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import yaml
from scipy.spatial.transform import Rotation

from jepa_planner.core.aspect import same_aspect
from jepa_planner.core.image_message import MAX_IMAGE_SIDE_PX
from jepa_planner.core.ranges import NotNegative, Positive, Range, Several, check_ranges
from jepa_planner.core.strict_fields import FieldError, from_plain, to_plain
from jepa_planner.core.yaml_changes import changed_yaml
from jepa_planner.core.yaml_text import read_yaml, write_yaml

CAMERAS_FILE = "cameras.yaml"
MAX_FILE_BYTES = 1_000_000
LENGTH_SLACK = 1e-3
"""How far from 1 the length of a quaternion may be."""
COEFFICIENTS = {"plumb_bob": (0, 4, 5), "rational_polynomial": (8,), "equidistant": (0, 4)}
"""How many numbers of distortion each model of sensor_msgs/CameraInfo takes, in OpenCV's order."""
Side = Annotated[int, Range(f"[1, {MAX_IMAGE_SIDE_PX}]")]
Numbers3 = tuple[float, float, float]
Numbers4 = tuple[float, float, float, float]


class CalibrationError(ValueError):
    """A calibration that is incomplete, unknown in part, or contradicts itself; the message names file and field."""


@dataclass(frozen=True)
class Board:
    """A ChArUco board: a chessboard whose white squares hold markers."""

    columns: Several
    """Squares along x, from the board's origin."""
    rows: Several
    """Squares along y."""
    square_mm: Positive
    """Side of a square."""
    marker_mm: Positive
    """Side of a marker's black border, shorter than a square's."""
    dictionary: str
    """Of OpenCV's markers, as DICT_4X4_100."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.marker_mm < self.square_mm:
            raise ValueError(f"marker_mm is {self.marker_mm:g}; it must be less than square_mm, {self.square_mm:g}")

    def __str__(self) -> str:
        size = f"{self.columns} x {self.rows} squares of {self.square_mm:g} mm"
        return f"{size}, markers of {self.marker_mm:g} mm, {self.dictionary}"


@dataclass(frozen=True)
class Placed:
    """Where a board is on what carries it; its frame begins at corner 1, with x along rows and z into it."""

    carrier: Literal["tcp", "base"]
    """The board hangs on the gripper, or lies still in the base frame."""
    xyz_m: Numbers3
    quaternion_xyzw: Numbers4

    def __post_init__(self) -> None:
        _check_pose(self.xyz_m, self.quaternion_xyzw)

    @property
    def rotation(self) -> np.ndarray:
        """From the board's frame to its carrier's, [3, 3]."""
        return _matrix(self.quaternion_xyzw)


@dataclass(frozen=True)
class CameraCalibration:
    """One camera: how it projects, and where it stands in the robot's base frame.

    Its own frame is the optical one of REP 103: z forward, x right, y down in the picture; the pose leads from it to
    the base frame. A point there is seen at `camera_matrix` times its place in the camera's frame, after distortion.
    """

    view: str
    """As the model calls the camera."""
    frame: str
    """The base frame."""
    width_px: Side
    """Of the pictures that it was calibrated with."""
    height_px: Side
    camera_matrix: tuple[Numbers3, Numbers3, Numbers3]
    """Focal lengths and centre in pixels, as K of sensor_msgs/CameraInfo."""
    xyz_m: Numbers3
    """Where the camera is in the base frame."""
    quaternion_xyzw: Numbers4
    """How it is turned there."""
    distortion_model: Literal["plumb_bob", "rational_polynomial", "equidistant"] = "plumb_bob"
    """As in sensor_msgs/CameraInfo; equidistant is OpenCV's fisheye."""
    distortion: tuple[float, ...] = ()
    """As D of sensor_msgs/CameraInfo; empty for none."""
    reprojection_error_px: NotNegative | None = None
    """Root mean square over all corners of all samples that were kept."""
    xyz_std_m: Numbers3 | None = None
    """Standard deviations of the place, in the base frame's axes, as far as the noise of the corners tells."""
    rotation_std_rad: Numbers3 | None = None
    """Those of a turn about the base frame's axes."""
    samples: int | None = None
    """How many pictures were kept."""
    board: Board | None = None
    """With what it was calibrated."""
    board_pose: Placed | None = None
    """Where the board was found to be."""
    reference_picture: str | None = None
    """A picture of the scene then, relative to this file."""
    table_z_m: float | None = None
    """Height of the table in the base frame, on which pictures are compared."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.view or not self.frame:
            raise ValueError(f"view is {self.view!r} and frame {self.frame!r}; expected names")
        matrix = np.array(self.camera_matrix)
        shape_is_right = matrix[0, 0] > 0 and matrix[1, 1] > 0 and np.array_equal(matrix[2], (0.0, 0.0, 1.0))
        if not (np.all(np.isfinite(matrix)) and shape_is_right and matrix[1, 0] == 0.0):
            raise ValueError(
                f"camera_matrix is {matrix.tolist()}; expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels"
            )
        if len(self.distortion) not in (counts := COEFFICIENTS[self.distortion_model]):
            expected = " or ".join(map(str, counts))
            raise ValueError(f"distortion has {len(self.distortion)} numbers; {self.distortion_model} takes {expected}")
        if not all(map(math.isfinite, self.distortion)):
            raise ValueError(f"distortion is {self.distortion}; expected finite numbers")
        _check_pose(self.xyz_m, self.quaternion_xyzw)

    @property
    def rotation(self) -> np.ndarray:
        """From the camera's optical frame to the base frame, [3, 3]."""
        return _matrix(self.quaternion_xyzw)

    def at_size(self, width_px: int, height_px: int) -> CameraCalibration:
        """The same camera whose pictures are made larger or smaller; raises ValueError for another aspect."""
        if not same_aspect((width_px, height_px), (self.width_px, self.height_px)):
            raise ValueError(
                f"view {self.view} is {width_px} x {height_px} px, but was calibrated with "
                f"{self.width_px} x {self.height_px}: calibrate it with whole pictures as they are now"
            )
        across, down = width_px / self.width_px, height_px / self.height_px
        (fx, skew, cx), (_, fy, cy), last = self.camera_matrix
        # pixels are counted from the centre of the first one
        matrix = (
            (fx * across, skew * across, (cx + 0.5) * across - 0.5),
            (0.0, fy * down, (cy + 0.5) * down - 0.5),
            last,
        )
        return replace(self, width_px=width_px, height_px=height_px, camera_matrix=matrix)


def load_cameras(folder: str | Path) -> dict[str, CameraCalibration]:
    """The calibrations beside a bundle by view, empty where there are none; see `load`."""
    path = Path(folder) / CAMERAS_FILE
    return load(path) if path.is_file() else {}


def load(path: str | Path) -> dict[str, CameraCalibration]:
    """The calibrations of a file by view; raises CalibrationError naming the field at fault."""
    path = Path(path)
    return {view: _calibration(path, view, plain) for view, plain in _read(path).items()}


def save(path: str | Path, *cameras: CameraCalibration) -> None:
    """Writes calibrations into a file, whole or not at all; other views there, and comments, stay as they are.

    Raises CalibrationError where the file there is none.
    """
    path = Path(path)
    before: dict[str, Any] = dict(_read(path)) if path.is_file() else {}
    after = before | {camera.view: dict.fromkeys(before.get(camera.view, ())) | _plain(camera) for camera in cameras}
    text = changed_yaml(path.read_text(encoding="utf-8"), before, after) if before else write_yaml(after)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def _read(path: Path) -> Mapping[str, Any]:
    if (size := path.stat().st_size) > MAX_FILE_BYTES:
        raise CalibrationError(f"{path}: {size} bytes; calibrations have at most {MAX_FILE_BYTES}")
    try:
        plain = read_yaml(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise CalibrationError(f"{path}: {error}") from error
    plain = {} if plain is None else plain
    if not isinstance(plain, Mapping) or not all(isinstance(view, str) for view in plain):
        raise CalibrationError(f"{path}: expected a mapping from views to calibrations, got {plain!r:.80}")
    return plain


def _calibration(path: Path, view: str, plain: Any) -> CameraCalibration:
    try:
        if not isinstance(plain, Mapping):
            raise FieldError(f"{view}: expected a mapping, got {plain!r:.80}")
        if "view" in plain:
            raise FieldError(f"{view}: unknown field view: it is the name above")
        return from_plain(CameraCalibration, {"view": view, **plain}, view)
    except FieldError as error:
        raise CalibrationError(f"{path}: {error}") from error


def _plain(camera: CameraCalibration) -> dict[str, Any]:
    """What the file says of a camera; what is not known is left out."""
    plain = to_plain(camera)
    return {name: value for name, value in plain.items() if name != "view" and value is not None}


def _check_pose(xyz_m: Numbers3, quaternion_xyzw: Numbers4) -> None:
    if not all(map(math.isfinite, xyz_m)):
        raise ValueError(f"xyz_m is {xyz_m}; expected finite numbers")
    length = float(np.linalg.norm(quaternion_xyzw))
    if not abs(length - 1.0) <= LENGTH_SLACK:  # not a number is none either
        raise ValueError(f"quaternion_xyzw is {quaternion_xyzw}, of length {length:g}; expected length 1")


def _matrix(quaternion_xyzw: Numbers4) -> np.ndarray:
    return Rotation.from_quat(quaternion_xyzw).as_matrix()
