"""Checks of the arm: the limits file, joint names and units, the gripper's ends, and where the arm stands."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jepa_planner.cli.doctor.findings import Finding, green, red, yellow
from jepa_planner.control.kinematics import ArmKinematics, rpy_from_rotation
from jepa_planner.control.limits import SafetyLimits, shipped_config
from jepa_planner.nodes.arm_node import STROKES_BEYOND

IN_DEGREES = 7.0
"""No joint turns that far in radians."""
BESIDE = 0.05
"""Of the stroke: how far beyond its ends a gripper is when all is well."""


@dataclass(frozen=True)
class Arm:
    """What the limits file says: limits, kinematics, and the finger joints with their positions at both ends."""

    limits: SafetyLimits
    kinematics: ArmKinematics
    fingers: tuple[str, ...]
    open: float
    closed: float

    @property
    def joints(self) -> tuple[str, ...]:
        """All joints that a joint state must hold."""
        return (*self.kinematics.joint_names, *self.fingers)


def load(parameters: Mapping[str, Any]) -> tuple[list[Finding], Arm | None]:
    """The arm of arm_node's parameters, or what is wrong with it."""
    file = parameters["limits_file"]
    path = Path(file).expanduser() if file else shipped_config("panda_limits.yaml")
    try:
        limits = SafetyLimits.load(path)
        kinematics = limits.kinematics()
        kinematics.check_base_frame(parameters["base_frame"])
    except (ValueError, OSError) as error:
        return [red("limits file", str(error), "docs/your_robot.md says what must stand there")], None
    ends = parameters["gripper_open"], parameters["gripper_closed"]
    if ends[0] == ends[1]:
        return [red("gripper", f"gripper_open and gripper_closed are both {ends[0]:g}", "give both positions")], None
    text = f"{path.name}: {len(kinematics.joint_names)} joints to {limits.tcp_frame}"
    arm = Arm(limits, kinematics, tuple(parameters["gripper_joints"]), *ends)
    if not file:
        text += "; the shipped Panda, as no limits_file is given"
    return [green("limits file", text)], arm


def joint_states(arm: Arm, messages: Sequence[Any]) -> tuple[list[Finding], dict[str, float] | None]:
    """What there is to say on joint states, the newest of each length; and positions by name where one can be used."""
    if not messages:
        return [], None
    best = min(messages, key=lambda message: len(set(arm.joints) - set(message.name)))
    if missing := [name for name in arm.joints if name not in best.name]:
        return [_missing(arm, missing, [list(message.name) for message in messages])], None
    if twice := [name for name in arm.joints if list(best.name).count(name) > 1]:
        return [red("joints", f"joint states hold {', '.join(twice)} more than once", "mend the driver")], None
    if len(best.position) != len(best.name):
        text = f"joint states have {len(best.name)} names and {len(best.position)} positions"
        return [red("joints", text, "the driver must publish a position for each joint")], None
    positions = dict(zip(best.name, best.position, strict=True))
    if wrong := [name for name in arm.joints if not math.isfinite(positions[name])]:
        return [red("joints", f"{', '.join(wrong)} is not finite", "mend the driver")], None
    findings = []
    if len(messages) > 1:
        text = (
            f"joint states of {len(messages)} kinds come; {'all' if _all_whole(arm, messages) else 'not all'} are whole"
        )
        how = "let one message hold each arm and finger joint: joint_state_publisher with source_list merges several"
        findings.append(yellow("joints", text, how))
    worst = max(arm.kinematics.joint_names, key=lambda name: abs(positions[name]))
    if abs(positions[worst]) > IN_DEGREES:
        text = f"{worst} is at {positions[worst]:.1f}: in degrees?"
        return [*findings, red("joints", text, "the driver must publish radians")], None
    return [*findings, green("joints", f"all {len(arm.joints)} are there, in radians")], positions


def _all_whole(arm: Arm, messages: Sequence[Any]) -> bool:
    return all(set(arm.joints) <= set(message.name) for message in messages)


def _missing(arm: Arm, missing: list[str], messages: list[list[str]]) -> Finding:
    together = {name for names in messages for name in names}
    if set(arm.joints) <= together:
        how = "joint_state_publisher with source_list merges them"
        return red("joints", "arm and finger joints come in different messages", how)
    text = f"joint states lack {', '.join(missing)}; they have {', '.join(sorted(together)) or 'no names'}"
    fingers = [name for name in missing if name in arm.fingers]
    if missing == fingers:
        return red("joints", text, "name the gripper's joints in gripper_joints, or have its driver publish them")
    if names := _renamed(arm.kinematics.joint_names, together):
        said, described = os.path.commonprefix(list(names)), os.path.commonprefix(list(names.values()))
        text += f": the driver says {said}... for {described}..."
        return red("joints", text, "give the joints of the robot description the driver's names")
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


def gripper(arm: Arm, positions: Mapping[str, float]) -> Finding:
    """Whether the fingers are between the ends that are given."""
    finger = sum(positions[name] for name in arm.fingers) / len(arm.fingers)
    closure = (finger - arm.open) / (arm.closed - arm.open)
    text = f"{' and '.join(arm.fingers)} at {finger:g}; gripper_open is {arm.open:g}, gripper_closed {arm.closed:g}"
    how = "open and close it by hand, read joint_states, and set both in its units (m or rad)"
    beyond = abs(closure - 0.5) - 0.5
    if beyond > STROKES_BEYOND:
        return red("gripper", text, how)
    if beyond > BESIDE:
        return yellow("gripper", f"{text}: beyond them", how)
    return green("gripper", f"{text}: {min(1.0, max(0.0, closure)):.0%} closed")


def posture(arm: Arm, positions: Mapping[str, float]) -> list[Finding]:
    """Whether the tcp is in its box, and the joints are within their margins."""
    q_rad = np.array([positions[name] for name in arm.kinematics.joint_names])
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


def state(arm: Arm, positions: Mapping[str, float], channels: Sequence[str]) -> np.ndarray:
    """The arm's state [S] as a model takes it: pose of the tcp, and the gripper's closure."""
    q_rad = np.array([positions[name] for name in arm.kinematics.joint_names])
    xyz_m, rotation = arm.kinematics.tcp_pose(q_rad)
    finger = sum(positions[name] for name in arm.fingers) / len(arm.fingers)
    closure = float(np.clip((finger - arm.open) / (arm.closed - arm.open), 0.0, 1.0))
    closures = [closure] * sum(channel.startswith("closure") for channel in channels)
    return np.array([*xyz_m, *rpy_from_rotation(rotation), *closures], np.float32)
