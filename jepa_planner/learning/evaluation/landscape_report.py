"""A landscape with its report: as lines for a terminal, as plain data for JSON, and as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jepa_planner.core.arm_layout import AXES
from jepa_planner.learning.evaluation.camera_report import (
    WHAT_TO_CHECK,
    CameraReport,
    ModelFacts,
    Truth,
    place_in_words,
)
from jepa_planner.learning.evaluation.picture_pair import PicturePair
from jepa_planner.model.contract import Contract
from jepa_planner.model.preprocess import as_pictures
from jepa_planner.planning.landscape import Landscape
from jepa_planner.planning.planner_settings import PlannerSettings

MINIMUM: dict[str, Any] = {"marker": "x", "s": 110, "linewidths": 2.6, "color": "white"}
TRUTH: dict[str, Any] = {"marker": "o", "s": 150, "linewidths": 2.4, "facecolors": "none", "edgecolors": "#ff5a36"}


@dataclass(frozen=True)
class LandscapeResult:
    """All that is known about one pair of pictures and one grid."""

    contract: Contract
    settings: PlannerSettings
    pair: PicturePair
    landscape: Landscape
    truth: Truth | None
    report: CameraReport


def model_facts(contract: Contract, settings: PlannerSettings) -> ModelFacts:
    """What the report needs to know of a model."""
    return ModelFacts(contract.action.max_abs, settings.energy.scale, contract.action.time_step_s)


def in_words(result: LandscapeResult) -> str:
    """A few lines for a terminal."""
    landscape, truth, report = result.landscape, result.truth, result.report
    axes = landscape.axes
    names = " and ".join(axis.name for axis in axes)
    spacing = place_in_words(axes, np.array([axis.step for axis in axes])).replace("+", "")
    lines = [
        f"energy of one action over {names}, model {result.contract.name}; grid steps {spacing}",
        f"  minimum      energy {landscape.energies.min():.4g} at {place_in_words(axes, landscape.minimum)}",
    ]
    if truth is not None:
        at = place_in_words(axes, truth.action[[axis.channel for axis in axes]])
        lines.append(f"  true action  energy {truth.energy:.4g} at {at}")
    if report.offset is not None:
        off = place_in_words(axes, np.array(report.offset))
        lines.append(f"  minimum - truth  {off} ({report.offset_steps:.1f} grid steps)")
    lines += [
        f"  no action    energy {landscape.energy_still:.4g} imagined, {landscape.energy_now:.4g} as seen",
        f"  contrast     {report.contrast:.1%} of the mean energy",
    ]
    lines.append("sound: nothing speaks against planning here" if report.sound else "NOT SOUND:")
    lines += [f"  {'! ' if finding.problem else '- '}{finding.text}" for finding in report.findings]
    if not report.sound:
        lines += ["what to check, in this order:", *(f"  {n}. {text}" for n, text in enumerate(WHAT_TO_CHECK, 1))]
    return "\n".join(lines)


def as_plain_data(result: LandscapeResult) -> dict[str, object]:
    """Everything as JSON types; energies are nested lists, one level per axis."""
    landscape, truth, report = result.landscape, result.truth, result.report
    action = np.zeros(AXES)
    action[[axis.channel for axis in landscape.axes]] = landscape.minimum
    return {
        "model": result.contract.name,
        "axes": [{"name": a.name, "unit": a.unit, "values": list(a.values)} for a in landscape.axes],
        "energies": landscape.energies.tolist(),
        "energy_kind": result.settings.energy.kind,
        "energy_scale": result.settings.energy.scale,
        "energy_now": landscape.energy_now,
        "energy_still": landscape.energy_still,
        "state": result.pair.state.tolist(),
        "minimum": {"action": action.tolist(), "energy": float(landscape.energies.min())},
        "true_action": None if truth is None else {"action": truth.action.tolist(), "energy": truth.energy},
        "offset": report.offset,
        "offset_steps": report.offset_steps,
        "contrast": report.contrast,
        "sound": report.sound,
        "findings": [{"name": f.name, "problem": f.problem, "text": f.text} for f in report.findings],
    }


def draw(result: LandscapeResult, path: Path) -> None:
    """Writes a PNG: the landscape with minimum and true action, and beside it the pictures as the model sees them."""
    views = result.contract.image.views
    height = 1 + 2.4 * max(2, len(views))
    figure = Figure(figsize=(height + 1.8 + 4.6, height), dpi=110, layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(height + 1.8, 4.6))
    plot = left.subplots()
    (_draw_map if len(result.landscape.axes) == 2 else _draw_curve)(plot, result)
    plot.set_title(f"{result.contract.name}: energy of one action", fontsize=11)
    frames = right.subplots(len(views), 2, squeeze=False)
    shown = {"now": result.pair.image, "goal": result.pair.goal}
    for column, (title, pictures) in enumerate(shown.items()):
        for row, (name, picture) in enumerate(zip(views, _as_seen(pictures, result.contract), strict=True)):
            frames[row, column].imshow(picture)
            frames[row, column].set_title(f"{title} ({name})", fontsize=9)
            frames[row, column].set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _draw_map(plot: Axes, result: LandscapeResult) -> None:
    landscape = result.landscape
    across, up = landscape.axes
    mesh = plot.pcolormesh(across.values, up.values, landscape.energies.T, shading="nearest", cmap="viridis")
    plot.figure.colorbar(mesh, ax=plot, label=f"energy ({result.settings.energy.kind})")
    limits = [result.contract.action.max_abs[axis.channel] for axis in landscape.axes]
    if all(limits):
        corner, size = (-limits[0], -limits[1]), (2 * limits[0], 2 * limits[1])
        plot.add_patch(Rectangle(corner, *size, fill=False, ls=":", lw=1.5, ec="white", label="action limits"))
    plot.scatter(*landscape.minimum, **MINIMUM, label="minimum")
    if result.truth is not None:
        place = result.truth.action[[across.channel, up.channel]]
        plot.scatter(*place, **TRUTH, label="true action")
    plot.set_xlabel(f"d{across.name} ({across.unit})")
    plot.set_ylabel(f"d{up.name} ({up.unit})")
    legend = plot.legend(loc="upper right", fontsize=8, framealpha=0.9)
    legend.get_frame().set_facecolor("#8a8f98")


def _draw_curve(plot: Axes, result: LandscapeResult) -> None:
    landscape = result.landscape
    (axis,) = landscape.axes
    plot.plot(axis.values, landscape.energies, ".-", color="#1e6edc")
    plot.scatter(landscape.minimum, landscape.energies.min(), **{**MINIMUM, "color": "black"}, label="minimum")
    if result.truth is not None:
        plot.axvline(result.truth.action[axis.channel], color=TRUTH["edgecolors"], label="true action")
    plot.axhline(landscape.energy_still, color="grey", ls=":", label="no action")
    plot.set_xlabel(f"d{axis.name} ({axis.unit})")
    plot.set_ylabel(f"energy ({result.settings.energy.kind})")
    plot.legend(fontsize=8)


def _as_seen(pictures: np.ndarray, contract: Contract) -> np.ndarray:
    """What is left of pictures [V, H, W, 3] before they are normalised."""
    image = contract.image
    return as_pictures(image.pixels(torch.from_numpy(pictures.copy())), image.mean, image.std).numpy()
