"""Which episode is being recorded, how it is called, and what becomes of it. No ROS.

Each episode is a bag of its own. One that is thrown away is moved to a folder beside the others, from where it is
deleted when that is confirmed, and not before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from pathlib import Path
from typing import Protocol

THROWN_AWAY = "thrown_away"
"""The folder for them."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


class RefusedError(ValueError):
    """Something cannot be done now; the message says why, and what can."""


class Kind(IntEnum):
    """What a mark says; the numbers are those of jepa_planner/msg/EpisodeMark."""

    START = 0
    STOP = 1
    KEEP = 2
    THROW_AWAY = 3


class Success(IntEnum):
    """How an episode ended; the numbers are those of jepa_planner/msg/EpisodeMark."""

    YES = 1
    NO = 0
    NOT_TOLD = -1


@dataclass(frozen=True)
class Mark:
    """Something that happened to an episode."""

    kind: Kind
    name: str
    task: str
    success: Success = Success.NOT_TOLD


class Phase(Enum):
    """What is going on."""

    IDLE = "ready"
    RECORDING = "recording"
    UNDECIDED = "stopped, keep or throw away?"


class Recorder(Protocol):
    """Who writes bags."""

    def begin(self, folder: Path) -> None:
        """Opens a bag."""

    def mark(self, mark: Mark) -> None:
        """Writes a mark into it."""

    def end(self) -> None:
        """Closes it."""

    def do(self, work: Callable[[], None]) -> None:
        """Does something to files once all before is done."""


class Episodes:
    """What may be done when. Methods return what happened in words, and raise RefusedError where it cannot be done."""

    def __init__(self, folder: Path, recorder: Recorder, name: str = "episode", task: str = "") -> None:
        self.folder = folder
        self._recorder = recorder
        self.name, self.task = checked_name(name), task
        """Of the next episode: what its name begins with, and what is to be done in it."""
        self.phase = Phase.IDLE
        self.current = ""
        """Name of the episode that is recorded, or waits for a decision."""
        self._current_task = ""
        self.kept: dict[str, Success] = {}
        self.thrown_away: list[str] = []
        """What was kept and thrown away since this began; of the latter, what is not deleted."""
        self._begun: set[str] = set()

    @property
    def thrown_away_folder(self) -> Path:
        """Where episodes lie that were thrown away."""
        return self.folder / THROWN_AWAY

    def start(self) -> str:
        """Begins an episode; one that waits for a decision is kept, its success not told."""
        if self.phase is Phase.RECORDING:
            raise RefusedError(f"{self.current} is being recorded already: stop it first")
        before = f"{self.keep(Success.NOT_TOLD)}; " if self.phase is Phase.UNDECIDED else ""
        name = self._free_name()
        self._recorder.begin(self.folder / name)
        self._begun.add(name)
        self.current, self._current_task = name, self.task
        self._mark(Kind.START)
        self.phase = Phase.RECORDING
        return f"{before}recording {self.folder / self.current}"

    def stop(self) -> str:
        """Ends an episode; what becomes of it is still to be said."""
        if self.phase is not Phase.RECORDING:
            raise RefusedError("nothing is being recorded: start first")
        self._mark(Kind.STOP)
        self.phase = Phase.UNDECIDED
        return f"stopped {self.current}: keep it, or throw it away"

    def keep(self, success: Success) -> str:
        """Keeps an episode, which ends with it."""
        self._end("keep")
        self._mark(Kind.KEEP, success)
        self._recorder.end()
        self.kept[self.current] = success
        self.phase = Phase.IDLE
        return f"kept {self.current}, {_IN_WORDS[success]}"

    def throw_away(self) -> str:
        """Moves an episode, which ends with it, away from the others."""
        self._end("throw away")
        self._mark(Kind.THROW_AWAY)
        bag, away = self.folder / self.current, self.thrown_away_folder / self.current

        def move() -> None:
            away.parent.mkdir(exist_ok=True)
            bag.rename(away)

        self._recorder.end()
        self._recorder.do(move)
        self.thrown_away.append(self.current)
        self.phase = Phase.IDLE
        return f"threw away {self.current}: it lies in {away.parent} until that is confirmed"

    def delete_thrown_away(self) -> str:
        """Deletes what was thrown away since this began; nobody gets it back."""
        if not self.thrown_away:
            raise RefusedError("nothing was thrown away")
        bags = [self.thrown_away_folder / name for name in self.thrown_away]

        def delete() -> None:
            for bag in bags:
                for file in (bag / f"{bag.name}_0.mcap", bag / "metadata.yaml"):
                    file.unlink(missing_ok=True)
                bag.rmdir()

        self._recorder.do(delete)
        self.thrown_away.clear()
        return f"deleted {', '.join(bag.name for bag in bags)}"

    def close(self) -> str:
        """Ends what is under way; an episode without a decision is kept, its success not told."""
        return "" if self.phase is Phase.IDLE else self.keep(Success.NOT_TOLD)

    def _end(self, what: str) -> None:
        if self.phase is Phase.IDLE:
            raise RefusedError(f"there is nothing to {what}: start first")
        if self.phase is Phase.RECORDING:
            self.stop()

    def _mark(self, kind: Kind, success: Success = Success.NOT_TOLD) -> None:
        self._recorder.mark(Mark(kind, self.current, self._current_task, success))

    def _free_name(self) -> str:
        """The next one that no bag has, nor had in this folder."""
        pattern = re.compile(rf"{re.escape(self.name)}_(\d+)")
        places = (self.folder, self.thrown_away_folder)
        taken = self._begun | {file.name for place in places for file in place.glob(f"{self.name}_*")}
        numbers = [int(match[1]) for name in taken if (match := pattern.fullmatch(name))]
        return f"{self.name}_{max(numbers, default=0) + 1:04d}"


_IN_WORDS = {Success.YES: "success", Success.NO: "failed", Success.NOT_TOLD: "success not told"}


def checked_name(name: str) -> str:
    """What names of episodes may begin with; raises RefusedError for anything else."""
    if not _NAME.fullmatch(name):
        raise RefusedError(f"name is {name!r}; expected letters, digits, _, - and ., as a folder is called so")
    return name
