"""What an arm's state can be, so that millimetres, degrees and percent are noticed before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

REACH_M = 3.0
"""No tcp is further from its base, along any axis."""
TURN_RAD = 2.1 * math.pi
"""Angles may be counted on past half a turn, but hardly past a whole one."""
CLOSURE_SLACK = 0.1
"""Fingers that are measured end a little beyond open and closed."""
MOST_CHANGE = {"m": 0.5, "rad": math.pi, "": 1.05}
"""What one step can ask for."""


def out_of_range(channel: str, value: float) -> str | None:
    """What is wrong with the value of a state channel, named with its unit as in `x_m`, or None."""
    name, unit = _name_and_unit(channel)
    if unit == "m" and abs(value) > REACH_M:
        guess = "millimetres" if abs(value) > 100.0 * REACH_M / 2 else "centimetres"
        return f"{name} {value:g} m, expected at most {REACH_M:g} m from the base: is it in {guess}?"
    if unit == "rad" and abs(value) > TURN_RAD:
        return f"{name} {value:g} rad, expected at most {2 * math.pi:.2f}: is it in degrees?"
    if not unit and not -CLOSURE_SLACK <= value <= 1.0 + CLOSURE_SLACK:
        return f"{name} {value:g}, expected 0 (open) to 1 (closed): is it in percent, or of 255?"
    return None


def states_out_of_range(channels: Sequence[str], states: np.ndarray) -> list[str]:
    """What is wrong with the channels of states [.., S], by the smallest or largest value of each."""
    flat = np.asarray(states, float).reshape(-1, len(channels))
    complaints = []
    for channel, low, high in zip(channels, flat.min(axis=0), flat.max(axis=0), strict=True):
        ends = sorted((float(low), float(high)), key=abs, reverse=True)
        complaints += [complaint for value in ends if (complaint := out_of_range(channel, value))][:1]
    return complaints


def most_change(channel: str) -> float:
    """The largest change that an action can ask for, of a channel that is named with its unit as in `dx_m`."""
    return MOST_CHANGE[_name_and_unit(channel)[1]]


def check_change(channels: Sequence[str], action: Sequence[float], name: str) -> None:
    """Raises ValueError where an action cannot be one step's in m, rad and closure; `name` stands in the message."""
    wrong = [
        f"{channel} {value:g}, expected at most {most_change(channel):.3g}"
        for channel, value in zip(channels, action, strict=True)
        if abs(value) > most_change(channel)
    ]
    if wrong:
        raise ValueError(f"{name}: {'; '.join(wrong)}: changes of one step in m, rad and closure are expected")


def _name_and_unit(channel: str) -> tuple[str, str]:
    name, _, unit = channel.rpartition("_")
    return (name, unit) if unit in ("m", "rad") else (channel, "")
