"""A minimum at the wrong place often sits where a known mistake would put it: mirrored, turned, or out of scale."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jepa_planner.core.arm_layout import GRIPPER
from jepa_planner.planning.landscape import GridAxis

HIT_STEPS = 1.5
HIT_SHARE = 0.5
SAME_DIRECTION_COS = 0.95
TOO_LONG, TOO_SHORT = 1.6, 0.6
NOTICEABLE_STEPS = 1.5


def explain_displacement(
    axes: tuple[GridAxis, ...], true_steps: np.ndarray, found_steps: np.ndarray, time_step_s: float
) -> Iterator[str]:
    """Explanations, each a sentence, of a minimum at found_steps instead of true_steps (both in grid steps).

    Of mirrored and turned places only the nearest counts, the simplest where two are equally near.
    """
    length, found_length = np.linalg.norm(true_steps), np.linalg.norm(found_steps)
    reach = max(HIT_STEPS, HIT_SHARE * float(length))
    if length < NOTICEABLE_STEPS:
        return
    if found_length < NOTICEABLE_STEPS:
        yield (
            "the minimum lies at no action: the model does not see the motion that the pictures show; is what moved "
            "large enough in the cropped picture, and does the camera stand still between the two?"
        )
        return
    told_apart = [(p, text) for p, text in _mistakes(axes, true_steps) if np.linalg.norm(true_steps - p) > reach]
    distances = [float(np.linalg.norm(found_steps - place)) for place, _ in told_apart]
    if distances and min(distances) <= reach:
        yield told_apart[distances.index(min(distances))][1]
    cosine, ratio = float(true_steps @ found_steps / (length * found_length)), found_length / length
    if cosine > SAME_DIRECTION_COS and not TOO_SHORT < ratio < TOO_LONG:
        yield (
            f"the minimum lies in the true direction but {ratio:.2g} times as far: check that the states are in metres "
            f"and radians, and that the pictures lie about {time_step_s:g} s apart, the model's time step"
        )


def _mistakes(axes: tuple[GridAxis, ...], true: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
    """Where the minimum would be after each known mistake, and what to say then."""
    where = "the minimum lies where the truth would be"
    for number, axis in enumerate(axes):
        if abs(true[number]) < NOTICEABLE_STEPS:
            continue
        mirrored = true.copy()
        mirrored[number] *= -1.0
        yield mirrored, f"{where} with the sign of {axis.name} turned: {_sign_hint(axis)}"
    if len(axes) == 2 and all(axis.unit == "m" for axis in axes):
        a, b = axes[0].name, axes[1].name
        if min(abs(true)) >= NOTICEABLE_STEPS:
            yield -true, f"{where} turned by 180 degrees: the camera may stand on the opposite side, or upside down"
        turned = f"{where} turned by a quarter in {a} and {b}: the base frame or the camera may be turned by 90 degrees"
        for quarter in (np.array([-true[1], true[0]]), np.array([true[1], -true[0]])):
            yield quarter, turned
        yield true[::-1], f"{where} with {a} and {b} exchanged: check the order of the state's channels"


def _sign_hint(axis: GridAxis) -> str:
    if axis.channel == GRIPPER:
        return "closure must be 0 when open and 1 when closed"
    if axis.unit == "rad":
        return f"{axis.name} must be in rad, extrinsic xyz, and turn the right way round"
    return (
        f"the pictures may be mirrored, the camera may look from the other side, or {axis.name} of the state may point "
        "the other way"
    )
