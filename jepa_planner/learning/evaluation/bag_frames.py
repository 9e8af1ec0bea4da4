"""A pair of pictures from a ROS 2 bag, at two times; needs no ROS, but the package rosbags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jepa_planner.control.kinematics import rotation_from_quaternion, rpy_from_rotation
from jepa_planner.core.channel_names import OLDER_NAMES
from jepa_planner.core.image_message import ConversionError
from jepa_planner.core.message_types import ARM_STATE, PICTURES
from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.bags.message_reader import reader_of
from jepa_planner.learning.data.bags.opened_bag import OpenedBag, opened
from jepa_planner.learning.data.bags.pictures import pixels_of
from jepa_planner.learning.evaluation.picture_pair import PictureError, PicturePair, change_of_state, stack_views
from jepa_planner.model.contract import Contract

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
    if (state is None) == (moments.state_topic is None):
        raise PictureError("a bag's arm state comes from a topic of ArmState or is given: tell one of the two")
    times_s = (moments.at_s, moments.goal_at_s)
    topics = [*moments.image_topics, *([moments.state_topic] if moments.state_topic is not None else [])]
    with _recorded(folder, topics) as recorded:
        image, goal = (
            stack_views([recorded.picture(topic, at_s) for topic in moments.image_topics]) for at_s in times_s
        )
        if moments.state_topic is not None:
            now_state, then_state = (recorded.state(moments.state_topic, at_s, contract) for at_s in times_s)
    now = np.asarray(now_state, np.float32)
    action = None if then_state is None else change_of_state(now, np.asarray(then_state, np.float32))
    return PicturePair(image, goal, now, action)


def pictures_from_bag(folder: Path, image_topics: Sequence[str], times_s: Sequence[float]) -> list[list[np.ndarray]]:
    """What the topics show at each time, uint8 RGB [H, W, 3] each: the messages nearest to so many seconds from the
    bag's beginning. Raises PictureError naming the topic or the time.
    """
    with _recorded(folder, image_topics) as recorded:
        return [[recorded.picture(topic, at_s) for topic in image_topics] for at_s in times_s]


@contextmanager
def _recorded(folder: Path, topics: Sequence[str]) -> Iterator[_Recorded]:
    """A bag in which some topics can be looked at; raises PictureError where it cannot be read."""
    try:
        with opened(folder) as bag:
            yield _Recorded.of(bag, frozenset(topics))
    except (BagError, OSError) as error:
        raise PictureError(f"{folder} cannot be read as a bag: {error}") from error


@dataclass(frozen=True)
class _Recorded:
    """types: of all topics; begin_ns, end_ns: of the bag; messages: of the topics looked at, when each was recorded
    (ns), the number of its file, and its place there.
    """

    bag: OpenedBag
    types: Mapping[str, str]
    begin_ns: int
    end_ns: int
    messages: Mapping[str, Sequence[tuple[int, int, Any]]]

    @classmethod
    def of(cls, bag: OpenedBag, topics: frozenset[str]) -> _Recorded:
        times_ns: list[int] = []
        messages: dict[str, list[tuple[int, int, Any]]] = {}
        for number, file in enumerate(bag.files):
            for message in file.messages(lambda _: True):
                times_ns.append(message.log_ns)
                if message.topic in topics:
                    messages.setdefault(message.topic, []).append((message.log_ns, number, message.place))
        types = {topic: kind for file in bag.files for topic, kind in file.types.items()}
        return cls(bag, types, min(times_ns, default=0), max(times_ns, default=0), messages)

    def picture(self, topic: str, at_s: float) -> np.ndarray:
        """uint8 RGB [H, W, 3]."""
        message = self._nearest(topic, at_s, PICTURES)
        try:
            return pixels_of(message, f"on {topic} at {at_s:g} s")
        except ConversionError as error:
            raise PictureError(f"topic {topic}: {error}") from error

    def state(self, topic: str, at_s: float, contract: Contract) -> np.ndarray:
        """float32 [S], of the contract's channels."""
        arm = self._nearest(topic, at_s, (ARM_STATE,))
        contract.check_frame(arm.header.frame_id)
        pose = _xyz_rpy(arm, topic)
        fields = {present: older for older, present in OLDER_NAMES.items() if hasattr(arm, older)}
        grippers = [getattr(arm, fields.get(name, name)) for name in contract.state.channels[len(pose) :]]
        return np.array([*pose, *grippers], np.float32)

    def _nearest(self, topic: str, at_s: float, kinds: tuple[str, ...]) -> Any:
        """The message of a topic whose time of recording is nearest to `at_s` after the bag's beginning."""
        if topic not in self.types:
            raise PictureError(f"the bag has no topic {topic}; it has {', '.join(sorted(self.types))}")
        if (kind := self.types[topic]) not in kinds:
            raise PictureError(f"topic {topic} is of {kind}; expected {' or '.join(kinds)}")
        length_s = (self.end_ns - self.begin_ns) * 1e-9
        nearest = None
        if 0.0 <= at_s <= length_s + NEAR_S:  # false for what is no number
            at_ns, reach_ns = self.begin_ns + round(at_s * 1e9), round(NEAR_S * 1e9)
            around = (one for one in self.messages.get(topic, ()) if abs(one[0] - at_ns) <= reach_ns)
            nearest = min(around, key=lambda one: abs(one[0] - at_ns), default=None)
        if nearest is None:
            raise PictureError(
                f"topic {topic} has no message within {NEAR_S:g} s of {at_s:g} s; the bag is {length_s:.2f} s long"
            )
        _, number, place = nearest
        file = self.bag.files[number]
        (data,) = file.read([place])
        return reader_of(kind, file.definitions)(data)


def _xyz_rpy(arm: Any, topic: str) -> list[float]:
    """The tcp's place and extrinsic xyz angles; older messages have these, newer ones a pose."""
    if hasattr(arm, "rpy"):
        return [getattr(part, axis) for part in (arm.position, arm.rpy) for axis in "xyz"]
    place, turn = arm.pose.position, arm.pose.orientation
    try:
        rotation = rotation_from_quaternion((turn.x, turn.y, turn.z, turn.w))
    except ValueError as error:
        raise PictureError(f"topic {topic}: {error}") from error
    return [place.x, place.y, place.z, *rpy_from_rotation(rotation)]
