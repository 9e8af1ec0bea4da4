"""Where the tcp was at any time that a bag covers: by joint states and the arm's description, or by its pose."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from jepa_planner.control.kinematics import QUATERNION_SLACK, ArmKinematics
from jepa_planner.control.limits import SafetyLimits
from jepa_planner.core.message_types import ARM_STATE, JOINT_STATE, POSE_STAMPED, TF
from jepa_planner.learning.data.bags.clocks import TopicTimes
from jepa_planner.learning.data.bags.interpolation import Neighbours
from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.recording import JointArm, PoseArm

POSES = {
    POSE_STAMPED: "pose",
    "geometry_msgs/msg/PoseWithCovarianceStamped": "pose.pose",
    "geometry_msgs/msg/Pose": "",
    "geometry_msgs/msg/TransformStamped": "transform",
    "nav_msgs/msg/Odometry": "pose.pose",
    ARM_STATE: "pose",
}
"""Where in a message of each type the pose of the tcp stands."""
STATIC_TF = "/tf_static"


@dataclass(frozen=True)
class Poses:
    """The tcp at N moments: xyz_m [N, 3], rotations [N, 3, 3]; known [N]: False where the bag does not tell it."""

    xyz_m: np.ndarray
    rotations: np.ndarray
    known: np.ndarray


class ArmTrack(Protocol):
    """The tcp over time; frame and tcp_frame: what poses are given in and of."""

    frame: str
    tcp_frame: str

    def topics(self) -> Mapping[str, Any]:
        """What takes the messages of each topic that is needed."""

    def settle(self, times: Mapping[str, TopicTimes], complaint: str) -> None:
        """Takes when messages happened; raises BagError where they do not tell the pose. complaint: of messages."""

    def span_ns(self) -> tuple[int, int]:
        """From when to when the bag tells it."""

    def known(self, moments_ns: np.ndarray, gap_s: float) -> np.ndarray:
        """At which of the moments [N] it is told, between samples that are no farther apart than gap_s."""

    def at(self, moments_ns: np.ndarray, gap_s: float) -> Poses:
        """The tcp at moments [N]."""


def arm_track(source: JointArm | PoseArm, topic: str) -> ArmTrack:
    """What hears the arm as a recording file says; raises ValueError where its limits file is wrong."""
    if isinstance(source, PoseArm):
        return PoseTrack(source, topic)
    limits = SafetyLimits.load(source.limits_file)
    return JointTrack(topic, limits.kinematics(), limits)


class JointTrack:
    """By joint states. Each joint is interpolated on its own, so that joints may come in several messages."""

    types = (JOINT_STATE,)

    def __init__(self, topic: str, kinematics: ArmKinematics, limits: SafetyLimits) -> None:
        self._topic, self._arm = topic, kinematics
        self.frame = limits.base_frame or kinematics.description.base_links[0]
        self.tcp_frame = limits.tcp_frame
        self._names = limits.joint_names.of(kinematics.joint_names)
        self._numbers: dict[str, array] = {name: array("q") for name in self._names}
        self._positions: dict[str, array] = {name: array("d") for name in self._names}
        self._others: set[str] = set()
        self._samples: list[tuple[np.ndarray, np.ndarray]] = []

    def topics(self) -> Mapping[str, Any]:
        return {self._topic: self}

    def take(self, number: int, message: Any, log_ns: int) -> None:
        for name, position in zip(message.name, message.position, strict=False):
            if name not in self._numbers:
                self._others.add(name)
            elif np.isfinite(position):
                self._numbers[name].append(number)
                self._positions[name].append(float(position))

    def settle(self, times: Mapping[str, TopicTimes], complaint: str) -> None:
        if missing := [name for name, numbers in self._numbers.items() if not numbers]:
            told = ", ".join(sorted(self._others | set(self._names) - set(missing))) or "no joints"
            raise BagError(
                f"topic {self._topic} never has a position of {', '.join(missing)}; it has {told}"
                f"{'; ' + complaint if complaint else ''}: give joint_prefix or joints in the limits file"
            )
        topic = times[self._topic]
        for name in self._names:
            at_ns, order = topic.usable(np.array(self._numbers[name]))
            self._samples.append((at_ns, np.array(self._positions[name])[order]))
        if empty := [name for name, (at_ns, _) in zip(self._names, self._samples, strict=True) if not len(at_ns)]:
            raise BagError(f"topic {self._topic} has no position of {', '.join(empty)} with a stamp that counts")

    def span_ns(self) -> tuple[int, int]:
        return max(int(at_ns[0]) for at_ns, _ in self._samples), min(int(at_ns[-1]) for at_ns, _ in self._samples)

    def known(self, moments_ns: np.ndarray, gap_s: float) -> np.ndarray:
        each = [Neighbours.of(at_ns, moments_ns, gap_s).known for at_ns, _ in self._samples]
        return np.logical_and.reduce(each)

    def at(self, moments_ns: np.ndarray, gap_s: float) -> Poses:
        turns = np.isinf(self._arm.upper_rad)
        known = np.ones(len(moments_ns), bool)
        positions = []
        for (at_ns, position_rad), endless in zip(self._samples, turns, strict=True):
            near = Neighbours.of(at_ns, moments_ns, gap_s)
            known &= near.known
            positions.append(near.angles(position_rad) if endless else near.linear(position_rad))
        xyz_m, rotations = np.zeros((len(moments_ns), 3)), np.tile(np.eye(3), (len(moments_ns), 1, 1))
        for number in np.flatnonzero(known):
            xyz_m[number], rotations[number] = self._arm.tcp_pose(np.array([each[number] for each in positions]))
        return Poses(xyz_m, rotations, known)


class PoseTrack:
    """By a topic of poses, or of transforms of which a chain leads from the tcp to the frame."""

    types = (*POSES, TF)

    def __init__(self, source: PoseArm, topic: str) -> None:
        self._topic, self.frame, self.tcp_frame = topic, source.frame, source.tcp_frame
        self._edges: dict[tuple[str, str], _Edge] = {}
        self._static = _StaticTransforms(self._edges)
        self._chain: list[_Edge] = []

    def topics(self) -> Mapping[str, Any]:
        return {self._topic: self, STATIC_TF: self._static}

    def take(self, number: int, message: Any, log_ns: int) -> None:
        if hasattr(message, "transform"):
            _edge(self._edges, message).take(number, *_numbers(message.transform, self._topic))
            return
        header = getattr(message, "header", None)
        frame = header.frame_id.lstrip("/") if header is not None else ""
        self.frame = self.frame or frame
        if frame and frame != self.frame.lstrip("/"):
            raise BagError(f"poses are in {frame!r}, expected {self.frame!r}")
        _edge_of(self._edges, self.tcp_frame, self.frame).take(number, *_numbers(_pose(message), self._topic))

    def settle(self, times: Mapping[str, TopicTimes], complaint: str) -> None:
        if not self.frame:
            parents = [parent for child, parent in self._edges if child == self.tcp_frame.lstrip("/")]
            self.frame = parents[0] if parents else ""
        self._chain = list(self._way(complaint))
        for edge in self._chain:
            edge.settle(times[self._topic])

    def _way(self, complaint: str) -> Iterator[_Edge]:
        """From the tcp up to the frame."""
        at, parents = self.tcp_frame.lstrip("/"), dict(self._edges)
        passed: list[str] = []
        while at != self.frame.lstrip("/") or not passed:
            above = next((parent for child, parent in parents if child == at), None)
            if above is None or above in passed:
                known = ", ".join(sorted({f"{child} in {parent}" for child, parent in self._edges})) or "no pose at all"
                raise BagError(
                    f"topic {self._topic} does not tell {self.tcp_frame} in {self.frame or 'a frame'}; it has {known}"
                    f"{'; ' + complaint if complaint else ''}"
                )
            yield self._edges[at, above]
            passed.append(at)
            at = above

    def span_ns(self) -> tuple[int, int]:
        moving = [edge.times_ns for edge in self._chain if not edge.is_static]
        if not moving or not all(map(len, moving)):
            raise BagError(f"topic {self._topic} has no pose of {self.tcp_frame} with a stamp that counts")
        return max(int(at_ns[0]) for at_ns in moving), min(int(at_ns[-1]) for at_ns in moving)

    def known(self, moments_ns: np.ndarray, gap_s: float) -> np.ndarray:
        return self.at(moments_ns, gap_s).known

    def at(self, moments_ns: np.ndarray, gap_s: float) -> Poses:
        count = len(moments_ns)
        xyz_m, rotations = np.zeros((count, 3)), np.tile(np.eye(3), (count, 1, 1))
        known = np.ones(count, bool)
        for edge in self._chain:
            part = edge.at(moments_ns, gap_s)
            known &= part.known
            xyz_m = part.xyz_m + np.einsum("nij,nj->ni", part.rotations, xyz_m)
            rotations = part.rotations @ rotations
        return Poses(xyz_m, rotations, known)


class _Edge:
    """One frame in another over time."""

    def __init__(self) -> None:
        self._numbers, self._values, self.is_static = array("q"), array("d"), False
        self.times_ns: np.ndarray = np.zeros(0, np.int64)
        self._poses: np.ndarray = np.zeros((0, 7))

    def take(self, number: int, xyz: Sequence[float], xyzw: Sequence[float]) -> None:
        self._numbers.append(number)
        self._values.extend((*xyz, *xyzw))

    def settle(self, topic: TopicTimes) -> None:
        values = np.array(self._values).reshape(-1, 7)
        values[:, 3:] /= np.linalg.norm(values[:, 3:], axis=1, keepdims=True)
        if self.is_static:
            self._poses = values[-1:]
        else:
            self.times_ns, order = topic.usable(np.array(self._numbers))
            self._poses = values[order]

    def at(self, moments_ns: np.ndarray, gap_s: float) -> Poses:
        if self.is_static:
            near = Neighbours.of(np.zeros(1, np.int64), np.zeros(len(moments_ns), np.int64), gap_s)
        else:
            near = Neighbours.of(self.times_ns, moments_ns, gap_s)
        return Poses(near.linear(self._poses[:, :3]), near.rotations(self._poses[:, 3:]), near.known)


class _StaticTransforms:
    """Takes the transforms that never change."""

    types = (TF,)

    def __init__(self, edges: dict[tuple[str, str], _Edge]) -> None:
        self._edges = edges

    def take(self, number: int, message: Any, log_ns: int) -> None:
        edge = _edge(self._edges, message)
        edge.is_static = True
        edge.take(number, *_numbers(message.transform, STATIC_TF))


def _edge(edges: dict[tuple[str, str], _Edge], transform: Any) -> _Edge:
    return _edge_of(edges, transform.child_frame_id, transform.header.frame_id)


def _edge_of(edges: dict[tuple[str, str], _Edge], child: str, parent: str) -> _Edge:
    return edges.setdefault((child.lstrip("/"), parent.lstrip("/")), _Edge())


def _pose(message: Any) -> Any:
    where = message
    for name in filter(None, POSES[message.__msgtype__].split(".")):
        where = getattr(where, name, where)
    return where


def _numbers(pose: Any, topic: str) -> tuple[list[float], list[float]]:
    """Position and quaternion of a pose, a transform, or an arm state of before, which tells angles."""
    place = getattr(pose, "position", None) or pose.translation
    xyz = [place.x, place.y, place.z]
    turn = getattr(pose, "orientation", None) or getattr(pose, "rotation", None)
    if turn is None:
        from scipy.spatial.transform import Rotation

        xyzw = Rotation.from_euler("xyz", [pose.rpy.x, pose.rpy.y, pose.rpy.z]).as_quat().tolist()
    else:
        xyzw = [turn.x, turn.y, turn.z, turn.w]
    length = float(np.linalg.norm(xyzw))
    if not (np.all(np.isfinite(xyz)) and abs(length - 1.0) <= QUATERNION_SLACK):
        raise BagError(f"a pose on {topic} has position {xyz} and orientation {xyzw} of length {length:g}")
    return xyz, xyzw
