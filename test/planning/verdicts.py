"""A head that says what it is told, arm states, and looks at them."""

import math

import torch

from jepa_planner.core.observation import Observation
from jepa_planner.model.verdict_head import Opinion
from jepa_planner.planning.verdict import Judge, Verdict, VerdictSettings

EDGES_M = (0.01, 0.02, 0.03, 0.05, 0.10, 0.20)


def arm(x_m: float, z_m: float = 0.2, closed: float = 0.0, measured: float | None = None) -> torch.Tensor:
    """An arm state [8] whose fingers are where they were told to be, unless `measured` says otherwise."""
    return torch.tensor([x_m, 0.0, z_m, 0.0, 0.0, 0.0, closed, closed if measured is None else measured])


HOLDING = {"closed": 1.0, "measured": 0.4}


class Says:
    """`VerdictHead` that is all but sure of a distance, or as sure as `certainty` says, and else of its being far off;
    infinite: of other things. Remembers the goals it was given.
    """

    def __init__(self, off_m: float, shown: torch.Tensor) -> None:
        self.off_m, self.shown, self.certainty = off_m, shown, math.nan
        self.goals: list[torch.Tensor] = []
        self.images: list[torch.Tensor | None] = []

    def __call__(self, now: Observation, goal: Observation) -> Opinion:
        self.goals.append(goal.latent[0])
        self.images.append(None if goal.images is None else goal.images[0])
        logits = torch.zeros(1, len(EDGES_M) + 2)
        logits[0, sum(edge <= self.off_m for edge in EDGES_M) if self.off_m < math.inf else -1] = 8.0
        if self.certainty < 1.0:
            logits[0] = torch.tensor([self.certainty, *[1e-9] * len(EDGES_M), 1.0 - self.certainty]).log()
        return Opinion(logits, self.shown[None])


class Work:
    """A piece of work that is looked at again and again."""

    def __init__(self, shown: torch.Tensor, **rule: float) -> None:
        self.head = Says(math.inf, shown)
        self.judge = Judge(self.head, EDGES_M, VerdictSettings(**rule))

    def observe(self, off_m: float, state: torch.Tensor) -> Verdict:
        self.head.off_m = off_m
        return self.judge.observe(Observation(torch.zeros(1, 3), state=state), Observation(torch.ones(1, 3)))
