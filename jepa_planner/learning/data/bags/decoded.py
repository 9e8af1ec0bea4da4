"""Planned episodes with their pictures: decoded in the order in which files have them; what is spoilt is cut out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.bags.opened_bag import OpenedBag
from jepa_planner.learning.data.bags.plan import BagPlan, PlannedEpisode
from jepa_planner.learning.data.bags.steps import Cut


@dataclass(frozen=True)
class DecodedEpisode:
    """frames: uint8 RGB [F, V, H, W, 3], one for each step of the piece."""

    plan: BagPlan
    planned: PlannedEpisode
    frames: np.ndarray


def frame_bytes(plan: BagPlan) -> int:
    """Of the pictures of one step."""
    return sum(view.size_px[0] * view.size_px[1] * 3 for view in plan.views)


def decode(
    bag: OpenedBag, plan: BagPlan, planned: Sequence[PlannedEpisode], least_steps: int
) -> tuple[list[DecodedEpisode], list[tuple[str, Cut]]]:
    """Some of a plan's episodes, parted where a picture cannot be decoded, and what was cut out so."""
    width, height = plan.views[0].size_px
    frames = [np.zeros((len(one.piece), len(plan.views), height, width, 3), np.uint8) for one in planned]
    spoilt = _fill(bag, plan, planned, frames)
    whole: list[DecodedEpisode] = []
    cuts: list[tuple[str, Cut]] = []
    for row, one in enumerate(planned):
        reasons = {step: why for (at, step), why in spoilt.items() if at == row}
        for first, last in _runs(len(one.piece), reasons):
            begin_ns, end_ns = int(one.piece.steps_ns[first]), int(one.piece.steps_ns[last])
            if first in reasons:
                cuts.append((one.marked.name, Cut("picture", begin_ns, end_ns, reasons[first])))
            elif last - first < least_steps:
                why = f"only {last - first} steps are left there, fewer than {least_steps}"
                cuts.append((one.marked.name, Cut("short", begin_ns, end_ns, why)))
            else:
                steps = slice(first, last + 1)
                actions = replace(one.actions, values=one.actions.values[first:last])
                part = PlannedEpisode(one.marked, one.piece.part(steps), actions)
                whole.append(DecodedEpisode(plan, part, frames[row][steps]))
    return whole, cuts


def _fill(
    bag: OpenedBag, plan: BagPlan, planned: Sequence[PlannedEpisode], frames: Sequence[np.ndarray]
) -> dict[tuple[int, int], str]:
    """Decodes into frames; returns why which steps (episode, step) have none."""
    wanted: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row, one in enumerate(planned):
        for step, numbers in enumerate(one.piece.pictures):
            for view, number in enumerate(map(int, numbers)):
                wanted.setdefault((view, number), []).append((row, step))
    spoilt: dict[tuple[int, int], str] = {}
    for number, file in enumerate(bag.files):
        ours = sorted((plan.places[key][1], key) for key in wanted if plan.places[key][0] == number)
        for (_, key), data in zip(ours, file.read([place for place, _ in ours]), strict=True):
            try:
                pixels = plan.views[key[0]].pixels(data, file.definitions)
            except BagError as error:
                spoilt |= dict.fromkeys(wanted[key], str(error))
                continue
            for row, step in wanted[key]:
                frames[row][step, key[0]] = pixels
    return spoilt


def _runs(count: int, spoilt: dict[int, str]) -> Iterator[tuple[int, int]]:
    """First and last of steps that follow each other and are all whole, or all spoilt."""
    first = 0
    for step in range(1, count + 1):
        if step == count or (step in spoilt) != (first in spoilt):
            yield first, step - 1
            first = step
