"""Bags whose truth is known: an arm that moves by a law, and pictures whose pixels tell when they were taken."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from scipy.spatial.transform import Rotation

from jepa_planner.learning.data.bags.made import Made, make_episodes
from jepa_planner.learning.data.recording import GripperSource, PoseArm, Recording, ViewSource

BEGIN_NS = 1_700_000_000_000_000_000
WIDTH_PX, HEIGHT_PX = 16, 8
MESSAGES = Path(__file__).parents[3] / "msg"
OWN = ("ArmState", "EpisodeMark", "Plan")
IMAGE, COMPRESSED, POSE, JOINTS = (
    "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "geometry_msgs/msg/PoseStamped",
    "sensor_msgs/msg/JointState",
)  # fmt: skip
MARK, TWIST, FLOAT = "jepa_planner/msg/EpisodeMark", "geometry_msgs/msg/TwistStamped", "std_msgs/msg/Float64"

STORE = get_typestore(Stores.ROS2_JAZZY)
for name in OWN:
    STORE.register(get_types_from_msg((MESSAGES / f"{name}.msg").read_text(), f"jepa_planner/msg/{name}"))
TYPES = STORE.types


@dataclass(frozen=True)
class Said:
    """A message, and when it was recorded (s from the beginning)."""

    topic: str
    msgtype: str
    at_s: float
    message: Any

    @property
    def log_ns(self) -> int:
        return ns(self.at_s)

    @property
    def data(self) -> bytes:
        return bytes(STORE.serialize_cdr(self.message, self.msgtype))


def ns(at_s: float) -> int:
    return BEGIN_NS + round(at_s * 1e9)


def header(at_s: float | None, frame: str = "base"):
    seconds, nanoseconds = (0, 0) if at_s is None else divmod(ns(at_s), 10**9)
    return TYPES["std_msgs/msg/Header"](TYPES["builtin_interfaces/msg/Time"](seconds, nanoseconds), frame)


def pixels(at_s: float, mark: int = 0, size: tuple[int, int] = (WIDTH_PX, HEIGHT_PX)) -> np.ndarray:
    """A picture whose red tells its time in ms, and whose green is its own."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[:, :16, 0] = 255 * ((round(at_s * 1000) >> np.arange(16)) & 1)
    picture[..., 1] = mark
    return picture


def shown_s(picture: np.ndarray) -> float:
    """When a picture was taken, by its pixels."""
    return int(((picture[0, :16, 0] > 127) << np.arange(16)).sum()) / 1000.0


def image(at_s: float, mark: int = 0, stamp_s: float | None = -1.0, size=(WIDTH_PX, HEIGHT_PX)):
    data = pixels(at_s, mark, size)
    stamp_s = at_s if stamp_s == -1.0 else stamp_s
    return TYPES[IMAGE](header(stamp_s, "camera"), size[1], size[0], "rgb8", 0, size[0] * 3, data.reshape(-1))


def compressed(at_s: float, mark: int = 0):
    file = cv2.imencode(".png", pixels(at_s, mark)[..., ::-1])[1]
    return TYPES[COMPRESSED](header(at_s, "camera"), "rgb8; png compressed bgr8", file.reshape(-1))


def truth(at_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the tcp is: it moves along a line, its tool down, and turns about the vertical for more than a turn."""
    at_m = np.array([0.4 + 0.02 * at_s, 0.1 - 0.01 * at_s, 0.2])
    return at_m, np.array([np.pi, 0.0, 0.9 * at_s])


def truth_closure(at_s: float) -> float:
    return float(np.clip(0.1 + 0.05 * at_s, 0.0, 1.0))


def geometry_pose(at_m: np.ndarray, rpy: np.ndarray):
    quaternion = Rotation.from_euler("xyz", rpy).as_quat()
    return TYPES["geometry_msgs/msg/Pose"](
        TYPES["geometry_msgs/msg/Point"](*map(float, at_m)),
        TYPES["geometry_msgs/msg/Quaternion"](*map(float, quaternion)),
    )


def pose(at_s: float, stamp_s: float | None = -1.0, frame: str = "base", law=truth):
    return TYPES[POSE](header(at_s if stamp_s == -1.0 else stamp_s, frame), geometry_pose(*law(at_s)))


def joint_state(at_s: float, positions: dict[str, float]):
    none = np.zeros(0)
    return TYPES[JOINTS](header(at_s), list(positions), np.array(list(positions.values()), float), none, none)


def twist(at_s: float, linear, angular=(0.0, 0.0, 0.0), frame: str = "base"):
    vector = TYPES["geometry_msgs/msg/Vector3"]
    return TYPES[TWIST](header(at_s, frame), TYPES["geometry_msgs/msg/Twist"](vector(*linear), vector(*angular)))


def number(value: float):
    return TYPES[FLOAT](float(value))


def mark(at_s: float, kind: int, name: str, task: str = "", success: int = -1):
    return TYPES[MARK](header=header(at_s), kind=kind, name=name, task=task, success=success)


def every(period_s: float, begin_s: float, end_s: float, offset_s: float = 0.0) -> list[float]:
    """Times in whole milliseconds."""
    count = int((end_s - begin_s) / period_s + 1e-9) + 1
    return [round(begin_s + offset_s + tick * period_s, 3) for tick in range(count)]


def recorded(
    seconds: float = 6.0,
    views: tuple[str, ...] = ("front", "side"),
    picture_s: float = 0.1,
    pose_s: float = 0.02,
    law: Callable = truth,
    delay_s: float = 0.004,
    gripper: bool = True,
) -> list[Said]:
    """What a good recording holds: pictures (the second view 30 ms behind the first), poses, gripper."""
    said = []
    for view_number, view in enumerate(views):
        for at_s in every(picture_s, 0.1, seconds - 0.1, 0.03 * view_number):
            said.append(Said(f"/{view}/image_raw", IMAGE, at_s + delay_s, image(at_s, view_number)))
    for at_s in every(pose_s, 0.0, seconds):
        said.append(Said("/tcp_pose", POSE, at_s + delay_s, pose(at_s, law=law)))
        if gripper:
            said.append(Said("/gripper", FLOAT, at_s, number(0.08 * (1.0 - truth_closure(at_s)))))
    return sorted(said, key=lambda one: one.at_s)


def recording(**changes) -> Recording:
    """What the recording file of such a bag says; views may be names alone."""
    given = {
        "views": ("front", "side"),
        "arm": PoseArm("/tcp_pose", "tool0"),
        "gripper": GripperSource("/gripper", open=0.08, closed=0.0),
        "picture_size_px": (WIDTH_PX, HEIGHT_PX),
    } | changes
    if isinstance(given["views"], tuple):
        given["views"] = {view: ViewSource(f"/{view}/image_raw") for view in given["views"]}
    return Recording(**given)


def write_bag(
    folder: Path, said: Iterable[Said], storage: StoragePlugin = StoragePlugin.MCAP,
    compression: CompressionMode = CompressionMode.NONE, version: int = 9,
) -> Path:  # fmt: skip
    """A bag as rosbags writes it."""
    writer = Writer(folder, version=version, storage_plugin=storage)
    if compression is not CompressionMode.NONE:
        writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        connections: dict[str, Any] = {}
        for one in said:
            if one.topic not in connections:
                connections[one.topic] = writer.add_connection(one.topic, one.msgtype, typestore=STORE)
            writer.write(connections[one.topic], one.log_ns, one.data)
    return folder


# MCAP by hand: what rosbags does not write, other writers do.


def mcap_record(kind: int, content: bytes) -> bytes:
    return struct.pack("<BQ", kind, len(content)) + content


def mcap_text(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<I", len(raw)) + raw


@dataclass
class McapByHand:
    """Records of a file without an index; `chunked` packs so many messages together, 0 none."""

    chunked: int = 0
    compression: str = ""
    profile: str = "ros2"
    _numbers: dict[str, int] = field(default_factory=dict)

    def file(self, said: Iterable[Said], ended: bool = True) -> bytes:
        out = [b"\x89MCAP0\r\n", mcap_record(0x01, mcap_text(self.profile) + mcap_text("by hand"))]
        pending: list[tuple[int, bytes]] = []
        for one in said:
            if one.topic not in self._numbers:
                out.append(self._channel(one))
            head = struct.pack("<HIQQ", self._numbers[one.topic], 0, one.log_ns, one.log_ns)
            pending.append((one.log_ns, mcap_record(0x05, head + one.data)))
            if len(pending) >= max(1, self.chunked):
                out.append(self._packed(pending))
                pending = []
        if pending:
            out.append(self._packed(pending))
        if ended:
            out += [mcap_record(0x0F, bytes(4)), mcap_record(0x02, bytes(20)), b"\x89MCAP0\r\n"]
        return b"".join(out)

    def _channel(self, one: Said) -> bytes:
        number = self._numbers[one.topic] = len(self._numbers) + 1
        definition, _ = STORE.generate_msgdef(one.msgtype, ros_version=2)
        schema = struct.pack("<H", number) + mcap_text(one.msgtype) + mcap_text("ros2msg") + mcap_text(definition)
        channel = struct.pack("<HH", number, number) + mcap_text(one.topic) + mcap_text("cdr") + struct.pack("<I", 0)
        return mcap_record(0x03, schema) + mcap_record(0x04, channel)

    def _packed(self, pending: list[tuple[int, bytes]]) -> bytes:
        records = b"".join(record for _, record in pending)
        if not self.chunked:
            return records
        packed = records
        if self.compression == "zstd":
            from backports import zstd

            packed = zstd.compress(records)
        elif self.compression == "lz4":
            import lz4.frame

            packed = lz4.frame.compress(records)
        times = [log_ns for log_ns, _ in pending]
        head = struct.pack("<QQQI", min(times), max(times), len(records), 0)
        return mcap_record(0x06, head + mcap_text(self.compression) + struct.pack("<Q", len(packed)) + packed)


def at_other_times(said: Iterable[Said], later_s: Callable[[Said], float]) -> list[Said]:
    """The same, recorded later; the order stays."""
    return [replace(one, at_s=one.at_s + later_s(one)) for one in said]


def made_of(folder: Path, said: Iterable[Said], **changes) -> Made:
    """What is made of a bag with these messages, in folder/episodes; the bag lies in folder/run."""
    bag, out = write_bag(folder / "run", said), folder / "episodes"
    out.mkdir()
    return make_episodes([bag], recording(**changes), out, print)


def cuts_of(made: Made) -> list[tuple[str, float, float, str]]:
    """Kind, from when to when (s from BEGIN_NS), why."""
    return [
        (cut.kind, round((cut.begin_ns - BEGIN_NS) * 1e-9, 3), round((cut.end_ns - BEGIN_NS) * 1e-9, 3), cut.why)
        for _, _, cut in made.cuts
    ]
