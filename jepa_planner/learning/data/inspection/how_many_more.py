"""How many more episodes are likely to help, by this package's own measurements of models that learned from fewer.

A curve of one robot on one table with fixed cameras, in simulation: a hint, and no promise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jepa_planner.learning.data.inspection.judgement import Judgement, Level

SOURCE = "studies/ablation/REPORT.md, How much data"


class Measured(NamedTuple):
    """A model of so many episodes, and what of its trials it solved with a picture of every stage."""

    episodes: int
    reach: float
    grasp: float
    object_cm: float


CURVE = (
    Measured(25, 15 / 20, 6 / 20, 2.3),
    Measured(100, 18 / 20, 10 / 20, 2.2),
    Measured(400, 19 / 20, 18 / 20, 1.5),
    Measured(1640, 100 / 100, 100 / 100, 0.53),
)
"""From SOURCE; the last row is the shipped model, which also trained fifteen times as long as the others."""
EPISODE_S, GRASPS_PER_EPISODE = 10.0, 0.53
"""Of those episodes (`jepa-planner collect`): their motion, and how often something is held (17 times in 32)."""
ENOUGH = 0.9


@dataclass(frozen=True)
class Outlook:
    """as_many: how many of the measured episodes are as much motion, or as many grasps where these are fewer.

    now and twice: interpolated between rows of CURVE, for as much and for twice as much.
    """

    as_many: float
    minutes: float
    grasps: int
    now: Measured
    twice: Measured

    @classmethod
    def of(cls, moving_s: float, grasps: int, gripper_fixed: bool = False) -> Outlook:
        """By seconds of motion and how often something was held."""
        by_motion, by_grasps = moving_s / EPISODE_S, grasps / GRASPS_PER_EPISODE
        as_many = by_motion if gripper_fixed else min(by_motion, by_grasps)
        return cls(as_many, moving_s / 60.0, grasps, interpolated(as_many), interpolated(2.0 * as_many))


def interpolated(episodes: float) -> Measured:
    """Between the rows of CURVE, straight in the logarithm of their number; before and after them the nearest row."""
    where = np.log(max(1.0, episodes))
    known = np.log([row.episodes for row in CURVE])
    values = [float(np.interp(where, known, [row[column] for row in CURVE])) for column in (1, 2, 3)]
    return Measured(round(episodes), *values)


def judge_amount(outlook: Outlook) -> Judgement:
    """Whether there is enough of it, and what twice as much would be worth."""
    now, twice, least = outlook.now, outlook.twice, CURVE[0]
    beyond = outlook.as_many > CURVE[-1].episodes
    says = (
        f"{outlook.minutes:.0f} minutes of motion with {outlook.grasps} grasps, as much as {outlook.as_many:.0f} "
        f"episodes of the simulator; {CURVE[-1].episodes} are behind the shipped model"
    )
    hint = (
        f"as many there made {now.reach:.0%} of reaches and {now.grasp:.0%} of grasps; twice as many are likely to "
        f"make {twice.reach:.0%} and {twice.grasp:.0%}"
    )
    limits = f"one seed, 20 trials, one table with fixed cameras, trained from nothing ({SOURCE}); yours may need more"
    numbers = {
        "minutes": round(outlook.minutes, 1), "grasps": outlook.grasps, "as_many_episodes": round(outlook.as_many),
        "reach": round(now.reach, 2), "grasp": round(now.grasp, 2), "reach_twice": round(twice.reach, 2),
        "grasp_twice": round(twice.grasp, 2),
    }  # fmt: skip
    topic = "how much"
    if beyond:
        return Judgement(topic, Level.GOOD, f"{says}. More is not measured", "", numbers)
    if outlook.as_many < least.episodes:
        return Judgement(
            topic, Level.WARNING, f"{says}. Less than the least measured, {least.episodes}, of which a model made "
            f"{least.reach:.0%} of reaches and {least.grasp:.0%} of grasps ({limits})",
            "record more, or begin with the weights of a bundle (--init)", numbers,
        )  # fmt: skip
    level = Level.GOOD if now.grasp >= ENOUGH else Level.WARNING
    advice = "" if level is Level.GOOD else "record more with things taken and put, or begin with a bundle (--init)"
    return Judgement(topic, level, f"{says}. {hint[0].upper()}{hint[1:]} ({limits})", advice, numbers)
