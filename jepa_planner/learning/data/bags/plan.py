"""What is to be made of one bag, before any picture is decoded: its pieces, their actions, and all that is cut out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jepa_planner.learning.data.bags.actions import Actions, actions_of
from jepa_planner.learning.data.bags.arm_tracks import ARM_STATE, arm_track
from jepa_planner.learning.data.bags.clocks import TopicTimes, times_of
from jepa_planner.learning.data.bags.command_track import CommandTrack
from jepa_planner.learning.data.bags.gripper_tracks import GripperTrack, gripper_tracks
from jepa_planner.learning.data.bags.heard import HeardTopic, Taker, hear
from jepa_planner.learning.data.bags.marks import MarkedEpisode, Marks
from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.bags.opened_bag import OpenedBag
from jepa_planner.learning.data.bags.pictures import CameraInfos, ViewPictures
from jepa_planner.learning.data.bags.steps import Cut, Piece, Tracks, pieces_of
from jepa_planner.learning.data.episodes import NOT_TOLD
from jepa_planner.learning.data.recording import EPISODE_MARKS, Recording, full_name


@dataclass(frozen=True)
class PlannedEpisode:
    """A piece of a marked episode, and its actions [F - 1, 7]."""

    marked: MarkedEpisode
    piece: Piece
    actions: Actions

    @property
    def success(self) -> int:
        """Told of the marked episode, and so of the piece alone that reaches to its end."""
        return self.marked.success if self.piece.at_end else NOT_TOLD


@dataclass(frozen=True)
class BagPlan:
    """Of one bag. places: of each picture that is needed, by view and number, its file and where it stands there.

    begin_ns: of the bag, from which times in reports count.
    """

    path: Path
    begin_ns: int
    end_ns: int
    episodes: tuple[PlannedEpisode, ...]
    cuts: tuple[tuple[str, Cut], ...]
    views: tuple[ViewPictures, ...]
    places: dict[tuple[int, int], tuple[int, Any]]
    topics: dict[str, TopicTimes]
    marked: tuple[MarkedEpisode, ...]
    frame: str
    tcp_frame: str
    notes: tuple[str, ...]


def plan_bag(bag: OpenedBag, recording: Recording) -> BagPlan:
    """Reads a bag once. Raises BagError naming the topic that is missing, of another type, or tells nothing."""
    arm_topic = full_name(recording.arm.topic)
    arm = arm_track(recording.arm, arm_topic)
    measured, asked = gripper_tracks(recording, arm_topic)
    commands = None if recording.commands is None else CommandTrack(recording.commands, recording.arm, arm)
    marks, infos = Marks(), {view: CameraInfos() for view in recording.views}
    takers: dict[str, list[Taker]] = {EPISODE_MARKS: [marks]}
    for topic, taker in (
        *arm.topics().items(),
        *((track.topic, track) for track in (measured, asked, commands) if track is not None),
        *((source.info_topic, infos[view]) for view, source in recording.views.items() if source.rectify),
    ):
        takers.setdefault(topic, []).append(taker)
    heard = hear(bag, takers, [name for view in recording.views.values() for name in _names(full_name(view.topic))])
    present = {topic: kind for file in bag.files for topic, kind in file.types.items()}
    times = {name: times_of(topic, recording.cuts.clock_offset_s) for name, topic in heard.items()}

    pictures = {
        view: _picture_topic(view, full_name(source.topic), heard, present) for view, source in recording.views.items()
    }
    views = tuple(
        ViewPictures(
            view, pictures[view].topic, pictures[view].msgtype, source, recording.picture_size_px, recording.resize,
            infos[view].first,
        )
        for view, source in recording.views.items()
    )  # fmt: skip
    _check_there(arm_topic, heard, present)
    arm.settle(times, heard[arm_topic].complaint)
    if heard[arm_topic].msgtype != ARM_STATE:
        measured, asked = (None if track is not None and track.may_be_absent else track for track in (measured, asked))
    for track in (measured, asked):
        if track is not None and _is_there(track, heard, present):
            track.settle(times[track.topic], heard[track.topic].complaint)
    if commands is not None:
        if commands.topic in heard:
            commands.settle(times[commands.topic])
        elif recording.actions == "commands":
            _check_there(commands.topic, heard, present)

    usable = {view: times[topic.topic].usable() for view, topic in pictures.items()}
    if bare := [view for view, (times_ns, _) in usable.items() if not len(times_ns)]:
        raise BagError(f"view {bare[0]}: topic {pictures[bare[0]].topic} has no picture with a stamp that counts")
    tracks = Tracks({view: times_ns for view, (times_ns, _) in usable.items()}, arm, measured, asked)
    marked = marks.episodes(times.get(EPISODE_MARKS), bag.path.stem)
    episodes, cuts = _episodes(tracks, marked, commands, recording)
    logs = [topic.times()[1] for topic in heard.values() if len(topic)]
    notes = [*bag.notes, *(f"{file.path.name}: {file.damage}" for file in bag.files if file.damage)]
    if commands is not None and commands.topic not in heard:
        notes.append(f"nothing was recorded on {commands.topic}: actions are made of the arm's states")
    return BagPlan(
        bag.path, min(int(each.min()) for each in logs), max(int(each.max()) for each in logs), tuple(episodes),
        tuple(cuts), views, _places(episodes, [(pictures[view], order) for view, (_, order) in usable.items()]),
        times, tuple(marked), arm.frame, arm.tcp_frame, tuple(notes),
    )  # fmt: skip


def _episodes(
    tracks: Tracks, marked: Sequence[MarkedEpisode], commands: CommandTrack | None, recording: Recording
) -> tuple[list[PlannedEpisode], list[tuple[str, Cut]]]:
    episodes, cuts = [], []
    for one in marked:
        if one.is_thrown_away:
            why = one.note or "it was marked so"
            cuts.append((one.name, Cut("thrown away", one.begin_ns or 0, one.end_ns or one.begin_ns or 0, why)))
            continue
        pieces, of_one = pieces_of(tracks, one, recording)
        cuts += [(one.name, cut) for cut in of_one]
        for piece in pieces:
            if (actions := actions_of(piece, commands, recording)) is None:
                why = "actions are to be made of commands, and none were recorded"
                cuts.append((one.name, Cut("no command", int(piece.steps_ns[0]), int(piece.steps_ns[-1]), why)))
            else:
                episodes.append(PlannedEpisode(one, piece, actions))
    return episodes, cuts


def _places(
    episodes: Sequence[PlannedEpisode], views: Sequence[tuple[HeardTopic, np.ndarray]]
) -> dict[tuple[int, int], tuple[int, Any]]:
    """Where the pictures stand that episodes need; views: what was heard, and which of it was usable."""
    return {
        (view, number): topic.places[order[number]]
        for episode in episodes
        for view, (topic, order) in enumerate(views)
        for number in map(int, episode.piece.pictures[:, view])
    }


def _names(topic: str) -> tuple[str, ...]:
    """Where a view's pictures may stand."""
    return topic, f"{topic}/compressed"


def _picture_topic(view: str, topic: str, heard: dict[str, HeardTopic], present: dict[str, str]) -> HeardTopic:
    found = next((heard[name] for name in _names(topic) if name in heard), None)
    if found is None:
        others = sorted(
            name for name, kind in present.items() if kind.rpartition("/")[2] in ("Image", "CompressedImage")
        )
        has = f"it has pictures on {', '.join(others)}" if others else f"it has no pictures, only {_listed(present)}"
        raise BagError(f"view {view}: the bag has no topic {topic} with messages; {has}")
    return found


def _check_there(topic: str, heard: dict[str, HeardTopic], present: dict[str, str]) -> None:
    if topic not in heard:
        raise BagError(f"the bag has no topic {topic} with messages; it has {_listed(present)}")


def _is_there(track: GripperTrack, heard: dict[str, HeardTopic], present: dict[str, str]) -> bool:
    """Whether there is something to hear; a measured gripper must be there, commands need not."""
    if not track.is_asked:
        _check_there(track.topic, heard, present)
    return track.topic in heard


def _listed(present: dict[str, str]) -> str:
    return ", ".join(sorted(present)) or "none"
