"""Where the seconds of a step go: from one plan to the next, part by part. No ROS."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

Part = Literal["answer", "motion", "picture", "encoding", "decision"]
PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True)
class StepSeconds:
    """From the plan before to this one, and the parts that add up to it, in their order; NaN for a first plan.

    answer: until the arm had answered that plan; motion: until it was heard to rest; picture: until the picture was
    taken that this plan is made from; encoding: until its latent was here; decision: from there to this plan.
    """

    step: float = math.nan
    answer: float = math.nan
    motion: float = math.nan
    picture: float = math.nan
    encoding: float = math.nan
    decision: float = math.nan


class StepClock:
    """Notes when the parts of a step end, on a clock that nobody sets."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._moments_s: list[float] = []

    def end(self, part: Part, ago_s: float = 0.0) -> None:
        """A part ended, so long ago; nothing happens where that is known, or before there is a plan to count from."""
        if len(self._moments_s) == PARTS.index(part) + 1:
            self._moments_s.append(max(self._moments_s[-1], self._now_s() - ago_s))

    def plan(self) -> StepSeconds:
        """A plan leaves, which ends the decision and begins the next step."""
        self.end("decision")
        moments_s, self._moments_s = self._moments_s, [self._now_s()]
        if len(moments_s) <= len(PARTS):
            return StepSeconds()
        return StepSeconds(moments_s[-1] - moments_s[0], *(late - early for early, late in pairwise(moments_s)))
