"""How much of episodes shows an arm at rest, from which no action is learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepa_planner.core.arm_layout import GRIPPER, MEASURED, RPY, XYZ
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.inspection.judgement import Judgement, Level
from jepa_planner.learning.data.inspection.recorded import recorded_steps
from jepa_planner.learning.data.motion_checks import changes

MOVES_M, MOVES_RAD, MOVES_CLOSURE = 0.002, 0.01, 0.02
"""Less in a step is no motion."""
MUCH, NEARLY_ALL = 0.35, 0.9
LEAST_STEPS = 8
"""Shorter episodes are of no use for windows of training."""


@dataclass(frozen=True)
class DeadTime:
    """at_rest bool [E, T], and which of these steps were recorded at all."""

    at_rest: np.ndarray
    recorded: np.ndarray

    @classmethod
    def of(cls, episodes: Episodes) -> DeadTime:
        """From the states that follow one another."""
        done = changes(episodes.states)
        fingers = np.abs(np.diff(episodes.states[..., [GRIPPER, MEASURED]], axis=1)).max(axis=-1)
        moves = np.linalg.norm(done[..., XYZ], axis=-1) > MOVES_M
        turns = np.linalg.norm(done[..., RPY], axis=-1) > MOVES_RAD
        recorded = recorded_steps(episodes)
        return cls(~(moves | turns | (fingers > MOVES_CLOSURE)) & recorded, recorded)

    @property
    def share(self) -> float:
        """Of all recorded steps."""
        return float(self.at_rest.sum() / self.recorded.sum())

    @property
    def at_ends(self) -> float:
        """Of all recorded steps, those at rest before the first motion or after the last one."""
        total = 0
        for rests, recorded in zip(self.at_rest, self.recorded, strict=True):
            moving = np.flatnonzero(~rests & recorded)
            total += int(recorded.sum()) - (int(moving[-1] - moving[0]) + 1 if len(moving) else 0)
        return float(total / self.recorded.sum())


def judge_dead_time(dead: DeadTime, time_step_s: float) -> Judgement:
    """Whether most of what was recorded is motion."""
    hours = dead.recorded.sum() * time_step_s / 3600.0
    says = (
        f"{dead.share:.0%} of {60.0 * hours:.0f} minutes the arm rests, {dead.at_ends:.0%} before it sets off or after "
        "it has come to its end"
    )
    numbers = {"share": round(dead.share, 3), "at_ends": round(dead.at_ends, 3), "minutes": round(60.0 * hours, 1)}
    topic, lengths = "dead time", dead.recorded.sum(axis=1)
    if dead.share > NEARLY_ALL:
        return Judgement(
            topic, Level.WRONG, f"{says}: there is next to nothing to learn from",
            "look whether states are those of the arm that moved, and stamps those of one clock", numbers,
        )  # fmt: skip
    if dead.share > MUCH:
        return Judgement(
            topic, Level.WARNING, f"{says}: a model learns mostly that nothing happens",
            "trim the pauses: `data from-bag` does it", numbers,
        )  # fmt: skip
    if (short := int((lengths < LEAST_STEPS).sum())) > len(lengths) / 4:
        return Judgement(
            topic, Level.WARNING, f"{says}; {short} of {len(lengths)} episodes are shorter than {LEAST_STEPS} steps",
            "record longer ones: training takes windows out of them", numbers,
        )  # fmt: skip
    return Judgement(topic, Level.GOOD, says, "", numbers)
