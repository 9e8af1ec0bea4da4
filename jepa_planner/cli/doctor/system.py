"""The checks of a running system, in turn: it is listened to once, and all else is judged from what was heard."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jepa_planner.cli.doctor import (
    arm,
    graph,
    machine,
    middleware,
    model,
    pictures,
    plan,
    planner_nodes,
    steps,
    streams,
)
from jepa_planner.cli.doctor.cpu_time import CpuTimes
from jepa_planner.cli.doctor.findings import Finding, green, red
from jepa_planner.cli.doctor.heard import Heard
from jepa_planner.cli.doctor.listening import Listener
from jepa_planner.cli.doctor.names import as_run, uses
from jepa_planner.core.picture_file import read_picture
from jepa_planner.model.contract import Contract
from jepa_planner.nodes.description import DescribedArm
from jepa_planner.nodes.parameter_files import read, spread
from jepa_planner.nodes.start import PLANNER_NODES, Start
from jepa_planner.planning.offline_plan import NoPlanError

POLITE = 5
"""Added to this process's niceness once nothing is measured any more: what runs goes first."""
Tell = Callable[[str, Iterable[Finding]], None]


def look(start: Start, seconds: float, goal: list[Path] | None, given: argparse.Namespace, tell: Tell) -> None:
    """Listens, and tells what there is to say, group by group."""
    shown = None if goal is None else [read_picture(path) for path in goal]
    heard, contract, of_bundle, cpu = _listen(start, seconds)
    os.nice(POLITE)
    encoder = heard.settings["encoder_node"]
    tell("computing", [*steps.computing(encoder), *cpu])
    tell(
        "nodes",
        [*planner_nodes.nodes(heard), *planner_nodes.parameters(heard, _asked(given)), *planner_nodes.says(heard)],
    )
    of_names = [] if heard.nothing_runs else graph.names(heard)
    apt = middleware.apt("controller_manager_msgs", os.environ.get("ROS_DISTRO", ""))
    tell("names", [*of_names, *graph.clock(heard), *graph.controllers(heard, apt), *_packages(heard)])
    largest = max((arrival.size for stream in heard.streams.values() for arrival in stream.arrivals), default=0)
    tell("streams", [*streams.streams(heard), *_buffers(largest)])
    of_pictures, seen = pictures.pictures(heard)
    pixels = None if seen is None else seen.pixels
    of_goal, framed = ([], None) if shown is None else pictures.goal(seen, shown)
    tell("pictures", [*of_pictures, *pictures.pairs(heard), *of_goal])
    of_arm, robot, positions = _arm(heard)
    tell("arm", of_arm)
    if contract is None:
        tell("model", of_bundle)
        return
    tcp_frame = None if robot is None else robot.limits.tcp_frame
    base_frame = heard.settings["arm_node"]["base_frame"] if robot is None else robot.base_frame
    of_bundle += [
        *model.same_everywhere(heard.settings),
        *model.frames(contract, heard.settings, base_frame, tcp_frame),
    ]
    if pixels is not None:
        of_bundle.append(model.pictures(contract, pixels))
        if of_bundle[-1].level.name == "RED":
            pixels = None
    state = None
    if robot is not None and positions is not None:
        state = arm.state(robot, positions, contract.state.channels)
    of_model, of_plan = _plan(heard, contract, pixels, framed, state)
    tell("model", [*of_bundle, *of_model])
    tell("plan", of_plan)


def _listen(start: Start, seconds: float) -> tuple[Heard, Contract | None, list[Finding], list[Finding]]:
    """What was heard; the model's contract, with what there is to say on it; and how busy the machine was."""
    settings: dict[str, dict[str, Any]] = dict(start.settings)
    of_bundle, contract = model.contract(settings["encoder_node"])
    with Listener(start.namespace) as listener:
        listener.settle()
        running = listener.running()
        for node in running:
            name = node.name.rpartition("/")[2]
            settings[name] = {**settings[name], **(node.parameters or {})}
        if any(settings["encoder_node"][name] != start.settings["encoder_node"][name] for name in ("model", "views")):
            of_bundle, contract = model.contract(settings["encoder_node"])
        if any(values.get("use_sim_time") for values in settings.values()):
            listener.take_time_from_clock()
        views = ("front",) if contract is None else contract.image.views
        limits = arm.limits(settings["arm_node"])
        described = limits is None or limits.robot_description is not None
        has_gripper = limits is None or limits.gripper is None or bool(limits.gripper.joints)
        try:
            names = uses(settings, views, start.namespace, start.remaps, described, has_gripper)
        except ValueError as error:
            of_bundle.append(red("views", str(error), "name as many topics as the model has views, in its order"))
            names = uses(settings | {"encoder_node": settings["encoder_node"] | {"image_topics": [""]}}, views)
        names = as_run(names, listener.ends(running))
        listener.listen(names)
        before = CpuTimes()
        time.sleep(seconds)
        after = CpuTimes()
        heard = listener.heard(names, views, settings, running, seconds)
    free = machine.cores(after.free_cores(before), machine.usable_cores())
    return heard, contract, of_bundle, [free, *machine.busy_planner(after.busy_threads(before), heard.executing)]


def _asked(given: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """What was typed and stands in files, by node, without what ships."""
    asked: dict[str, dict[str, Any]] = {node: {} for node in PLANNER_NODES}
    layers = [read(file, given.namespace.strip("/")) for file in given.params_file]
    if given.model:
        layers.append(spread({"model": given.model}, PLANNER_NODES))
    for layer in layers:
        for node in asked:
            asked[node] |= layer.get(node, {})
    return asked


def _packages(heard: Heard) -> list[Finding]:
    needed = {use.type.partition("/")[0]: f"{use.type}, as arm_node sends," for use in heard.uses if use.is_action}
    return middleware.message_packages(middleware.installed(), needed, os.environ.get("ROS_DISTRO", ""))


def _buffers(largest: int) -> list[Finding]:
    file = Path("/proc/sys/net/core/rmem_max")
    return [middleware.socket_buffers(int(file.read_text()), largest)] if file.is_file() else []


def _arm(heard: Heard) -> tuple[list[Finding], DescribedArm | None, Mapping[str, float] | None]:
    findings, robot = arm.load(heard.settings["arm_node"], heard.description)
    if robot is None:
        return findings, None, None
    more, positions = arm.joint_states(robot, heard.stream("joint_states").messages)
    findings += more
    if positions is not None:
        findings += [arm.gripper(robot, positions), *arm.posture(robot, positions)]
    return findings, robot, positions


def _plan(
    heard: Heard, contract: Contract, pixels: np.ndarray | None, shown: np.ndarray | None, state: np.ndarray | None
) -> tuple[list[Finding], list[Finding]]:
    """What the model says of the pictures, and how a plan goes; made-up pictures where there are no others."""
    mpc = heard.settings["mpc_node"]
    try:
        planner = model.load(heard.settings)
        now = planner.model.observe((plan.made_up(contract, 0) if pixels is None else pixels)[None])[0]
        if state is not None:
            now = now.with_state(state)
        monitors = mpc["monitor_out_of_distribution"]
        of_model = [] if pixels is None else model.familiarity(planner, now, monitors)
        if heard.executing:
            return of_model, [green("dry run", "left out, as the planner works for a goal now")]
        if now.state is None:
            now = now.with_state(torch.zeros(len(contract.state.channels)))
        if shown is not None:
            what, goal = "to the goal", shown
        elif pixels is not None:
            what, goal = "to the pictures' mirror image", np.ascontiguousarray(pixels[:, :, ::-1])
        else:
            what, goal = "between made-up pictures", plan.made_up(contract, 1)
        observed = planner.model.observe(goal[None])[0]
        is_real = shown is not None and pixels is not None and state is not None
        made = plan.dry_run(planner, now, observed, mpc, is_real)
    except NoPlanError as error:
        how = "docs/troubleshooting.md explains this outcome"
        return of_model, [red("dry run", f"no plan, a goal would end: {error}", how)]
    except (ValueError, OSError, RuntimeError) as error:
        return [red("bundle", str(error), "mend what it names, or give another bundle: --model DIR")], []
    return of_model, [plan.verdict(made, heard.settings["arm_node"]["observation_timeout_s"], what)]
