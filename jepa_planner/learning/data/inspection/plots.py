"""Pictures of what an inspection found, one figure for each question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from jepa_planner.core.arm_layout import ACTION_CHANNELS, GRIPPER, MEASURED, X, Y, Z
from jepa_planner.core.message_types import PERIODIC
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.inspection.bag_inspection import BagInspection
from jepa_planner.learning.data.inspection.camera_delay import Delay
from jepa_planner.learning.data.inspection.inspection import Inspection
from jepa_planner.learning.data.inspection.recorded import recorded_frames, recorded_steps
from jepa_planner.learning.data.inspection.topic_flow import TopicFlow

SAMPLES, TIMELINES = 8, 24


def figures(episodes: Episodes, inspection: Inspection) -> Iterator[tuple[str, str, Figure]]:
    """Name, caption and figure of each."""
    yield "pictures", "Pictures of each view, from beginning to end.", _pictures(inspection)
    yield (
        "workspace",
        "Where the tcp was, from above and from the side; red where the gripper was closed.",
        _places(episodes),
    )
    yield "gripper", "Commanded closure over time, a row for each episode: dark is closed.", _closures(episodes)
    yield "actions", "Actions of each channel that moves.", _actions(episodes)
    if inspection.delays:
        yield _delays(inspection.delays)


def bag_figures(inspection: BagInspection) -> Iterator[tuple[str, str, Figure]]:
    """Name, caption and figure of each."""
    flows = [flow for flow in inspection.flows.values() if flow.msgtype in PERIODIC and flow.messages > 1]
    if flows:
        yield "steps", "From one message to the next; what stands far to the right are gaps.", _steps(flows)
    if inspection.delays:
        yield _delays(inspection.delays)


def _pictures(inspection: Inspection) -> Figure:
    seen = inspection.seen
    frames = seen.some_frames(SAMPLES)[:SAMPLES]
    rows = [np.concatenate(list(frames[:, view]), axis=1) for view in range(len(seen.views))]
    figure = Figure(figsize=(12, 1.6 * len(rows)), layout="constrained")
    for axes, row, name in zip(figure.subplots(len(rows), squeeze=False)[:, 0], rows, seen.views, strict=True):
        axes.imshow(row)
        axes.set_ylabel(name)
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def _places(episodes: Episodes) -> Figure:
    states = episodes.states[recorded_frames(episodes)]
    closed = states[:, MEASURED] > 0.5
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, (across, up) in zip(figure.subplots(1, 2), ((Y, X), (Y, Z)), strict=True):
        for chosen, colour in ((~closed, "#3b6ea5"), (closed, "#c8553d")):
            axes.scatter(states[chosen, across], states[chosen, up], s=3, alpha=0.4, color=colour, linewidths=0)
        axes.set_xlabel(f"{'xyz'[across]} (m)")
        axes.set_ylabel(f"{'xyz'[up]} (m)")
        axes.invert_xaxis()  # y is to the left for who stands behind the base
        axes.set_aspect("equal")
    return figure


def _closures(episodes: Episodes) -> Figure:
    rows = np.linspace(0, len(episodes) - 1, min(TIMELINES, len(episodes))).round().astype(int)
    closure = np.where(recorded_frames(episodes), episodes.states[..., GRIPPER], np.nan)[rows]
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    end_s = episodes.time_step_s * closure.shape[1]
    axes.imshow(closure, aspect="auto", cmap="Greys", vmin=0, vmax=1, extent=(0, end_s, len(rows), 0))
    axes.set_xlabel("time (s)")
    axes.set_ylabel("episode")
    axes.set_yticks(np.arange(len(rows)) + 0.5, [str(row) for row in rows], fontsize=6)
    return figure


def _actions(episodes: Episodes) -> Figure:
    actions = episodes.actions[recorded_steps(episodes)]
    channels = [channel for channel in range(len(ACTION_CHANNELS)) if actions[:, channel].any()] or [X]
    figure = Figure(figsize=(2.4 * len(channels), 2.4), layout="constrained")
    for axes, channel in zip(figure.subplots(1, len(channels), squeeze=False)[0], channels, strict=True):
        axes.hist(actions[:, channel], bins=41, color="#3b6ea5")
        axes.set_title(ACTION_CHANNELS[channel], fontsize=9)
        axes.set_yscale("symlog")
    return figure


def _steps(flows: Sequence[TopicFlow]) -> Figure:
    figure = Figure(figsize=(8, 1.6 * len(flows)), layout="constrained")
    for axes, flow in zip(figure.subplots(len(flows), squeeze=False)[:, 0], flows, strict=True):
        steps_ms = 1000.0 * np.concatenate(flow.steps_s)
        axes.hist(np.maximum(steps_ms, 0.1), bins=np.geomspace(0.1, max(10.0, steps_ms.max()) * 1.1, 100))
        axes.set_xscale("log")
        axes.set_yscale("symlog")
        axes.set_title(f"{flow.topic} (ms)", fontsize=9)
    return figure


def _delays(found: Mapping[str, Delay]) -> tuple[str, str, Figure]:
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    for name, delay in found.items():
        (line,) = axes.plot(1000 * delay.candidates_s, delay.curve, label=name)
        axes.axvspan(1000 * delay.low_s, 1000 * delay.high_s, alpha=0.15, color=line.get_color())
    axes.axvline(0.0, color="black", linewidth=0.5)
    axes.set_xlabel("pictures late by (ms)")
    axes.set_ylabel("r")
    axes.legend()
    return "delay", "How well what changes in pictures goes with the arm's motion, by delay.", figure
