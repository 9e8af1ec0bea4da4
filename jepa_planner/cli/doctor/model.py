"""Checks of the model bundle: whether it loads, fits the nodes and cameras, and knows what these see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jepa_planner.cli.doctor.findings import Finding, green, red, yellow

if TYPE_CHECKING:
    from jepa_planner.core.observation import Observation
    from jepa_planner.model.contract import Contract
    from jepa_planner.planning.planner import Planner

NEAR = 0.8
"""Of a limit: there it is told."""
CUT = 0.02
"""Of a picture: so much may be cut off without a word."""


def contract(parameters: Mapping[str, Any]) -> tuple[list[Finding], Contract | None]:
    """The contract of the bundle that encoder_node has, or why there is none."""
    from jepa_planner.nodes.models import contract_of

    try:
        found = contract_of(parameters["model"], parameters["views"])
    except (ValueError, OSError) as error:
        return [red("bundle", str(error), "a model bundle is a folder with model.yaml and weights: --model DIR")], None
    findings = [yellow("bundle", note, "docs/training.md says what to try") for note in found.shortcomings]
    return [*findings, green("bundle", f"{found.name}, views {', '.join(found.image.views)}")], found


def same_everywhere(settings: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Whether all nodes have one bundle and the same views."""
    nodes = ("encoder_node", "predictor_node", "mpc_node")
    findings = []
    for name in ("model", "views"):
        values = {node: settings[node][name] for node in nodes}
        if len({str(value) for value in values.values()}) > 1:
            text = ", ".join(f"{value!r} for {node}" for node, value in values.items())
            findings.append(red("bundle", f"{name} is {text}", "give all nodes one bundle and the same views"))
    return findings


def frames(
    contract: Contract, settings: Mapping[str, Mapping[str, Any]], base_frame: str, tcp_frame: str | None
) -> list[Finding]:
    """Whether poses are of the model's frames; base_frame: arm_node's; tcp_frame: of the limits file, None where that
    cannot be read.
    """
    mpc = settings["mpc_node"]
    how = "take the model's frames, or a model of yours"
    try:
        contract.check_frame(mpc["base_frame"], mpc["tcp_frame"])
        contract.check_frame(base_frame, tcp_frame)
    except ValueError as error:
        return [red("frames", str(error), how)]
    return [green("frames", f"{contract.state.tcp_frame} in {contract.state.frame}")]


def pictures(contract: Contract, pixels: np.ndarray) -> Finding:
    """Whether pictures, uint8 RGB [views, H, W, 3], are large enough, and how much of them the model sees."""
    try:
        contract.check_images((1, *pixels.shape))
    except ValueError as error:
        return red("size", str(error), "set a larger camera resolution, or take a model of these views")
    height, width = pixels.shape[1:3]
    image = contract.image
    aspect = image.width / image.height if image.crop_aspect is None else image.crop_aspect
    seen = min(1.0, aspect * height / width) * min(1.0, width / aspect / height)
    text = f"the model sees the middle {seen:.0%} of {width} x {height} pixels"
    if seen >= 1.0 - CUT:
        return green("size", text)
    side = "left and right" if width > aspect * height else "above and below"
    how = "see that the whole workspace lies in the middle, as in the model's training pictures"
    return yellow("size", f"{text}; the rest is cut off {side}", how)


def load(settings: Mapping[str, Mapping[str, Any]]) -> Planner:
    """The planner as its nodes would make it. Raises ValueError, OSError or RuntimeError, as they would."""
    from jepa_planner.model.bundle import model_folder
    from jepa_planner.nodes.goal_preparation import search_settings
    from jepa_planner.planning.planner import Planner

    encoder, mpc = settings["encoder_node"], settings["mpc_node"]
    views = [view for view in encoder["views"] if view]
    options = {name: encoder[name] for name in ("device", "dtype", "backend")}
    planner = Planner.load(model_folder(encoder["model"]), **options, threads=encoder["threads"] or None, views=views)
    planner.solver = search_settings(planner.settings, mpc).solver()
    planner.deadline_s, planner.imagine_sub_goals = mpc["deadline_s"], mpc["imagine_sub_goals"]
    return planner


def familiarity(planner: Planner, seen: Observation, monitors: bool) -> list[Finding]:
    """How much what is seen is like the model's training, by the bundle's own measure.

    seen: with the arm's state where that is known. monitors: whether a goal ends at what is beyond the limits.
    """
    statistics, limits = planner.latent_statistics, planner.model.contract.out_of_distribution
    if statistics is None or limits is None:
        how = "jepa-planner model out-of-distribution measures it from episodes"
        return [yellow("familiar", "the bundle has no measure of what it does not know", how)]
    latent = seen.latent.cpu()
    how = "look for another camera, place, light or scene than the model was trained with; or train on these"
    findings = [
        _against("familiar", float(statistics.distance(latent)), limits.latent_distance, "distance", how, monitors)
    ]
    if seen.state is not None:
        error_m = float(statistics.arm_error_m(latent, seen.state))
        what = "m between the tcp that the pictures show and that of the joints:"
        how = "views swapped, a moved or frozen camera, or joint states of another arm or moment"
        findings.append(_against("arm in pictures", error_m, limits.arm_error_m, what, how, monitors))
    return findings


def _against(about: str, value: float, limit: float, what: str, how: str, ends_goals: bool) -> Finding:
    text = f"{what} {value:.3g}, limit {limit:.3g}"
    if value > limit:
        return (red if ends_goals else yellow)(about, text, how)
    return yellow(about, text, how) if value > NEAR * limit else green(about, text)
