"""How far the gripper was closed at any time, from whatever message tells it, by its two ends."""

from __future__ import annotations

import re
from array import array
from typing import Any

import numpy as np

from jepa_planner.control.gripper import Ends
from jepa_planner.control.limits import SafetyLimits
from jepa_planner.core.message_types import ARM_STATE, JOINT_STATE, JOINT_TRAJECTORY
from jepa_planner.learning.data.bags.clocks import TopicTimes
from jepa_planner.learning.data.bags.interpolation import Neighbours
from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.recording import GripperSource, JointArm, Recording, full_name

FIELDS = {
    f"{package}/msg/{name}": field
    for package, names, field in (
        ("std_msgs", "Float32 Float64 Bool Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64", "data"),
        ("std_msgs", "Float32MultiArray Float64MultiArray Int32MultiArray", "data[0]"),
        ("control_msgs", "GripperCommand", "position"),
        ("control_msgs", "ParallelGripperCommand", "command.position[0]"),
    )
    for name in names.split()
}
"""Where the number stands in messages of common types."""
CLOSURES = (ARM_STATE, "std_msgs/msg/Bool")
"""Types whose number is a closure already, 0 open and 1 closed."""
BEYOND = 0.25
"""Of the way between its ends, what a gripper may be beyond one before these cannot be its ends."""
FEW = 0.05
"""Share of its samples that may be."""


class GripperTrack:
    """One number over time. Asked (commands): the last one before a moment holds; else between two it is linear."""

    types: tuple[str, ...] = ()

    def __init__(
        self, topic: str, source: GripperSource | None, ends: Ends | None, joints: tuple[str, ...], is_asked: bool
    ) -> None:
        """joints: the fingers, of which the mean counts, in messages that have names. ends: None where nobody tells
        them, as those of a closure need not be. source: None for an arm's topic that may tell its gripper or not.
        """
        self.topic, self.is_asked, self.may_be_absent = topic, is_asked, source is None and not joints
        self._source, self._ends, self._joints = source or GripperSource(), ends, joints
        self._numbers, self._values = array("q"), array("d")
        self._others: set[str] = set()
        self.times_ns, self._closures = np.zeros(0, np.int64), np.zeros(0)

    def take(self, number: int, message: Any, log_ns: int) -> None:
        value = self._value(message)
        if value is not None and np.isfinite(value):
            self._numbers.append(number)
            self._values.append(value)

    def settle(self, topic: TopicTimes, complaint: str) -> None:
        """Takes when messages happened; raises BagError where none tells the gripper, or its ends cannot be right."""
        if not self._numbers:
            names = f" of {', '.join(self._joints)}; it has {', '.join(sorted(self._others))}" if self._others else ""
            raise BagError(f"topic {self.topic} never has a number{names}{'; ' + complaint if complaint else ''}")
        ends = Ends() if topic.msgtype in CLOSURES and self._source.open is None else self._ends
        if ends is None:
            raise BagError(f"topic {self.topic}: nobody tells the gripper's two ends: give `open` and `closed`")
        self.times_ns, order = topic.usable(np.array(self._numbers))
        values = np.array(self._values)[order]
        closures = (values - ends.open) / (ends.closed - ends.open)
        if len(values) and float(np.mean(np.abs(closures - 0.5) > 0.5 + BEYOND)) > FEW:
            raise BagError(
                f"topic {self.topic}: the gripper goes from {values.min():g} to {values.max():g}, far beyond its ends, "
                f"open {ends.open:g} and closed {ends.closed:g}: correct these"
            )
        self._closures = np.clip(closures, 0.0, 1.0)

    def at(self, moments_ns: np.ndarray, gap_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Closure [N], 0 open to 1 closed, and where it is known; of commands: before the first one it is not."""
        if not len(self.times_ns):
            return np.zeros(len(moments_ns)), np.zeros(len(moments_ns), bool)
        if self.is_asked:
            last = np.searchsorted(self.times_ns, moments_ns, "right") - 1
            return self._closures[np.maximum(last, 0)], last >= 0
        period_s = float(np.median(np.diff(self.times_ns))) * 1e-9 if len(self.times_ns) > 1 else 0.0
        near = Neighbours.of(
            self.times_ns, moments_ns, max(gap_s, 3.0 * period_s)
        )  # grippers may tell themselves rarely
        return near.linear(self._closures), near.known

    def _value(self, message: Any) -> float | None:
        kind = message.__msgtype__
        if self.may_be_absent and kind != ARM_STATE:
            return None
        if self._source.field:
            return _number(message, self._source.field, kind)
        if kind == JOINT_STATE:
            return self._of_joints(message.name, message.position)
        if kind == JOINT_TRAJECTORY:
            return self._of_joints(message.joint_names, message.points[-1].positions) if len(message.points) else None
        if kind == ARM_STATE:
            which = "commanded" if self.is_asked else "measured"
            name = f"closure_{which}" if hasattr(message, f"closure_{which}") else f"closedness_{which}"
            return _number(message, name, kind)
        if kind not in FIELDS:
            raise BagError(f"{kind} is no type whose number is known by itself: give `field`, for example position")
        return _number(message, FIELDS[kind], kind)

    def _of_joints(self, names: list[str], positions: np.ndarray) -> float | None:
        told = dict(zip(names, positions, strict=False))
        self._others.update(told)
        found = [float(told[name]) for name in self._joints if name in told]
        needed = len(self._joints) if not self.is_asked else 1  # commanded fingers may be fewer than there are
        return sum(found) / len(found) if self._joints and len(found) >= needed else None


def gripper_tracks(recording: Recording, arm_topic: str) -> tuple[GripperTrack | None, GripperTrack | None]:
    """What hears the gripper, measured and asked, as a recording file says or its arm's topic may tell; None: nobody
    tells it.
    """
    limits = SafetyLimits.load(recording.arm.limits_file) if isinstance(recording.arm, JointArm) else None
    gripper = limits.gripper if limits is not None else None
    fingers = limits.joint_names.of(gripper.joints) if limits is not None and gripper is not None else ()

    def track(source: GripperSource | None, is_asked: bool) -> GripperTrack:
        joints = (source.joint,) if source is not None and source.joint else fingers
        told = [ends for ends in map(_ends, (source, recording.gripper)) if ends is not None]  # one number for both
        ends = told[0] if told else gripper if fingers else None
        return GripperTrack(full_name((source and source.topic) or arm_topic), source, ends, joints, is_asked)

    measured, asked = recording.gripper, recording.gripper_commands
    by_pose = limits is None and measured is None  # perhaps by arm states, which tell both
    return (
        track(measured, False) if measured is not None or fingers or by_pose else None,
        track(asked, True) if asked is not None or by_pose else None,
    )


def _ends(source: GripperSource | None) -> Ends | None:
    if source is None or source.open is None or source.closed is None:
        return None
    return Ends(source.open, source.closed)


def _number(message: Any, path: str, kind: str) -> float:
    """A number of a message, by names and [indices]; raises BagError naming what is not there."""
    at = message
    for part in re.findall(r"[^.\[\]]+", path):
        try:
            at = at[int(part)] if part.isdigit() else getattr(at, part)
        except (AttributeError, IndexError, TypeError) as error:
            raise BagError(f"{kind} has no {path}: {error}") from error
    try:
        return float(at)
    except (TypeError, ValueError) as error:
        raise BagError(f"{path} of {kind} is {at!r}; expected a number") from error
