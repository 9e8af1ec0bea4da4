"""What in a recording is what: which topic is which view, where the arm and its gripper are told, what to cut out.

`recording.yaml` holds one `Recording`. `jepa-planner record` records the topics that it names, and `jepa-planner data
from-bag` makes episodes of them. Topics may stand without their leading slash.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import yaml

from jepa_planner.core.framing import Framing
from jepa_planner.core.image_message import MAX_IMAGE_SIDE_PX
from jepa_planner.core.strict_fields import FieldError, from_plain, to_plain
from jepa_planner.core.yaml_text import read_yaml, write_yaml

RECORDING_YAML = "recording.yaml"
EPISODE_MARKS = "/episode_marks"
"""Where who records tells when an episode begins and ends, as jepa_planner/EpisodeMark."""


class RecordingError(ValueError):
    """A recording file that is incomplete, unknown in part, or contradicts itself."""


@dataclass(frozen=True)
class ViewSource:
    """One camera. Pictures are rectified, turned and cropped in this order, as encoder_node does."""

    topic: str
    """Of sensor_msgs/Image or CompressedImage; where the bag has no such topic, TOPIC/compressed is read."""
    rotation: int = 0
    """Degrees by which pictures are turned clockwise: 0, 90, 180 or 270."""
    crop: tuple[int, int, int, int] | None = None
    """x, y, width and height (px) of the part to keep, after turning; None: all of it."""
    rectify: bool = False
    """Take out the distortion that the camera's CameraInfo tells."""
    camera_info: str = ""
    """Topic of the CameraInfo; empty: camera_info beside the image topic."""

    def __post_init__(self) -> None:
        _check_topic("topic", self.topic)
        _ = self.framing

    @property
    def framing(self) -> Framing:
        """Turn and crop."""
        return Framing(self.rotation, self.crop)

    @property
    def info_topic(self) -> str:
        """Where the camera's calibration is told, beside the topic unless said otherwise."""
        beside = self.topic.removesuffix("/compressed").rpartition("/")[0]
        return full_name(self.camera_info or f"{beside}/camera_info")


@dataclass(frozen=True)
class JointArm:
    """The tcp by joint states and the arm's description."""

    limits_file: str
    """As arm_node has it, relative to the recording file: names the URDF, the tcp, the base, and the gripper's ends."""
    topic: str = "/joint_states"
    """Of sensor_msgs/JointState. Joints may come in several messages."""
    kind: Literal["joint_states"] = "joint_states"

    def __post_init__(self) -> None:
        _check_topic("topic", self.topic)
        if not self.limits_file:
            raise ValueError("limits_file is empty; expected the file that `jepa-planner robot` writes")


@dataclass(frozen=True)
class PoseArm:
    """The tcp by a topic that holds its pose."""

    topic: str
    """Of PoseStamped, PoseWithCovarianceStamped, TransformStamped, Odometry, Pose, jepa_planner/ArmState, or TFMessage,
    of which the chain from `frame` to `tcp_frame` is taken."""
    tcp_frame: str
    """What the pose is of, for example tool0."""
    frame: str = ""
    """What the pose is given in; empty: as messages say. Messages that say another are refused."""
    kind: Literal["pose"] = "pose"

    def __post_init__(self) -> None:
        _check_topic("topic", self.topic)
        if not self.tcp_frame:
            raise ValueError("tcp_frame is empty; expected the name of the link whose pose this is")


@dataclass(frozen=True)
class GripperSource:
    """Where a gripper's opening, or what was asked of it, is told, and its two ends there."""

    topic: str = ""
    """Of JointState, JointTrajectory, Float32, Float64, Float64MultiArray, Bool, ArmState or any other message that
    has the number in `field`; empty: the arm's own topic."""
    joint: str = ""
    """Name of the finger joint in JointState and JointTrajectory; empty: the first one of the limits file."""
    field: str = ""
    """Where the number stands in other messages, for example `data[0]` or `command.position`; empty: as the type has
    it."""
    open: float | None = None
    """The number when the gripper is open; None: that of the limits file, or 0 for what is a closure already."""
    closed: float | None = None
    """The number when the gripper is closed."""

    def __post_init__(self) -> None:
        if self.topic:
            _check_topic("topic", self.topic)
        ends = (self.open, self.closed)
        if (self.open is None) != (self.closed is None) or (self.open is not None and self.open == self.closed):
            raise ValueError(f"open is {self.open} and closed {self.closed}; expected two numbers, or none of them")
        if not all(end is None or math.isfinite(end) for end in ends):
            raise ValueError(f"open is {self.open} and closed {self.closed}; expected finite numbers")


@dataclass(frozen=True)
class Commands:
    """What was asked of the arm."""

    topic: str
    """Of TwistStamped, PoseStamped, JointTrajectory or jepa_planner/Plan."""
    twist_scale: tuple[float, float] = (1.0, 1.0)
    """m/s and rad/s of a twist of 1: other than 1 where joysticks or MoveIt Servo have twists without units."""

    def __post_init__(self) -> None:
        _check_topic("topic", self.topic)


@dataclass(frozen=True)
class Cuts:
    """What is no part of an episode. Each number may be left out."""

    picture_age_s: float | None = None
    """A step whose newest picture is older is a gap; None: half a time step."""
    state_gap_s: float = 0.25
    """Arm states farther apart are not interpolated between: a gap."""
    max_speed_m_s: float = 2.0
    """A tcp that is faster has jumped."""
    longest_pause_s: float = 1.0
    """Of a longer time in which neither tcp nor gripper moves, so much stays; at least one time step."""
    pause_m: float = 0.001
    """Motion of the tcp in a step, below which it does not move; a turn counts with 0.2 m."""
    pause_closure: float = 0.01
    """Change of closure in a step, below which the gripper does not move."""
    least_steps: int = 4
    """A shorter piece is left out."""
    most_steps: int = 240
    """A longer one is parted into equal parts; at least as many as `least_steps`."""
    clock_offset_s: float = 0.5
    """Stamps that differ by more from the clock that most topics agree with (that of recording, or that of a
    simulation), in the middle, are of another: the time of recording counts in their place."""

    def __post_init__(self) -> None:
        for name in (one.name for one in fields(self)):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}, expected a finite number above 0")
        if self.most_steps < self.least_steps:
            raise ValueError(f"most_steps is {self.most_steps}, expected at least {self.least_steps}, the least_steps")


@dataclass(frozen=True)
class Recording:
    """One recording file. Raises FieldError naming the field that is wrong."""

    views: dict[str, ViewSource]
    """The camera of each view of the model, in its order."""
    arm: JointArm | PoseArm
    """Where the tcp is: `kind` is joint_states or pose."""
    gripper: GripperSource | None = None
    """The gripper's opening; None: the arm's topic tells it (limits file, ArmState), or there is no gripper."""
    gripper_commands: GripperSource | None = None
    """What was asked of the gripper; None: where it goes tells it."""
    commands: Commands | None = None
    """What was asked of the arm; None: actions are the changes of its own states."""
    actions: Literal["auto", "commands", "states"] = "auto"
    """What actions are made of; auto: commands where they are recorded and explain how the arm moved, else states."""
    time_step_s: float = 0.25
    """From one step of an episode to the next. At each step stands, of each view, the last picture that was taken
    before it (or just then), never after; and the arm's state at the stamp of the oldest of them, interpolated between
    the two states around it."""
    picture_size_px: tuple[int, int] = (64, 64)
    """Width and height of pictures in episodes; the middle of the picture is cut out in this aspect."""
    resize: Literal["linear", "area"] = "linear"
    """How pictures are made small; linear: as encoder_node does it when the model runs."""
    cuts: Cuts = field(default_factory=Cuts)
    """What is left out."""
    task: str = ""
    """What was to be done, in a sentence, where marks do not tell it."""
    topics: tuple[str, ...] = ()
    """Further topics that are to be recorded; episodes are made without them."""

    def __post_init__(self) -> None:
        if not self.views:
            raise FieldError("views: expected at least one, as front: {topic: /front/image_raw}")
        if not 0.01 <= self.time_step_s <= 10.0:
            raise FieldError(f"time_step_s is {self.time_step_s:g}, expected seconds from 0.01 to 10")
        if not all(8 <= side <= MAX_IMAGE_SIDE_PX for side in self.picture_size_px):
            raise FieldError(f"picture_size_px is {list(self.picture_size_px)}, expected width and height from 8 px")
        if self.actions == "commands" and self.commands is None:
            raise FieldError("actions: commands needs the topic of commands")
        for name in self.topics:
            _check_topic("topics", name)

    @property
    def picture_age_s(self) -> float:
        """The oldest that a picture may be at its step."""
        return self.time_step_s / 2 if self.cuts.picture_age_s is None else self.cuts.picture_age_s

    def needed_topics(self) -> tuple[str, ...]:
        """Without which no episodes can be made, each once, with leading slashes."""
        return tuple(dict.fromkeys(map(full_name, self._needed())))

    def recorded_topics(self) -> tuple[str, ...]:
        """All that is worth recording: those needed, camera_info of each view, marks of episodes, `topics`."""
        infos = (view.info_topic for view in self.views.values())
        return tuple(dict.fromkeys(map(full_name, (*self._needed(), *infos, EPISODE_MARKS, *self.topics))))

    def _needed(self) -> Iterator[str]:
        for view in self.views.values():
            yield view.topic
            if view.rectify:
                yield view.info_topic
        yield self.arm.topic
        for source in (self.gripper, self.gripper_commands, self.commands):
            if source is not None and source.topic:
                yield source.topic

    @classmethod
    def load(cls, path: str | Path) -> Recording:
        """Reads a file; `limits_file` there is relative to it. Raises RecordingError naming the field."""
        path = Path(path).expanduser()
        try:
            plain: Any = read_yaml(path.read_text(encoding="utf-8"))
            arm = plain.get("arm") if isinstance(plain, dict) else None
            if isinstance(arm, dict) and isinstance(limits := arm.get("limits_file"), str) and limits:
                arm["limits_file"] = str((path.parent / Path(limits).expanduser()).resolve())
            return from_plain(cls, plain)
        except (OSError, yaml.YAMLError, ValueError) as error:
            raise RecordingError(f"{path}: {error}") from error

    def save(self, path: str | Path) -> None:
        """Writes a recording file, without what is as if it were left out."""
        plain = _without_defaults(self, to_plain(self))
        Path(path).write_text(write_yaml(plain), encoding="utf-8")


def full_name(topic: str) -> str:
    """A topic with its leading slash."""
    return topic if topic.startswith("/") else f"/{topic}"


def _check_topic(name: str, topic: str) -> None:
    if not topic.strip("/") or " " in topic:
        raise ValueError(f"{name} is {topic!r}; expected the name of a topic, such as /joint_states")


def _without_defaults(value: Any, plain: dict[str, Any]) -> dict[str, Any]:
    """The plain form of a dataclass without fields at their defaults; `kind`, which tells unions apart, stays."""
    kept: dict[str, Any] = {}
    for one in fields(value):
        own = getattr(value, one.name)
        default = one.default_factory() if callable(one.default_factory) else one.default  # type: ignore[arg-type]
        if own == default and one.name != "kind":
            continue
        if isinstance(own, dict):
            kept[one.name] = {key: _without_defaults(item, plain[one.name][key]) for key, item in own.items()}
        elif hasattr(own, "__dataclass_fields__"):
            kept[one.name] = _without_defaults(own, plain[one.name])
        else:
            kept[one.name] = plain[one.name]
    return kept
