"""Which numbers of a LeRobotDataset are the arm's, and in which units: a short YAML file, or found from names.

A channel is written FEATURE/NAME, or FEATURE/NUMBER counted from 0: `observation.state/x`, `action/6`; or it is a
number, for what never changes: `"3.1416"`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from jepa_planner.control.gripper import Ends
from jepa_planner.core.strict_fields import FieldError, from_plain
from jepa_planner.core.yaml_text import read_yaml
from jepa_planner.learning.data.lerobot.layout import DatasetError, Feature, Info

Values = Literal["absolute", "delta"]
AngleUnit = Literal["rad", "deg"]
Orientation = Literal["rpy", "quaternion_xyzw", "quaternion_wxyz", "rotation_vector"]
NUMBERS_OF = {"rpy": 3, "rotation_vector": 3, "quaternion_xyzw": 4, "quaternion_wxyz": 4}


@dataclass(frozen=True)
class ArmChannels:
    """Where an arm is, or shall be: position and orientation of the tcp, or joints; and the gripper."""

    position: tuple[str, ...] = ()
    """x, y, z of the tcp in the base frame."""
    orientation: tuple[str, ...] = ()
    """Of the tcp in the base frame."""
    orientation_is: Orientation = "rpy"
    """rpy: extrinsic xyz angles."""
    joints: tuple[str, ...] = ()
    """Of the arm, from base to tcp, in the place of position and orientation; needs a limits file."""
    metres_per_unit: float = 1.0
    """0.001 where positions are in mm."""
    angle_unit: AngleUnit | None = None
    """Of joints, rpy and rotation_vector; None: not told."""
    gripper: str | None = None
    """None: there is none, or it is always open."""
    gripper_open: float | None = None
    """The value of an open gripper."""
    gripper_closed: float | None = None
    """The value of a closed gripper."""

    def __post_init__(self) -> None:
        if bool(self.joints) == bool(self.position or self.orientation):
            raise ValueError("expected position and orientation, or joints")
        if not self.joints and (len(self.position), len(self.orientation)) != (3, NUMBERS_OF[self.orientation_is]):
            raise ValueError(
                f"position has {len(self.position)} channels and orientation {len(self.orientation)}; expected x, y, z "
                f"and the {NUMBERS_OF[self.orientation_is]} of {self.orientation_is}"
            )
        if not self.metres_per_unit > 0.0:
            raise ValueError(f"metres_per_unit is {self.metres_per_unit}, expected more than 0")

    @property
    def turns(self) -> bool:
        """Whether angles are among the channels, whose unit matters."""
        return bool(self.joints) or self.orientation_is in ("rpy", "rotation_vector")

    def ends(self, whose: str) -> Ends:
        """The gripper's values when it is open and closed; raises DatasetError where they are not told."""
        if self.gripper_open is None or self.gripper_closed is None:
            raise DatasetError(
                f"{self.gripper} is the gripper, and nobody says which value is open and which closed: tell "
                f"--gripper OPEN CLOSED, or {whose}.gripper_open and gripper_closed in the mapping"
            )
        return Ends(self.gripper_open, self.gripper_closed)

    def channels(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.position, *self.orientation, *self.joints, *((self.gripper,) if self.gripper else ()))


@dataclass(frozen=True)
class StateChannels(ArmChannels):
    """Where the arm is."""

    gripper_commanded: str | None = None
    """What the gripper was told before, in the units of `gripper`; None: taken from actions, or as measured."""

    def channels(self) -> tuple[str, ...]:
        """All of them."""
        return (*super().channels(), *((self.gripper_commanded,) if self.gripper_commanded else ()))


@dataclass(frozen=True)
class ActionChannels(ArmChannels):
    """What the arm was told."""

    values: Values | None = None
    """absolute: where to go; delta: by how much from here, in axes of the base; None: not told."""
    gripper_values: Values = "absolute"
    """delta: by how much, in closures."""


@dataclass(frozen=True)
class DatasetMapping:
    """What of a dataset means what."""

    state: StateChannels
    views: dict[str, str]
    """The feature of each view, in the model's order."""
    action: ActionChannels | None = None
    """None: an action is the change from one state to the next."""
    success: str | None = None
    """A feature that is true once an episode's task was done; None: not told."""
    frame: str = ""
    """In which poses are given; empty: not told."""
    tcp_frame: str = ""
    """Of which."""

    @classmethod
    def load(cls, path: Path) -> DatasetMapping:
        """Reads a YAML file; raises DatasetError naming the field at fault."""
        try:
            return from_plain(cls, read_yaml(path.read_text(encoding="utf-8")))
        except (FieldError, ValueError, OSError, yaml.YAMLError) as error:
            raise DatasetError(f"{path}: {error}") from error

    def check(self, info: Info) -> None:
        """Raises DatasetError for views and channels that the dataset does not have."""
        if not self.views:
            raise DatasetError("the mapping names no view: tell --views NAME=FEATURE ...")
        for view, key in self.views.items():
            feature = _feature(info, key, f"view {view}")
            if not feature.is_picture or feature.is_depth:
                raise DatasetError(f"view {view}: {feature} shows no colours; choose one of {_pictures(info)}")
        for channel in (*self.state.channels(), *(self.action.channels() if self.action else ())):
            if constant(channel) is None:
                place_of(info, channel)
        if self.success is not None:
            _feature(info, self.success, "success")


def constant(channel: str) -> float | None:
    """The number that a channel is; None for one of a feature."""
    try:
        return float(channel)
    except ValueError:
        return None


def place_of(info: Info, channel: str) -> tuple[str, int]:
    """The feature of a channel and its number in it; raises DatasetError where the dataset has none such."""
    key, _, name = channel.partition("/")
    feature = _feature(info, key, channel)
    count = feature.shape[0] if len(feature.shape) == 1 else 0
    if feature.is_picture or not count:
        raise DatasetError(f"{channel}: {feature} is no row of numbers")
    if name in feature.names:
        if feature.names.count(name) > 1:
            raise DatasetError(f"{channel}: {feature} has that name twice; give its number, as {key}/0")
        return key, feature.names.index(name)
    if name.isdecimal() and int(name) < count:
        return key, int(name)
    raise DatasetError(f"{channel}: no such number; there is {feature}, and {key}/0 to {key}/{count - 1}")


def _feature(info: Info, key: str, what: str) -> Feature:
    if key not in info.features:
        known = "; ".join(str(feature) for feature in info.features.values())
        raise DatasetError(f"{what}: the dataset has no feature {key!r}; it has {known}")
    return info.features[key]


def _pictures(info: Info) -> str:
    return ", ".join(key for key, feature in info.features.items() if feature.is_picture and not feature.is_depth)
