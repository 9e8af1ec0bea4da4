"""Episodes of different lengths to shards of one: what is missing shows the last step again, with actions of zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jepa_planner.learning.data.bags.decoded import DecodedEpisode, frame_bytes
from jepa_planner.learning.data.bags.steps import RULE
from jepa_planner.learning.data.episodes import Episodes, write_shard
from jepa_planner.learning.data.recording import Recording

MIX = "recorded"


@dataclass
class ShardWriter:
    """Writes `episodes-000000.h5` and so on, each with as many episodes as fit into most_bytes, one at least."""

    out: Path
    recording: Recording
    most_steps: int
    most_bytes: int
    written: int = 0
    """Episodes so far."""
    places: list[tuple[str, int]] = field(default_factory=list)
    """In which shard, and where in it, each stands."""
    _pending: list[DecodedEpisode] = field(default_factory=list)
    _scenes: dict[int, int] = field(default_factory=dict)
    _shards: int = 0

    def add(self, episode: DecodedEpisode) -> None:
        """Takes one, and writes where enough have come."""
        self._pending.append(episode)
        if (len(self._pending) + 1) * (self.most_steps + 1) * frame_bytes(episode.plan) > self.most_bytes:
            self.flush()

    def flush(self) -> None:
        """Writes those that wait."""
        if not self._pending:
            return
        episodes = self._padded(self._pending)
        name = f"episodes-{self._shards:06d}.h5"
        sources = [one.planned.actions.source for one in self._pending]
        notes = {"recorded_rule": RULE, "recorded_actions": sources}
        write_shard(self.out / name, episodes, mix=MIX, notes=notes)
        self.places += [(name, row) for row in range(len(self._pending))]
        self.written += len(self._pending)
        self._shards += 1
        self._pending.clear()

    def _padded(self, some: Sequence[DecodedEpisode]) -> Episodes:
        first, count = some[0], len(some)
        images = np.zeros((count, self.most_steps + 1, *first.frames.shape[1:]), np.uint8)
        states = np.zeros((count, self.most_steps + 1, first.planned.piece.states.shape[1]), np.float32)
        actions = np.zeros((count, self.most_steps, first.planned.actions.values.shape[1]), np.float32)
        for row, one in enumerate(some):
            steps = len(one.frames)
            images[row, :steps], images[row, steps:] = one.frames, one.frames[-1]
            states[row, :steps], states[row, steps:] = one.planned.piece.states, one.planned.piece.states[-1]
            actions[row, : steps - 1] = one.planned.actions.values
        numbers = np.arange(self.written, self.written + count)
        scenes = [self._scene(one, self.written + row) for row, one in enumerate(some)]
        return Episodes(
            images, states, actions, np.zeros((count, self.most_steps + 1, 4), np.float32),
            tuple(map(_name, some)), numbers, tuple(view.view for view in first.plan.views),
            self.recording.time_step_s, scenes=np.array(scenes), motions=numbers,
            frame=first.plan.frame, tcp_frame=first.plan.tcp_frame,
            lengths=np.array([len(one.frames) - 1 for one in some]),
            success=np.array([one.planned.success for one in some], np.int8),
            tasks=tuple(one.planned.marked.task or self.recording.task for one in some),
        )  # fmt: skip

    def _scene(self, one: DecodedEpisode, number: int) -> int:
        """Pieces of one marked episode show one scene; others may show any."""
        marked = one.planned.marked
        return number if marked.begin_ns is None else self._scenes.setdefault(id(marked), number)


def _name(one: DecodedEpisode) -> str:
    bag, name = one.plan.name, one.planned.marked.name
    return name if name == bag else f"{bag}/{name}"
