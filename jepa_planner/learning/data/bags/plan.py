"""What is to be made of one bag, before any picture is decoded: its pieces, their actions, and all that is cut out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jepa_planner.learning.data.bags.actions import Actions, actions_of
from jepa_planner.learning.data.bags.clocks import NEVER_CHANGES, TopicTimes
from jepa_planner.learning.data.bags.heard import HeardTopic
from jepa_planner.learning.data.bags.listeners import ToldByBag, listen
from jepa_planner.learning.data.bags.marks import MarkedEpisode
from jepa_planner.learning.data.bags.opened_bag import OpenedBag
from jepa_planner.learning.data.bags.pictures import ViewPictures
from jepa_planner.learning.data.bags.steps import Cut, Piece, pieces_of
from jepa_planner.learning.data.episodes import NOT_TOLD
from jepa_planner.learning.data.recording import EPISODE_MARKS, Recording


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

    begin_ns: of the bag, from which times in reports count. cuts: by the episode's name.
    """

    path: Path
    name: str
    begin_ns: int
    end_ns: int
    episodes: tuple[PlannedEpisode, ...]
    cuts: tuple[tuple[str, Cut], ...]
    views: tuple[ViewPictures, ...]
    places: Mapping[tuple[int, int], tuple[int, Any]]
    topics: Mapping[str, TopicTimes]
    marked: tuple[MarkedEpisode, ...]
    frame: str
    tcp_frame: str
    notes: tuple[str, ...]


def plan_bag(bag: OpenedBag, recording: Recording) -> BagPlan:
    """Reads a bag once. Raises BagError naming the topic that is missing, of another type, or tells nothing."""
    told = listen(bag, recording)
    marked = told.marks.episodes(told.times.get(EPISODE_MARKS), bag.name)
    episodes: list[PlannedEpisode] = []
    cuts: list[tuple[str, Cut]] = []
    for one in marked:
        planned, of_one = _planned(one, told, recording)
        episodes += planned
        cuts += [(one.name, cut) for cut in of_one]
    times = [topic.times_ns[topic.valid] for name, topic in told.times.items() if name not in NEVER_CHANGES]
    times = [of_topic for of_topic in times if len(of_topic)]
    return BagPlan(
        path=bag.path,
        name=bag.name,
        begin_ns=min(int(of_topic.min()) for of_topic in times),
        end_ns=max(int(of_topic.max()) for of_topic in times),
        episodes=tuple(episodes),
        cuts=tuple(cuts),
        views=told.views,
        places=_places(episodes, told.pictures),
        topics=told.times,
        marked=tuple(marked),
        frame=told.tracks.arm.frame,
        tcp_frame=told.tracks.arm.tcp_frame,
        notes=told.notes,
    )


def _planned(marked: MarkedEpisode, told: ToldByBag, recording: Recording) -> tuple[list[PlannedEpisode], list[Cut]]:
    begin_ns = marked.begin_ns or 0
    if marked.is_thrown_away:
        return [], [Cut("thrown away", begin_ns, marked.end_ns or begin_ns, marked.note or "it was marked so")]
    pieces, cuts = pieces_of(told.tracks, marked, recording)
    episodes = []
    for piece in pieces:
        actions = actions_of(piece, told.commands, recording)
        if actions is None:
            why = "actions are to be made of commands, and none were recorded"
            cuts.append(Cut("no command", int(piece.steps_ns[0]), int(piece.steps_ns[-1]), why))
        else:
            episodes.append(PlannedEpisode(marked, piece, actions))
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
