"""How busy cores and the planner's threads are between two looks at /proc."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
NAMES = ("jepa_planner", "jepa-planner")
IDLE, IO_WAIT, UTIME = 3, 4, 11
"""Of a cpu line of /proc/stat, less its name; of /proc/PID/stat, behind the process's name."""


@dataclass(frozen=True)
class BusyThread:
    """A thread of a process, and its share of a core."""

    process: int
    thread: int
    share: float


@dataclass(frozen=True)
class CpuTimes:
    """Seconds since the start: idle ones of all usable cores, and of each thread of the planner's processes."""

    at_s: float = field(default_factory=time.monotonic)
    idle_s: float = field(default_factory=lambda: _idle_s(os.sched_getaffinity(0)))
    threads_s: dict[tuple[int, int], float] = field(default_factory=lambda: _threads_s())

    def free_cores(self, before: CpuTimes) -> float:
        """How many cores were idle since an earlier look."""
        return (self.idle_s - before.idle_s) / max(self.at_s - before.at_s, 1e-3)

    def busy_threads(self, before: CpuTimes) -> tuple[BusyThread, ...]:
        """The share of a core that each thread took since an earlier look, if it was there then."""
        passed_s = max(self.at_s - before.at_s, 1e-3)
        return tuple(
            BusyThread(*ids, (spent_s - before.threads_s[ids]) / passed_s)
            for ids, spent_s in self.threads_s.items()
            if ids in before.threads_s
        )


def _idle_s(cores: set[int]) -> float:
    lines = [line.split() for line in (PROC / "stat").read_text().splitlines()]
    idle = [
        sum(map(int, (line[1:][IDLE], line[1:][IO_WAIT]))) for line in lines if line[0] in {f"cpu{n}" for n in cores}
    ]
    return sum(idle) / TICKS_PER_S


def _threads_s() -> dict[tuple[int, int], float]:
    found = {}
    for process in PROC.glob("[0-9]*"):
        try:
            if int(process.name) == os.getpid() or not _is_planner((process / "cmdline").read_bytes()):
                continue
            for thread in (process / "task").iterdir():
                fields = (thread / "stat").read_text().rpartition(")")[2].split()
                spent_s = (int(fields[UTIME]) + int(fields[UTIME + 1])) / TICKS_PER_S
                found[int(process.name), int(thread.name)] = spent_s
        except (OSError, ValueError):  # ended meanwhile, or another's
            continue
    return found


def _is_planner(command: bytes) -> bool:
    """Whether a command line runs nodes of this package."""
    words = command.decode(errors="replace").split("\0")
    runs = any(name in word for word in words[:3] for name in NAMES)
    return runs and ("run" in words or any("_node" in word for word in words))
