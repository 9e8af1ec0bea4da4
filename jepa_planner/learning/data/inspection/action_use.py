"""How much of each channel's bounds the actions use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from jepa_planner.core.arm_layout import ACTION_CHANNELS, AXIS_UNITS, GRIPPER
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.inspection.judgement import Judgement, Level
from jepa_planner.learning.data.inspection.recorded import recorded_steps

STILL = 1e-4
AT_BOUND, OFTEN_AT_BOUND = 0.98, 0.4
SPIKES = 4.0
"""A bound so many times as large as what 95 of 100 motions stay below is that of slips."""
BEYOND = 1.05
HARDLY_USED = 0.25


def judge_actions(episodes: Episodes, bounds: Sequence[float], of_model: str = "") -> Iterator[Judgement]:
    """One judgement for each channel that moves or should.

    bounds: the largest action of each channel [A] that will be planned with; of_model: whose they are, empty where they
    are those of the data.
    """
    actions = episodes.actions[recorded_steps(episodes)]
    for channel, (name, bound) in enumerate(zip(ACTION_CHANNELS, bounds, strict=True)):
        sizes = np.abs(actions[:, channel])
        moving = sizes[sizes > STILL]
        if not len(moving) and not bound:
            continue
        yield _judged(name, AXIS_UNITS[channel], channel, moving, len(sizes), bound, episodes.time_step_s, of_model)


def _judged(
    name: str, unit: str, channel: int, moving: np.ndarray, count: int, bound: float, time_step_s: float, of_model: str
) -> Judgement:
    topic = f"actions {name}"
    if not len(moving):
        return Judgement(
            topic, Level.WARNING, f"0 throughout, but {of_model} plans with up to {bound:g} {unit}",
            f"record motions of {name}, or train a model without it", {"bound": bound, "largest": 0.0},
        )  # fmt: skip
    middle, most, largest = np.quantile(moving, [0.5, 0.95, 1.0])
    at_bound = float((moving > AT_BOUND * bound).mean()) if bound else 0.0
    rate = f" ({bound / time_step_s:.2g} {unit}/s)" if channel < GRIPPER else ""
    says = (
        f"moves in {len(moving) / count:.0%} of the steps, by {middle:.2g} {unit} in the middle, less than {most:.2g} "
        f"in 95 of 100, {largest:.2g} at most; bound {bound:.3g}{rate}"
    )
    numbers = {
        "moves": round(len(moving) / count, 3), "middle": float(f"{middle:.3g}"), "most": float(f"{most:.3g}"),
        "largest": float(f"{largest:.3g}"), "bound": float(bound), "at_bound": round(at_bound, 3),
    }  # fmt: skip
    if of_model and largest > BEYOND * bound:
        return Judgement(
            topic, Level.WARNING, f"{says}, that of {of_model}: larger ones are never planned",
            "fine-tuning keeps to the larger of the two; train anew if the arm is to be so fast", numbers,
        )  # fmt: skip
    if of_model and largest < HARDLY_USED * bound:
        return Judgement(
            topic, Level.WARNING, f"{says}, that of {of_model}, of which less than a quarter is used",
            "record faster motions, or lower the bound in planner.yaml", numbers,
        )  # fmt: skip
    if channel < GRIPPER and not of_model and bound > SPIKES * most:
        return Judgement(
            topic, Level.WARNING, f"{says}: the bound is that of a few slips, and the planner will try it",
            "cut the jumps out", numbers,
        )  # fmt: skip
    if channel < GRIPPER and at_bound > OFTEN_AT_BOUND:
        return Judgement(
            topic, Level.WARNING, f"{says}; {at_bound:.0%} of the motions are at the bound, as if cut off there",
            "record at mixed speeds: a model that knows but one size of step cannot place things", numbers,
        )  # fmt: skip
    return Judgement(topic, Level.GOOD, says, "", numbers)
