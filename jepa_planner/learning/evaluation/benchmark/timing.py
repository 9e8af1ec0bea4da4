"""Repeated timing of a call."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

from jepa_planner.learning.evaluation.statistics import percentile

T = TypeVar("T")


@dataclass(frozen=True)
class Timing:
    """Seconds of each repetition."""

    seconds: tuple[float, ...]

    @property
    def best_s(self) -> float:
        """The repetition that was disturbed least: what ratios are taken of."""
        return min(self.seconds)

    @property
    def p50_s(self) -> float:
        return percentile(self.seconds, 50)

    @property
    def p95_s(self) -> float:
        return percentile(self.seconds, 95)


def timed(call: Callable[[], object], device: torch.device, repeats: int, warm_up: bool = True) -> Timing:
    """Runs a call `repeats` times; warm_up: and once before, which does not count."""
    if warm_up:
        clocked(call, device)
    return Timing(tuple(clocked(call, device)[0] for _ in range(repeats)))


def clocked(call: Callable[[], T], device: torch.device) -> tuple[float, T]:
    """Seconds that a call takes, and what it returns; on a GPU the work is waited for."""
    began_s = time.perf_counter()
    result = call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began_s, result
