"""A pair of pictures from a ROS 2 bag, at two times; needs no ROS, but the package rosbags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from jepa_planner.control.kinematics import rotation_from_quaternion, rpy_from_rotation
from jepa_planner.core.channel_names import OLDER_NAMES
from jepa_planner.core.compressed_picture import compressed_pixels
from jepa_planner.core.image_message import ConversionError, rgb_pixels
from jepa_planner.learning.evaluation.picture_pair import PictureError, PicturePair, change_of_state, stack_views

if TYPE_CHECKING:
    from rosbags.highlevel import AnyReader

    from jepa_planner.model.contract import Contract

PIXELS, COMPRESSED, ARM_STATE = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "jepa_planner/msg/ArmState"
NEAR_S = 1.0
"""A message farther than this from the time asked for is not of that moment."""


@dataclass(frozen=True)
class BagMoments:
    """What is looked at in a bag: one image topic per view, and two times in seconds from its beginning.

    state_topic: of jepa_planner/ArmState, None where the state is told otherwise.
    """

    image_topics: tuple[str, ...]
    at_s: float
    goal_at_s: float
    state_topic: str | None = None


def pair_from_bag(
    folder: Path, moments: BagMoments, contract: Contract, state: Sequence[float] | None = None,
    goal_state: Sequence[float] | None = None,
) -> PicturePair:  # fmt: skip
    """The messages nearest to the two times; states come from the bag or are given.

    States of the bag take the contract's channels and are checked to be in its frame. Raises PictureError naming the
    topic or the time, and ContractError.
    """
    now_state: npt.ArrayLike | None = state
    then_state: npt.ArrayLike | None = goal_state
    with _opened(folder) as bag:
        if (state is None) == (moments.state_topic is None):
            raise PictureError("a bag's arm state comes from a topic of ArmState or is given: tell one of the two")
        image, goal = (
            stack_views([_picture(bag, topic, at_s) for topic in moments.image_topics])
            for at_s in (moments.at_s, moments.goal_at_s)
        )
        if moments.state_topic is not None:
            times = (moments.at_s, moments.goal_at_s)
            now_state, then_state = (_state(bag, moments.state_topic, at_s, contract) for at_s in times)
    now = np.asarray(now_state, np.float32)
    action = None if then_state is None else change_of_state(now, np.asarray(then_state, np.float32))
    return PicturePair(image, goal, now, action)


def pictures_from_bag(folder: Path, image_topics: Sequence[str], times_s: Sequence[float]) -> list[list[np.ndarray]]:
    """What the topics show at each time, uint8 RGB [H, W, 3] each: the messages nearest to so many seconds from the
    bag's beginning. Raises PictureError naming the topic or the time.
    """
    with _opened(folder) as bag:
        return [[_picture(bag, topic, at_s) for topic in image_topics] for at_s in times_s]


@contextmanager
def _opened(folder: Path) -> Iterator[AnyReader]:
    """A bag to read from; raises PictureError where it cannot be read."""
    try:
        from rosbags.highlevel import AnyReader, AnyReaderError
    except ModuleNotFoundError as error:
        raise PictureError("reading bags needs the package rosbags: pip install 'jepa_planner[bag]'") from error
    try:
        with AnyReader([folder]) as bag:
            yield bag
    except (AnyReaderError, OSError) as error:
        raise PictureError(f"{folder} cannot be read as a bag: {error}") from error


def _picture(bag: AnyReader, topic: str, at_s: float) -> np.ndarray:
    message = _nearest(bag, topic, at_s, (PIXELS, COMPRESSED))
    try:
        if message.__msgtype__ == COMPRESSED:
            return compressed_pixels(message.format, message.data, f"on {topic} at {at_s:g} s")
        return rgb_pixels(
            message.encoding, message.height, message.width, message.step, message.data, bool(message.is_bigendian)
        )
    except ConversionError as error:
        raise PictureError(f"topic {topic}: {error}") from error


def _state(bag: AnyReader, topic: str, at_s: float, contract: Contract) -> np.ndarray:
    arm = _nearest(bag, topic, at_s, (ARM_STATE,))
    contract.check_frame(arm.header.frame_id)
    pose = _xyz_rpy(arm, topic)
    fields = {present: older for older, present in OLDER_NAMES.items() if hasattr(arm, older)}
    grippers = [getattr(arm, fields.get(name, name)) for name in contract.state.channels[len(pose) :]]
    return np.array([*pose, *grippers], np.float32)


def _xyz_rpy(arm, topic: str) -> list[float]:
    """The tcp's place and extrinsic xyz angles; older messages have these, newer ones a pose."""
    if hasattr(arm, "rpy"):
        return [getattr(part, axis) for part in (arm.position, arm.rpy) for axis in "xyz"]
    place, turn = arm.pose.position, arm.pose.orientation
    try:
        rotation = rotation_from_quaternion((turn.x, turn.y, turn.z, turn.w))
    except ValueError as error:
        raise PictureError(f"topic {topic}: {error}") from error
    return [place.x, place.y, place.z, *rpy_from_rotation(rotation)]


def _nearest(bag: AnyReader, topic: str, at_s: float, kinds: tuple[str, ...]):
    """The message of a topic whose time of recording is nearest to `at_s` after the bag's beginning."""
    connections = [connection for connection in bag.connections if connection.topic == topic]
    if not connections:
        raise PictureError(f"the bag has no topic {topic}; it has {', '.join(sorted(bag.topics))}")
    if (kind := connections[0].msgtype) not in kinds:
        raise PictureError(f"topic {topic} is of {kind}; expected {' or '.join(kinds)}")
    length_s = max(0.0, (bag.end_time - bag.start_time) * 1e-9)
    nearest = None
    if 0.0 <= at_s <= length_s + NEAR_S:  # false for what is no number
        at_ns, reach_ns = bag.start_time + round(at_s * 1e9), round(NEAR_S * 1e9)
        around = bag.messages(connections, start=max(0, at_ns - reach_ns), stop=at_ns + reach_ns)
        nearest = min(around, key=lambda message: abs(message[1] - at_ns), default=None)
    if nearest is None:
        raise PictureError(
            f"topic {topic} has no message within {NEAR_S:g} s of {at_s:g} s; the bag is {length_s:.2f} s long"
        )
    connection, _, raw = nearest
    return bag.deserialize(raw, connection.msgtype)
