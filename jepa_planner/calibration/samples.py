"""Samples on disk: a folder of pictures, and a `samples.yaml` or `samples.csv` that says where the arm was in each."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from scipy.spatial.transform import Rotation

from jepa_planner.calibration.adjustment import Sighting
from jepa_planner.calibration.board import BoardError, BoardFinder
from jepa_planner.calibration.lens import Lens
from jepa_planner.calibration.transforms import from_quaternion, transform
from jepa_planner.control.kinematics import ArmKinematics
from jepa_planner.core.arm_layout import POSE_CHANNELS
from jepa_planner.core.camera_calibration import Numbers3, Numbers4
from jepa_planner.core.picture_file import read_picture
from jepa_planner.core.state_ranges import out_of_range
from jepa_planner.core.strict_fields import FieldError, from_plain, to_plain
from jepa_planner.core.yaml_text import read_yaml, write_yaml

SAMPLES_YAML, SAMPLES_CSV = "samples.yaml", "samples.csv"
QUATERNION_COLUMNS = ("qx", "qy", "qz", "qw")
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff")
LENGTH_SLACK = 1e-3


class SamplesError(ValueError):
    """Samples that cannot be read; the message names file and field."""


@dataclass(frozen=True)
class GivenLens:
    """What a sensor_msgs/CameraInfo says: its K and D, of pictures of this size."""

    width_px: int
    height_px: int
    camera_matrix: tuple[Numbers3, Numbers3, Numbers3]
    distortion_model: Literal["plumb_bob", "rational_polynomial", "equidistant"] = "plumb_bob"
    distortion: tuple[float, ...] = ()

    def lens(self) -> Lens:
        """As the adjustment has it."""
        (fx, _, cx), (_, fy, cy), _ = self.camera_matrix
        return Lens.given(self.width_px, self.height_px, self.distortion_model, (fx, fy, cx, cy), self.distortion)


@dataclass(frozen=True)
class Sample:
    """One picture, and where the tcp was: a pose in the base frame, or positions of all joints.

    With neither the board was held by hand, which tells the lens, or lies still where `carrier` says base.
    """

    picture: str
    """Relative to the folder."""
    xyz_m: Numbers3 | None = None
    quaternion_xyzw: Numbers4 | None = None
    joints_rad: dict[str, float] | None = None
    carrier: Literal["tcp", "base"] | None = None


@dataclass(frozen=True)
class Samples:
    """What a folder holds. touched_m: where the tcp touched the corners 1, 2 and 3 of a board that lies still."""

    frame: str
    """The base frame; empty where nobody says it."""
    samples: tuple[Sample, ...]
    lens: GivenLens | None = None
    touched_m: tuple[Numbers3, Numbers3, Numbers3] | None = None


def read_samples(folder: Path, touched: bool = False) -> Samples:
    """What a folder says; touched: pictures without a list are all of the board where it lies. Raises SamplesError."""
    if (path := folder / SAMPLES_YAML).is_file():
        try:
            return from_plain(Samples, {"frame": "", **_mapping(path)})
        except (ValueError, yaml.YAMLError) as error:
            raise SamplesError(f"{path}: {error}") from error
    if (path := folder / SAMPLES_CSV).is_file():
        return Samples("", tuple(_csv_samples(path)))
    pictures = sorted(file.name for file in folder.glob("*") if file.suffix.lower() in PICTURE_ENDINGS)
    if touched and pictures:
        return Samples("", tuple(Sample(name, carrier="base") for name in pictures))
    raise SamplesError(f"{folder}: expected pictures and a {SAMPLES_YAML} or {SAMPLES_CSV} that says where the arm was")


def write_samples(folder: Path, samples: Samples) -> None:
    """Writes the list, whole or not at all."""
    plain = {name: value for name, value in to_plain(samples).items() if value is not None}
    plain["samples"] = [{key: value for key, value in row.items() if value is not None} for row in plain["samples"]]
    new = folder / f"{SAMPLES_YAML}.new"
    new.write_text(write_yaml(plain), encoding="utf-8")
    new.replace(folder / SAMPLES_YAML)


def find_sightings(
    folder: Path, samples: Samples, finder: BoardFinder, arm: ArmKinematics | None = None
) -> tuple[list[Sighting], tuple[int, int], list[str]]:
    """The board in every picture, their size (width, height), and why pictures were passed over.

    Raises SamplesError for pictures of several sizes, and for poses that cannot be.
    """
    found: list[Sighting] = []
    sizes: dict[tuple[int, int], str] = {}
    passed_over = []
    for sample in samples.samples:
        pose = carrier_pose(sample, arm)
        picture = read_picture(folder / sample.picture)
        sizes.setdefault((picture.shape[1], picture.shape[0]), sample.picture)
        try:
            found.append(Sighting(sample.picture, finder.find(picture, sample.picture), pose))
        except BoardError as error:
            passed_over.append(str(error))
    if len(sizes) > 1:
        told = ", ".join(f"{name} {width} x {height}" for (width, height), name in sizes.items())
        raise SamplesError(
            f"{folder}: pictures are of several sizes: {told}; expected those of one camera, none turned"
        )
    if not sizes:
        raise SamplesError(f"{folder}: no samples")
    return found, next(iter(sizes)), passed_over


def carrier_pose(sample: Sample, arm: ArmKinematics | None) -> np.ndarray | None:
    """base_from_carrier [4, 4] of a sample, None for a board held by hand; raises SamplesError."""
    if sample.carrier == "base":
        return np.eye(4)
    if sample.joints_rad is not None:
        if arm is None:
            raise SamplesError(f"{sample.picture}: joints_rad needs the arm: give --limits-file")
        if set(sample.joints_rad) != set(arm.joint_names):
            expected, given = ", ".join(arm.joint_names), ", ".join(sample.joints_rad)
            raise SamplesError(f"{sample.picture}: joints_rad names {given}; expected {expected}")
        xyz_m, rotation = arm.tcp_pose(np.array([sample.joints_rad[name] for name in arm.joint_names]))
        return transform(xyz_m, rotation)
    if sample.xyz_m is None and sample.quaternion_xyzw is None and sample.carrier is None:
        return None
    if sample.xyz_m is None or sample.quaternion_xyzw is None:
        raise SamplesError(f"{sample.picture}: expected xyz_m and quaternion_xyzw, or joints_rad")
    for channel, value in zip(POSE_CHANNELS[:3], sample.xyz_m, strict=True):
        if not np.isfinite(value) or (out_of_range(channel, value)):
            raise SamplesError(f"{sample.picture}: {out_of_range(channel, value) or f'xyz_m is {sample.xyz_m}'}")
    if not abs(np.linalg.norm(sample.quaternion_xyzw) - 1.0) <= LENGTH_SLACK:
        raise SamplesError(f"{sample.picture}: quaternion_xyzw is {sample.quaternion_xyzw}; expected length 1")
    return from_quaternion(sample.xyz_m, sample.quaternion_xyzw)


def _mapping(path: Path) -> Mapping[str, Any]:
    plain = read_yaml(path.read_text(encoding="utf-8"))
    if not isinstance(plain, Mapping):
        raise FieldError(f"expected a mapping with samples, got {plain!r:.80}")
    return plain


def _csv_samples(path: Path) -> list[Sample]:
    """Rows of picture and x_m, y_m, z_m with qx, qy, qz, qw or roll_rad, pitch_rad, yaw_rad, or of one column for each
    joint.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    samples = []
    for number, row in enumerate(rows, 2):
        try:
            name = row.pop("picture")
            samples.append(_csv_sample(name, {key: float(value) for key, value in row.items() if value}))
        except (KeyError, TypeError, ValueError) as error:
            what = f"no column {error}" if isinstance(error, KeyError) else str(error)
            raise SamplesError(f"{path}, line {number}: {what}") from error
    return samples


def _csv_sample(name: str, values: Mapping[str, float]) -> Sample:
    if not values:
        return Sample(name)
    if POSE_CHANNELS[0] not in values:
        return Sample(name, joints_rad=dict(values))
    x, y, z = _columns(values, POSE_CHANNELS[:3])
    if QUATERNION_COLUMNS[0] in values:
        qx, qy, qz, qw = _columns(values, QUATERNION_COLUMNS)
    else:
        turned = Rotation.from_euler("xyz", _columns(values, POSE_CHANNELS[3:]))
        qx, qy, qz, qw = map(float, turned.as_quat())
    return Sample(name, (x, y, z), (qx, qy, qz, qw))


def _columns(values: Mapping[str, float], names: Sequence[str]) -> list[float]:
    return [values[name] for name in names]
