"""Writes a limits file for an arm of which only the description is there: slow, commented, to be edited."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import yaml

from jepa_planner.control.arm_survey import Survey, survey
from jepa_planner.control.description_text import DescriptionText
from jepa_planner.control.first_posture import FirstPosture, find_posture
from jepa_planner.control.kinematics import ArmKinematics

MARGIN_RAD, SINGULARITY = 0.05, 0.08
FAST_RAD_S, MOST_SHARE = 0.8, 0.3
"""On a first day no joint turns faster, nor by more than this share of its own speed."""
OVER_TABLE_M, TOOL_BELOW_M = 0.02, 0.20
"""Lower face of the box over the base: for a tcp between fingers, and for one that a tool may reach beyond."""


@dataclass(frozen=True)
class FirstLimits:
    """The text of the file, and what a user should know: sentences on what was guessed and what nobody could know."""

    text: str
    joints: tuple[str, ...]
    guesses: tuple[str, ...]
    unknown: tuple[str, ...]


def first_limits(
    source: DescriptionText,
    named: str,
    tcp_frame: str | None = None,
    base_frame: str | None = None,
    xacro_arguments: Mapping[str, str] | None = None,
) -> FirstLimits:
    """Limits for the arm of a description. `named`: what the file calls it: a path, or topic.

    Raises ValueError where no arm, no posture or no box is found.
    """
    found = survey(source, tcp_frame, base_frame)
    lowest_m = OVER_TABLE_M if found.between_fingers else TOOL_BELOW_M
    arm = ArmKinematics(source, found.tcp_frame, MARGIN_RAD, None, found.base_frame)
    posture = find_posture(source, found.tcp_frame, found.base_frame, MARGIN_RAD, SINGULARITY, lowest_m)
    box_m = posture.box_min_m[2]
    below = "" if found.between_fingers else f"; whatever reaches beyond {found.tcp_frame} hangs below the box"
    unknown = (
        f"the table: it was taken to be at z = 0 of {found.base_frame}, and the box begins {box_m:g} m above{below}",
        "what stands around the arm, and whether it would touch itself: only its joints were looked at",
        *found.unknown,
    )
    return FirstLimits(
        _text(named, xacro_arguments or {}, arm, found, posture), arm.joint_names, found.guesses, unknown
    )


def _text(
    named: str,
    xacro_arguments: Mapping[str, str],
    arm: ArmKinematics,
    found: Survey,
    posture: FirstPosture,
) -> str:
    _, reach_m = arm.reach()
    share = min(MOST_SHARE, FAST_RAD_S / float(np.max(arm.velocity_rad_s)))
    lines = [
        "# Limits of every command that leaves the planner, written from a robot description and nothing else: slow,",
        "# for a first day. MEASURE the box on your own table before the arm moves, and read every line.",
        _line("robot_description", _word(named), "a URDF or xacro file beside this one, or: topic"),
        *(
            [_line("xacro_arguments", _mapping(xacro_arguments), "with which it is expanded")]
            if xacro_arguments
            else []
        ),
        _line("base_frame", _word(found.base_frame), "in which poses and the box are; the model's must be the same"),
        _line("tcp_frame", _word(found.tcp_frame), "the link whose poses are meant; the model's must be the same"),
        _line("workspace_min_m", _numbers(posture.box_min_m), "GUESSED: its z is the least height; measure it"),
        _line("workspace_max_m", _numbers(posture.box_max_m), "GUESSED: in front of the base (+x), within reach"),
        _line("workspace_yaw_rad", _numbers(posture.yaw_rad), "how far the tcp may turn about the base frame's z"),
        _line("linear_velocity_m_s", "0.10", "per axis of the base frame"),
        _line("linear_acceleration_m_s2", "1.0"),
        _line("linear_jerk_m_s3", "20.0"),
        _line("angular_velocity_rad_s", "0.4", "per axis of the rotation vector"),
        _line("angular_acceleration_rad_s2", "2.0"),
        _line("angular_jerk_rad_s3", "40.0"),
        _line("gripper_rate_per_s", "1.0", "change of closure (0 open .. 1 closed) per second"),
        _line("joint_margin_rad", f"{MARGIN_RAD:g}", "kept from each joint limit of the description"),
        _line("joint_slowdown_rad", "0.10", "a joint that comes nearer to its margin than this slows down"),
        _line("joint_velocity_scale", f"{share:.2g}", "share of the description's joint velocities that may be used"),
        _line("singularity_slowdown", f"{SINGULARITY:g}", "least singular value of the Jacobian before that"),
        _line(
            "max_step_m", f"{min(0.12, 0.12 * reach_m):.2f}", "a first target further from the measured tcp is refused"
        ),
        _line("posture_rad", _numbers(posture.posture_rad), "tool down over the middle of the box, elbow up"),
        *_gripper_lines(found),
        "# Where the driver calls joints by other names than the description, one of these:",
        "# joint_prefix: left_",
        f"# joints: {{left_{arm.joint_names[0]}: {arm.joint_names[0]}, ...}}  # DRIVER: DESCRIPTION, every joint",
    ]
    return "\n".join(lines) + "\n"


def _gripper_lines(found: Survey) -> list[str]:
    if not found.gripper.joints:
        return [
            _line("gripper_joints", "[]", "none was found: name the finger joints of joint_states, and both ends"),
            "# gripper_open: 0.0",
            "# gripper_closed: 0.8",
        ]
    lines = [
        _line("gripper_joints", _names(found.gripper.joints), "in joint_states; the first is commanded"),
        _line("gripper_open", f"{found.gripper.open:g}", "GUESSED: position of a finger joint, gripper open"),
        _line("gripper_closed", f"{found.gripper.closed:g}", "GUESSED: gripper closed"),
    ]
    if found.mimic:
        lines.append(_line("gripper_mimic", _names(found.mimic), "follow by themselves"))
    return lines


def _line(name: str, value: str, comment: str = "") -> str:
    text = f"{name}: {value}"
    return f"{text:<41} # {comment}" if comment else text


def _numbers(values: tuple[float, ...]) -> str:
    return f"[{', '.join(f'{value + 0.0:.3f}' for value in np.round(values, 3))}]"


def _names(names: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_word, names))}]"


def _mapping(values: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{_word(name)}: {_word(value)}' for name, value in values.items())}}}"


def _word(text: str) -> str:
    """A text as YAML takes it for one, with marks around it where it needs them."""
    is_plain = re.fullmatch(r"[\w./][\w./ -]*", text) and yaml.safe_load(text) == text
    return text if is_plain else json.dumps(text)
