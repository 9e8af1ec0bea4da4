"""Says in words whether an energy landscape can be planned on, and what to check where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jepa_planner.core.arm_layout import AXIS_NAMES, AXIS_UNITS, GRIPPER
from jepa_planner.learning.evaluation.displacements import explain_displacement
from jepa_planner.planning.contrast import ROUNDING
from jepa_planner.planning.landscape import GridAxis, Landscape

FLAT_CONTRAST = 0.05
"""A landscape is flat when its energies spread over less than this share of their mean."""
SAME_PICTURE = 0.02
"""Two pictures hardly differ when their energy is less than this share of that of unrelated frames."""
NEGLIGIBLE = np.array([0.005] * 3 + [0.03] * 3 + [0.05])
"""Parts of a true action (m, rad, closure) that are not worth a word."""
NEAR_STEPS = 1.5
"""A minimum is never called far within so many grid steps of the truth: finer is below the grid's resolution."""
NEAR_SHARE = 0.5
"""Nor when taking it would leave less than this share of the true way."""

WHAT_TO_CHECK = (
    "the camera's place: arm and object in the picture, from a side on which the model was trained",
    "the crop: the pictures beside the landscape are what the model sees; the gripper must be in both",
    "the state: metres and radians, of the frame and the tcp that the contract names, roll-pitch-yaw extrinsic xyz",
    "the axes' signs: move the arm along +x, +y, +z of the base frame and compare the states",
    "the time step: the pictures should lie about one step of the model apart",
    "the gripper's sign: closure is 0 when open and 1 when closed",
)


@dataclass(frozen=True)
class Truth:
    """The true action [7] between the pictures, and its energy as the model imagines it."""

    action: np.ndarray
    energy: float


@dataclass(frozen=True)
class ModelFacts:
    """What the contract says: largest action per channel [7], energy of unrelated frames, time step."""

    max_abs: tuple[float, ...]
    energy_scale: float
    time_step_s: float


@dataclass(frozen=True)
class Finding:
    """One thing worth saying; a problem makes the landscape unsound, the rest is for information."""

    name: str
    problem: bool
    text: str


@dataclass(frozen=True)
class CameraReport:
    """contrast: (largest - least energy) / mean. The offsets are those of the minimum from the truth, per axis of the
    grid in its unit, and their length in grid steps; None without a truth inside the grid.
    """

    contrast: float
    offset: tuple[float, ...] | None
    offset_steps: float | None
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing speaks against planning on this landscape."""
        return not any(finding.problem for finding in self.findings)


def assess(landscape: Landscape, truth: Truth | None, facts: ModelFacts) -> CameraReport:
    """Judges a landscape, by the true action where it is known."""
    energies = landscape.energies
    contrast = float((energies.max() - energies.min()) / max(energies.mean(), 1e-12))
    steps = np.array([axis.step for axis in landscape.axes])
    findings = [*_about_pictures(landscape, facts), *_about_flatness(landscape, contrast, facts)]
    offset = None
    true_steps = None
    if truth is not None:
        true_place = truth.action[[axis.channel for axis in landscape.axes]]
        findings += _about_truth(landscape, truth, facts)
        if not _beyond_grid(landscape.axes, true_place):
            offset, true_steps = landscape.minimum - true_place, true_place / steps
    if contrast >= FLAT_CONTRAST:  # where a flat one has its minimum means nothing
        if truth is not None and offset is not None and true_steps is not None:
            findings += _about_offset(landscape, truth, true_steps, offset, facts)
        findings += _about_border(landscape, true_steps, any(finding.name == "far" for finding in findings))
    return CameraReport(
        contrast=contrast,
        offset=None if offset is None else tuple(offset.tolist()),
        offset_steps=None if offset is None else float(np.linalg.norm(offset / steps)),
        findings=tuple(findings),
    )


def place_in_words(axes: tuple[GridAxis, ...], values: np.ndarray) -> str:
    """For example "x +0.045 m, y -0.012 m"."""
    return ", ".join(f"{a.name} {round(v, 3) + 0.0:+.3f} {a.unit}" for a, v in zip(axes, values, strict=True))


def _about_pictures(landscape: Landscape, facts: ModelFacts) -> Iterator[Finding]:
    now, least = landscape.energy_now, float(landscape.energies.min())
    share = now / facts.energy_scale if facts.energy_scale > 0 else np.inf
    if share < SAME_PICTURE:
        yield Finding(
            "same picture", False,
            f"the two pictures hardly differ: their energy {now:.4g} is {share:.1%} of that of unrelated pictures; "
            "take a goal that is one clear motion away",
        )  # fmt: skip
    elif least > now:
        yield Finding(
            "no gain", False,
            f"no action of the grid is imagined to end nearer to the goal ({least:.4g}) than it looks now ({now:.4g})",
        )  # fmt: skip


def _about_flatness(landscape: Landscape, contrast: float, facts: ModelFacts) -> Iterator[Finding]:
    if contrast < FLAT_CONTRAST:
        against = ""
        if facts.energy_scale > 0:
            spread = float(landscape.energies.max() - landscape.energies.min())
            against = f" and by {spread / facts.energy_scale:.2%} of the energy of unrelated pictures"
        said = "to this model the action makes next to no difference here"
        if contrast <= ROUNDING:
            said = "the model sees no difference between actions, and a goal would end at its first observation"
        yield Finding(
            "flat", True,
            f"the landscape is flat: over the whole grid the energy changes by {contrast:.2%} of its mean (at least "
            f"{FLAT_CONTRAST:.0%} is expected){against}: {said}",
        )  # fmt: skip


def _about_truth(landscape: Landscape, truth: Truth, facts: ModelFacts) -> Iterator[Finding]:
    limits = np.array(facts.max_abs)
    if len(over := np.flatnonzero(np.abs(truth.action) > limits + NEGLIGIBLE)):
        parts = ", ".join(f"{_amount(i, truth.action[i])} (limit {limits[i]:g})" for i in over)
        held = limits[over] == 0.0
        count = np.ceil(np.max(np.abs(truth.action[over][~held]) / limits[over][~held])) if not held.all() else 0
        needs = f": {count:.0f} steps of the planner" if count else ""
        yield Finding("beyond limits", False, f"the true action is outside of the action limits, {parts}{needs}")
    channels = [axis.channel for axis in landscape.axes]
    noticeable = np.flatnonzero(np.abs(truth.action) > np.maximum(NEGLIGIBLE, limits / 4))
    if others := [i for i in noticeable if i not in channels]:
        parts = ", ".join(_amount(i, truth.action[i]) for i in others)
        names = " ".join(AXIS_NAMES[i] for i in sorted([others[0], channels[0]]))
        yield Finding(
            "other axes", False,
            f"the true action also moves {parts}, which this grid holds at 0; look at `--axes {names}` too",
        )  # fmt: skip
    if outside := _beyond_grid(landscape.axes, truth.action[channels]):
        yield Finding(
            "beyond grid", False,
            f"the true action lies outside of the grid in {', '.join(outside)}, so the minimum cannot be compared with "
            "it; give a larger --range",
        )  # fmt: skip


def _about_offset(
    landscape: Landscape, truth: Truth, true_steps: np.ndarray, offset: np.ndarray, facts: ModelFacts
) -> Iterator[Finding]:
    steps = np.array([axis.step for axis in landscape.axes])
    away = float(np.linalg.norm(offset / steps))
    if away <= max(NEAR_STEPS, NEAR_SHARE * float(np.linalg.norm(true_steps))):
        return
    least = float(landscape.energies.min())
    times = f", {truth.energy / least:.2g} times that of the minimum" if least > 0 else ""
    text = (
        f"the minimum is far from the truth: {place_in_words(landscape.axes, offset)} off, {away:.1f} grid steps; the "
        f"true action has energy {truth.energy:.4g}{times}"
    )
    yield Finding("far", True, text)
    for explanation in explain_displacement(landscape.axes, true_steps, true_steps + offset / steps, facts.time_step_s):
        yield Finding("looks like", False, explanation)


def _about_border(landscape: Landscape, true_steps: np.ndarray | None, far: bool) -> Iterator[Finding]:
    at_border = []
    for number, (axis, index) in enumerate(zip(landscape.axes, landscape.minimum_index, strict=True)):
        side = {0: "-", len(axis.values) - 1: "+"}.get(index)
        if side is None or axis.channel == GRIPPER:  # the gripper's ends are real ones
            continue
        if true_steps is None or abs(true_steps[number] - axis.values[index] / axis.step) > NEAR_STEPS:
            at_border.append(f"{side}{axis.name}")
    if not at_border:
        return
    why = "so the goal may be farther than the grid reaches: give a larger --range, or a goal that is one step away"
    if true_steps is not None:
        why = "although the true action lies inside"
    yield Finding("border", far, f"the minimum lies at the border of the grid ({', '.join(at_border)}), {why}")


def _beyond_grid(axes: tuple[GridAxis, ...], place: np.ndarray) -> list[str]:
    slack = 0.5
    return [
        axis.name
        for axis, value in zip(axes, place, strict=True)
        if not axis.values[0] - slack * axis.step <= value <= axis.values[-1] + slack * axis.step
    ]


def _amount(channel: int, value: float) -> str:
    return f"{AXIS_NAMES[channel]} {value:+.3f} {AXIS_UNITS[channel]}"
