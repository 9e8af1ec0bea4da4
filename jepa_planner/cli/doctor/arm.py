"""Checks of the arm: the limits file, joint names and units, the gripper's ends, and where the arm stands."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jepa_planner.cli.doctor.findings import Finding, green, red, yellow
from jepa_planner.control.description_text import DescriptionText
from jepa_planner.control.kinematics import rpy_from_rotation
from jepa_planner.control.limits import SafetyLimits
from jepa_planner.nodes.arm_node import STROKES_BEYOND
from jepa_planner.nodes.description import DescribedArm, arm_of, limits_of

IN_DEGREES = 7.0
"""No joint turns that far in radians."""
BESIDE = 0.05
"""Of the stroke: how far beyond its ends a gripper is when all is well."""


def limits(parameters: Mapping[str, Any]) -> SafetyLimits | None:
    """Those of arm_node's parameters; None where they cannot be read, of which `load` says why."""
    try:
        return limits_of(parameters)
    except (ValueError, OSError):
        return None


def load(parameters: Mapping[str, Any], description: str | None = None) -> tuple[list[Finding], DescribedArm | None]:
    """The arm of arm_node's parameters, or what is wrong with it; description: what came on robot_description."""
    try:
        found = limits_of(parameters)
        text = None
        if found.robot_description is None:
            if description is None:
                how = "start robot_state_publisher, or name a file as robot_description in the limits file"
                return [red("limits file", "it leaves the arm to robot_description, and nothing came there", how)], None
            text = DescriptionText(description, "robot_description")
        arm = arm_of(found, text, parameters)
    except (ValueError, OSError) as error:
        return [red("limits file", str(error), "docs/your_robot.md says what must stand there")], None
    file = Path(parameters["limits_file"]).name or "the shipped Panda's, as no limits_file is given"
    findings = [green("limits file", f"{file}: {len(arm.joints)} joints to {arm.limits.tcp_frame}")]
    if arm.loose:
        behind = f"{', '.join(arm.loose)} turn behind the arm and are commanded by nobody here"
        findings.append(yellow("limits file", behind, "name those of the gripper in gripper_joints or gripper_mimic"))
    return findings, arm


def names(arm: DescribedArm) -> tuple[str, ...]:
    """All joints that a joint state must hold, as the driver calls them."""
    return (*arm.joints, *arm.gripper.joints)


def joint_states(arm: DescribedArm, messages: Sequence[Any]) -> tuple[list[Finding], dict[str, float] | None]:
    """What there is to say on joint states, the newest of each length; and positions by name where one can be used."""
    if not messages:
        return [], None
    best = min(messages, key=lambda message: len(set(names(arm)) - set(message.name)))
    if missing := [name for name in names(arm) if name not in best.name]:
        return [_missing(arm, missing, [list(message.name) for message in messages])], None
    if twice := [name for name in names(arm) if list(best.name).count(name) > 1]:
        return [red("joints", f"joint states hold {', '.join(twice)} more than once", "mend the driver")], None
    if len(best.position) != len(best.name):
        text = f"joint states have {len(best.name)} names and {len(best.position)} positions"
        return [red("joints", text, "the driver must publish a position for each joint")], None
    positions = dict(zip(best.name, best.position, strict=True))
    if wrong := [name for name in names(arm) if not math.isfinite(positions[name])]:
        return [red("joints", f"{', '.join(wrong)} is not finite", "mend the driver")], None
    findings = []
    if len(messages) > 1:
        text = (
            f"joint states of {len(messages)} kinds come; {'all' if _all_whole(arm, messages) else 'not all'} are whole"
        )
        how = "let one message hold each arm and finger joint: joint_state_publisher with source_list merges several"
        findings.append(yellow("joints", text, how))
    worst = max(arm.joints, key=lambda name: abs(positions[name]))
    if abs(positions[worst]) > IN_DEGREES:
        text = f"{worst} is at {positions[worst]:.1f}: in degrees?"
        return [*findings, red("joints", text, "the driver must publish radians")], None
    return [*findings, green("joints", f"all {len(names(arm))} are there, in radians")], positions


def _all_whole(arm: DescribedArm, messages: Sequence[Any]) -> bool:
    return all(set(names(arm)) <= set(message.name) for message in messages)


def _missing(arm: DescribedArm, missing: list[str], messages: list[list[str]]) -> Finding:
    together = {name for names in messages for name in names}
    if set(names(arm)) <= together:
        how = "joint_state_publisher with source_list merges them"
        return red("joints", "arm and finger joints come in different messages", how)
    text = f"joint states lack {', '.join(missing)}; they have {', '.join(sorted(together)) or 'no names'}"
    fingers = [name for name in missing if name in arm.gripper.joints]
    if missing == fingers:
        return red("joints", text, "name the gripper's joints in gripper_joints, or have its driver publish them")
    if meant := _renamed(arm.kinematics.joint_names, together):
        said, described = os.path.commonprefix(list(meant)), os.path.commonprefix(list(meant.values()))
        prefix, (driver, joint) = said.removesuffix(described), next(iter(meant.items()))
        say = f"joint_prefix: {prefix}" if said.endswith(described) else f"joints: {{{driver}: {joint}, ...}}"
        text += f": they all begin with {said} where the description says {described}"
        return red("joints", text, f"say so in the limits file, {say}")
    return red("joints", text, "take the robot description of this arm")


def _renamed(described: Sequence[str], driver: set[str]) -> dict[str, str] | None:
    """Names of the driver for those of the description where they differ by what they begin with alone."""
    ends = {name.removeprefix(os.path.commonprefix(list(described))): name for name in described}
    for first in sorted(driver):
        end = next((end for end in ends if end and first.endswith(end)), None)
        if end is None:
            continue
        start = first.removesuffix(end)
        if all(f"{start}{end}" in driver for end in ends):
            return {f"{start}{end}": name for end, name in ends.items()}
    return None


def _finger(arm: DescribedArm, positions: Mapping[str, float]) -> tuple[float, float]:
    """The mean position of the fingers, and their closure, below 0 and above 1 beyond the ends."""
    fingers = arm.gripper.joints
    finger = sum(positions[name] for name in fingers) / len(fingers) if fingers else arm.gripper.open
    return finger, (finger - arm.gripper.open) / (arm.gripper.closed - arm.gripper.open)


def gripper(arm: DescribedArm, positions: Mapping[str, float]) -> Finding:
    """Whether the fingers are between the ends that are given."""
    if not arm.gripper.joints:
        return green("gripper", "none")
    finger, closure = _finger(arm, positions)
    ends = f"gripper_open is {arm.gripper.open:g}, gripper_closed {arm.gripper.closed:g}"
    text = f"{' and '.join(arm.gripper.joints)} at {finger:g}; {ends}"
    how = "open and close it by hand, read joint_states, and set both in its units (m or rad)"
    beyond = abs(closure - 0.5) - 0.5
    if beyond > STROKES_BEYOND:
        return red("gripper", text, how)
    if beyond > BESIDE:
        return yellow("gripper", f"{text}: beyond them", how)
    return green("gripper", f"{text}: {min(1.0, max(0.0, closure)):.0%} closed")


def posture(arm: DescribedArm, positions: Mapping[str, float]) -> list[Finding]:
    """Whether the tcp is in its box, and the joints are within their margins."""
    q_rad = np.array([positions[name] for name in arm.joints])
    findings = []
    nearest = arm.kinematics.nearest_limit(q_rad)
    if nearest.beyond_rad > nearest.margin_rad:
        how = "jog it inward, or take joint_states in rad and the description of this arm"
        findings.append(red("joint margins", str(nearest), how))
    elif nearest.beyond_rad > 0.0:
        findings.append(yellow("joint margins", str(nearest), "jog it inward before the first goal"))
    else:
        findings.append(green("joint margins", str(nearest)))
    xyz_m, _ = arm.kinematics.tcp_pose(q_rad)
    place = ", ".join(f"{value:.3f}" for value in xyz_m)
    outside_m, words = arm.limits.outside_workspace(xyz_m)
    if outside_m > 0.0:
        how = "bring the arm in by hand, or widen workspace_min_m and workspace_max_m in the limits file"
        return [*findings, red("workspace", f"the tcp is {words}", how)]
    return [*findings, green("workspace", f"the tcp is at ({place}) m, in its box")]


def state(arm: DescribedArm, positions: Mapping[str, float], channels: Sequence[str]) -> np.ndarray:
    """The arm's state [S] as a model takes it: pose of the tcp, and the gripper's closure."""
    q_rad = np.array([positions[name] for name in arm.joints])
    xyz_m, rotation = arm.kinematics.tcp_pose(q_rad)
    closure = float(np.clip(_finger(arm, positions)[1], 0.0, 1.0))
    closures = [closure] * sum(channel.startswith("closure") for channel in channels)
    return np.array([*xyz_m, *rpy_from_rotation(rotation), *closures], np.float32)
