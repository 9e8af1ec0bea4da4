"""Who listens to which topic of a bag, as its recording file says, and what the bag then tells over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jepa_planner.core.message_types import ARM_STATE
from jepa_planner.learning.data.bags.arm_tracks import arm_track
from jepa_planner.learning.data.bags.clocks import TopicTimes, times_of
from jepa_planner.learning.data.bags.command_track import CommandTrack
from jepa_planner.learning.data.bags.gripper_tracks import GripperTrack, gripper_tracks
from jepa_planner.learning.data.bags.heard import HeardTopic, Taker, hear
from jepa_planner.learning.data.bags.marks import Marks
from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.bags.opened_bag import OpenedBag
from jepa_planner.learning.data.bags.pictures import CameraInfos, ViewPictures
from jepa_planner.learning.data.bags.steps import Tracks
from jepa_planner.learning.data.recording import EPISODE_MARKS, Recording, full_name


@dataclass(frozen=True)
class ToldByBag:
    """What a bag tells. pictures: of each view the topic, and which of its messages can be used, in time [N].

    notes: what is strange, in words.
    """

    arm_topic: str
    tracks: Tracks
    commands: CommandTrack | None
    marks: Marks
    views: tuple[ViewPictures, ...]
    pictures: tuple[tuple[HeardTopic, np.ndarray], ...]
    heard: Mapping[str, HeardTopic]
    times: Mapping[str, TopicTimes]
    notes: tuple[str, ...]


def listen(bag: OpenedBag, recording: Recording, every: bool = False) -> ToldByBag:
    """Reads a bag once; every: `heard` has all its topics, also those that nothing is made of.

    Raises BagError naming the topic that is missing, of another type, or tells nothing.
    """
    arm_topic = full_name(recording.arm.topic)
    arm = arm_track(recording.arm, arm_topic)
    grippers = gripper_tracks(recording, arm_topic)
    commands = None if recording.commands is None else CommandTrack(recording.commands, recording.arm, arm)
    marks, infos = Marks(), {view: CameraInfos() for view in recording.views}
    takers: dict[str, list[Taker]] = {EPISODE_MARKS: [marks]}
    for topic, taker in (
        *arm.topics().items(),
        *((track.topic, track) for track in (*grippers, commands) if track is not None),
        *((source.info_topic, infos[view]) for view, source in recording.views.items() if source.rectify),
    ):
        takers.setdefault(topic, []).append(taker)
    pictures_on = [name for view in recording.views.values() for name in _names(full_name(view.topic))]
    heard = hear(bag, takers, pictures_on, every)
    present = {topic: kind for file in bag.files for topic, kind in file.types.items()}
    used = {name: topic for name, topic in heard.items() if name in takers or name in pictures_on}
    times, of_clock = times_of(used, recording.cuts.clock_offset_s)

    topics = {view: _picture_topic(view, source.topic, heard, present) for view, source in recording.views.items()}
    views = tuple(
        ViewPictures(
            view, topics[view].topic, topics[view].msgtype, source, recording.picture_size_px, recording.resize,
            infos[view].first,
        )
        for view, source in recording.views.items()
    )  # fmt: skip
    _check_there(arm_topic, heard, present)
    arm.settle(times, heard[arm_topic].complaint)
    tells_gripper = heard[arm_topic].msgtype == ARM_STATE
    measured, asked = (
        None if track is None or (track.may_be_absent and not tells_gripper) else _settled(track, heard, times, present)
        for track in grippers
    )
    notes = [
        *([of_clock] if of_clock else []),
        *bag.notes,
        *(f"{file.path.name}: {file.damage}" for file in bag.files if file.damage),
    ]
    if commands is not None and commands.topic in heard:
        commands.settle(times[commands.topic])
    elif commands is not None:
        if recording.actions == "commands":
            _check_there(commands.topic, heard, present)
        notes.append(f"nothing was recorded on {commands.topic}: actions are made of the arm's states")
    usable = {view: times[topic.topic].usable() for view, topic in topics.items()}
    if bare := [view for view, (times_ns, _) in usable.items() if not len(times_ns)]:
        raise BagError(f"view {bare[0]}: topic {topics[bare[0]].topic} has no picture with a stamp that counts")
    tracks = Tracks({view: times_ns for view, (times_ns, _) in usable.items()}, arm, measured, asked)
    pictures = tuple((topics[view], order) for view, (_, order) in usable.items())
    return ToldByBag(arm_topic, tracks, commands, marks, views, pictures, heard, times, tuple(notes))


def _names(topic: str) -> tuple[str, ...]:
    """Where a view's pictures may stand."""
    return topic, f"{topic}/compressed"


def _picture_topic(view: str, topic: str, heard: Mapping[str, HeardTopic], present: Mapping[str, str]) -> HeardTopic:
    for name in _names(full_name(topic)):
        if name in heard:
            return heard[name]
    others = sorted(name for name, kind in present.items() if kind.rpartition("/")[2] in ("Image", "CompressedImage"))
    has = f"it has pictures on {', '.join(others)}" if others else f"it has no pictures, only {_listed(present)}"
    raise BagError(f"view {view}: the bag has no topic {full_name(topic)} with messages; {has}")


def _check_there(topic: str, heard: Mapping[str, HeardTopic], present: Mapping[str, str]) -> None:
    if topic not in heard:
        raise BagError(f"the bag has no topic {topic} with messages; it has {_listed(present)}")


def _settled(
    track: GripperTrack, heard: Mapping[str, HeardTopic], times: Mapping[str, TopicTimes], present: Mapping[str, str]
) -> GripperTrack:
    """A gripper that is measured must be there; one that nobody asked anything of need not."""
    if not track.is_asked:
        _check_there(track.topic, heard, present)
    if track.topic in heard:
        track.settle(times[track.topic], heard[track.topic].complaint)
    return track


def _listed(present: Mapping[str, str]) -> str:
    return ", ".join(sorted(present)) or "none"
