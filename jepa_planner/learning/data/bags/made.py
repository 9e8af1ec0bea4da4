"""Bags to episodes on disk: all bags are planned first, then pictures decoded, a bounded part of a bag at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jepa_planner.learning.data.bags.decoded import decode, frame_bytes
from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.bags.opened_bag import find_bags, opened
from jepa_planner.learning.data.bags.plan import BagPlan, PlannedEpisode, plan_bag
from jepa_planner.learning.data.bags.shards import ShardWriter
from jepa_planner.learning.data.bags.steps import Cut
from jepa_planner.learning.data.recording import Recording

MOST_BYTES = 128 * 2**20
"""Of pictures that are decoded, and again of those that wait to be written, if one episode has no more."""


@dataclass(frozen=True)
class MadeEpisode:
    """One that was written. examples: its first, middle and last pictures, uint8 [3, V, H, W, 3]."""

    bag: BagPlan
    planned: PlannedEpisode
    examples: np.ndarray


@dataclass
class Made:
    """All that was made of bags, and what was not; left_out: bags of which nothing could be read, and why.

    places: the shard of each episode, and its number there.
    """

    recording: Recording
    episodes: list[MadeEpisode] = field(default_factory=list)
    places: list[tuple[str, int]] = field(default_factory=list)
    plans: list[BagPlan] = field(default_factory=list)
    cuts: list[tuple[BagPlan, str, Cut]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def make_episodes(
    paths: Sequence[Path], recording: Recording, out: Path, say: Callable[[str], None], most_bytes: int = MOST_BYTES
) -> Made:
    """Writes shards into `out`, all with the same number of steps, padded with rest.

    Raises BagError where no bag can be read, naming what is wrong with the first.
    """
    made = _planned(paths, recording, say)
    most_steps = max((len(one.piece) - 1 for plan in made.plans for one in plan.episodes), default=0)
    writer = ShardWriter(out, recording, most_steps, most_bytes)
    for plan in made.plans:
        if not plan.episodes:
            continue
        with opened(plan.path) as bag:
            for part in _parts(plan, most_bytes):
                decoded, cuts = decode(bag, plan, part, recording.cuts.least_steps)
                made.cuts += [(plan, name, cut) for name, cut in cuts]
                for one in decoded:
                    writer.add(one)
                    examples = one.frames[[0, len(one.frames) // 2, len(one.frames) - 1]]
                    made.episodes.append(MadeEpisode(plan, one.planned, examples))
    writer.flush()
    made.places = writer.places
    return made


def _planned(paths: Sequence[Path], recording: Recording, say: Callable[[str], None]) -> Made:
    """All that is to be made; one bag at a time is open."""
    made, errors = Made(recording), []
    for path in find_bags(paths):
        try:
            with opened(path) as bag:
                plan = plan_bag(bag, recording)
        except BagError as error:
            errors.append(error if str(path) in str(error) else BagError(f"{path}: {error}"))
            say(f"left out: {errors[-1]}")
            continue
        made.plans.append(plan)
        made.cuts += [(plan, name, cut) for name, cut in plan.cuts]
        say(f"{path}: {len(plan.episodes)} episodes of {len(plan.marked)} recorded, {len(plan.cuts)} cuts")
    if not made.plans:
        raise errors[0]
    made.left_out = [str(error) for error in errors]
    _check_together(made.plans)
    return made


def _check_together(plans: Sequence[BagPlan]) -> None:
    first = plans[0]
    for plan in plans:
        for name in ("frame", "tcp_frame"):
            if getattr(plan, name) != getattr(first, name):
                raise BagError(
                    f"{plan.path} has {name} {getattr(plan, name)!r}, and {first.path} {getattr(first, name)!r}; "
                    "expected one in all"
                )


def _parts(plan: BagPlan, most_bytes: int) -> Iterator[list[PlannedEpisode]]:
    """Episodes that are decoded together."""
    part: list[PlannedEpisode] = []
    steps = 0
    for one in plan.episodes:
        if part and (steps + len(one.piece)) * frame_bytes(plan) > most_bytes:
            yield part
            part, steps = [], 0
        part.append(one)
        steps += len(one.piece)
    yield part
