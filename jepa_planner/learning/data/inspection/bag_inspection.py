"""What bags tell and episodes made of them do not: how messages came, and how late cameras are, at their own rate."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jepa_planner.learning.data.bags.heard import HeardTopic, hear
from jepa_planner.learning.data.bags.listeners import ToldByBag, listen
from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.bags.opened_bag import OpenedBag, find_bags, opened
from jepa_planner.learning.data.inspection.bag_delay import MOST_PICTURES, MOST_S, stretches_of
from jepa_planner.learning.data.inspection.camera_delay import Delay, Stretch, find_delay
from jepa_planner.learning.data.inspection.episode_delay import judge_delays
from jepa_planner.learning.data.inspection.judgement import Judgement, Level
from jepa_planner.learning.data.inspection.step_evenness import judge_evenness
from jepa_planner.learning.data.inspection.topic_flow import TopicFlow, flows_of, judge_flows
from jepa_planner.learning.data.recording import Recording


@dataclass(frozen=True)
class BagInspection:
    """What was found in so many bags, and what it was found by."""

    bags: int
    judgements: tuple[Judgement, ...]
    flows: Mapping[str, TopicFlow]
    delays: Mapping[str, Delay]


def inspect_bags(paths: Sequence[Path], recording: Recording | None) -> BagInspection:
    """Looks at bags, one after the other; recording: what in them is what, without which no delay is told.

    Raises BagError where there is no bag.
    """
    found = find_bags(paths)
    heard: list[list[HeardTopic]] = []
    stretches: dict[str, list[Stretch]] = {}
    pictures: dict[str, list[np.ndarray]] = {}
    notes: list[Judgement] = []
    for path in found:
        try:
            with opened(path) as bag:
                told = None if recording is None else _told(bag, recording, notes)
                heard.append(_all_topics(bag, told, notes))
                if told is not None and recording is not None:
                    for view, times_ns in told.tracks.views.items():
                        pictures.setdefault(view, []).append(times_ns)
                    most, gap_s = MOST_PICTURES // len(found), recording.cuts.state_gap_s
                    for view, each in stretches_of(bag, told, most, gap_s).items():
                        stretches.setdefault(view, []).extend(each)
        except BagError as error:
            notes.append(_left_out(path.name, error))
    flows = flows_of(heard)
    delays = {view: find_delay(each, MOST_S) for view, each in stretches.items()}
    judgements = [*_one_of_each_kind(notes), *judge_flows(flows.values())]
    if recording is None:
        says = "not looked for: only a recording file tells which topic is a view and which the arm"
        judgements.append(Judgement("delay of cameras", Level.GOOD, says, "give --recording FILE"))
    else:
        judgements += [*judge_evenness(pictures, recording.time_step_s), *judge_delays(delays, recording.time_step_s)]
    return BagInspection(len(found), tuple(judgements), flows, delays)


def _told(bag: OpenedBag, recording: Recording, notes: list[Judgement]) -> ToldByBag | None:
    """What a bag tells as the recording file says; None where from-bag would refuse it, which is noted."""
    try:
        return listen(bag, recording, every=True)
    except BagError as error:
        notes.append(_left_out(bag.name, error))
        return None


def _all_topics(bag: OpenedBag, told: ToldByBag | None, notes: list[Judgement]) -> list[HeardTopic]:
    """What was heard on each topic of a bag; what is strange in it is noted."""
    if told is None:
        heard = hear(bag, {}, (), every=True)
        strange = [*bag.notes, *(f"{file.path.name}: {file.damage}" for file in bag.files if file.damage)]
    else:
        heard, strange = dict(told.heard), list(told.notes)
        strange += [f"topic {name}: {note}" for name, times in told.times.items() for note in times.notes]
    advice = "look at it: from-bag goes on with what is left"
    notes += [Judgement(f"bag {bag.name}", Level.WARNING, note, advice) for note in strange]
    return list(heard.values())


def _one_of_each_kind(notes: Sequence[Judgement]) -> list[Judgement]:
    """What many bags have in common, but for numbers, is said once, of the first of them."""
    kinds: dict[tuple[Level, str], list[Judgement]] = {}
    for note in notes:
        kinds.setdefault((note.level, re.sub(r"\d+(\.\d+)?", "#", note.says)), []).append(note)
    return [
        alike[0]
        if len(alike) == 1
        else replace(
            alike[0], topic=f"{len(alike)} bags, the first {alike[0].topic}",
            numbers={"bags": [note.topic.removeprefix("bag ") for note in alike]},
        )
        for alike in kinds.values()
    ]  # fmt: skip


def _left_out(bag: str, error: BagError) -> Judgement:
    return Judgement(f"bag {bag}", Level.WRONG, str(error), "mend the recording file, or record anew")
