"""What a dataset's names say of its numbers; what they do not say is asked for, never guessed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jepa_planner.control.limits import SafetyLimits
from jepa_planner.core.arm_layout import ACTION_CHANNELS, RPY, STATE_CHANNELS, XYZ
from jepa_planner.learning.data.lerobot.layout import DatasetError, Feature, Info
from jepa_planner.learning.data.lerobot.mapping import (
    ActionChannels,
    ArmChannels,
    DatasetMapping,
    Orientation,
    StateChannels,
)

STATE, ACTION = "observation.state", "action"
SUCCESS = ("next.success", "success", "is_episode_successful", "episode_success")
VIEW_PREFIXES = ("observation.images.", "observation.image.", "observation.")
SAYS_NOTHING = {
    *("ee", "eef", "tcp", "end", "effector", "endeffector", "tool", "pos", "position", "pose", "cartesian", "xyz"),
    *("rpy", "m", "rad", "arm", "robot", "robot0", "state", "obs", "orientation", "euler", "value", "target", "goal"),
    *("cmd", "command", "commanded", "main"),
}  # fmt: skip
"""Parts of names that do not tell one number of an arm from another."""
DELTA, QUATERNION = {"delta", "d", "rel"}, {"quat", "quaternion", "q"}
VECTOR = {"rot", "rotation", "rotvec", "axisangle"}
GRIPPER = {"gripper", "grip", "finger", "gripperwidth", "gripperopening"}
TURNS: dict[Orientation, tuple[str, ...]] = {
    "rpy": ("roll", "pitch", "yaw"),
    "quaternion_xyzw": ("qx", "qy", "qz", "qw"),
    "rotation_vector": ("rx", "ry", "rz"),
}


def find_mapping(
    info: Info, limits: SafetyLimits | None = None, orientation: Orientation | None = None
) -> DatasetMapping:
    """Views, state and action by the names of features; limits: of the arm, for datasets of joints; orientation: what
    numbers are that are called rx, ry and rz.

    Raises DatasetError saying what cannot be known, and by which option it is told.
    """
    coloured = [feature for feature in info.features.values() if feature.is_picture and not feature.is_depth]
    views = {_view_name(feature): feature.key for feature in coloured}
    success = next((key for key in SUCCESS if key in info.features), None)
    state = info.features.get(STATE)
    if state and state.names == STATE_CHANNELS:
        return _own(info, views, success)
    observed = _numbers(info, lambda key: key.startswith("observation") or key == "state")
    asked = _numbers(info, lambda key: key.startswith("action"))
    frame, tcp_frame = "", ""
    where = _pose(observed, STATE, orientation)
    if limits is not None and (by_joints := _joints(observed, limits)):
        where = by_joints
        frame, tcp_frame = limits.kinematics().description.base_links[0], limits.tcp_frame
    if where is None:
        raise DatasetError(_asks(info, limits))
    action = _joints(asked, limits) if limits is not None and where.joints else _pose(asked, ACTION, orientation)
    found = DatasetMapping(StateChannels(**vars(where)), views, None, success, frame, tcp_frame)
    if action is None:
        return found
    is_change = any(_meaning(channel.partition("/")[2])[1] for channel in action.position)
    return replace(found, action=ActionChannels(**vars(action), values="delta" if is_change else None))


def _own(info: Info, views: dict[str, str], success: str | None) -> DatasetMapping:
    """What this package writes itself."""
    said = info.features[STATE].info

    def arm(feature: str, names: Sequence[str]) -> dict[str, Any]:
        position, orientation = ([f"{feature}/{name}" for name in names[part]] for part in (XYZ, RPY))
        return {"position": tuple(position), "orientation": tuple(orientation), "angle_unit": "rad",
                "gripper_open": 0.0, "gripper_closed": 1.0, "gripper": f"{feature}/{names[-1]}"}  # fmt: skip

    state = StateChannels(**arm(STATE, STATE_CHANNELS), gripper_commanded=f"{STATE}/{STATE_CHANNELS[-2]}")
    action = None
    if ACTION in info.features and info.features[ACTION].names == ACTION_CHANNELS:
        action = ActionChannels(**arm(ACTION, ACTION_CHANNELS), values="delta", gripper_values="delta")
    return DatasetMapping(
        state, views, action, success, str(said.get("frame", "")), str(said.get("tcp_frame", ""))
    )  # fmt: skip


def _view_name(feature: Feature) -> str:
    if isinstance(named := feature.info.get("view"), str):
        return named
    prefix = next((prefix for prefix in VIEW_PREFIXES if feature.key.startswith(prefix)), "")
    return feature.key.removeprefix(prefix)


def _numbers(info: Info, belongs: Callable[[str], bool]) -> list[Feature]:
    return [
        feature for key, feature in info.features.items()
        if belongs(key) and not feature.is_picture and len(feature.shape) == 1 and feature.names
    ]  # fmt: skip


def _meaning(name: str) -> tuple[str, bool]:
    """What a name says, as x, yaw, qw, rz or gripper, and whether of a change."""
    parts = [part for part in re.split(r"[^a-z0-9]+", name.lower()) if part]
    said = set(parts)
    rest = "".join(part for part in parts if part not in SAYS_NOTHING | DELTA | QUATERNION | VECTOR)
    if (short := re.fullmatch(r"d(x|y|z|r[xyz]|roll|pitch|yaw)", rest)) is not None:
        return short[1], True
    if rest in set("xyzw") and said & (QUATERNION | VECTOR):
        rest = ("q" if said & QUATERNION else "r") + rest
    return ("gripper" if rest in GRIPPER else rest), bool(said & DELTA)


def _pose(features: Sequence[Feature], first: str, orientation: Orientation | None) -> ArmChannels | None:
    """Position, orientation and gripper, where the names say so; of several features that do, `first` is meant."""
    named = {feature.key: _by_meaning([feature]) for feature in features}
    with_position = [key for key, channels in named.items() if set("xyz") <= channels.keys()]
    if not with_position:
        return None
    key = first if first in with_position else with_position[0]
    if len(with_position) > 1 and key != first:
        raise DatasetError(f"{' and '.join(with_position)} both have x, y and z: say in a mapping which one is meant")
    near, anywhere = named[key], _by_meaning(features)
    for kind, turns in TURNS.items():
        for channels in (near, anywhere):
            if set(turns) <= channels.keys():
                if kind == "rotation_vector" and orientation is None:
                    raise DatasetError(
                        f"{', '.join(_in_order(channels, turns))} may be roll, pitch and yaw, or a rotation vector: "
                        "tell --orientation rpy or --orientation rotation_vector"
                    )
                kind = orientation if kind == "rotation_vector" and orientation else kind
                return ArmChannels(
                    position=_in_order(near, "xyz"), orientation=_in_order(channels, turns), orientation_is=kind,
                    gripper=_gripper(near, anywhere),
                )  # fmt: skip
    raise DatasetError(
        f"{key} has x, y and z but nothing that is called roll, pitch and yaw, qx to qw, or rx to rz: name the "
        "orientation in a mapping (--mapping)"
    )


def _joints(features: Sequence[Feature], limits: SafetyLimits) -> ArmChannels | None:
    """The arm's joints and gripper, where the names are those of the limits file or of its driver."""
    arm = limits.kinematics().joint_names
    for feature in features:
        bare = {re.sub(r"[._](pos|position)$", "", name): f"{feature.key}/{name}" for name in feature.names}
        for names in (limits.joint_names.of(arm), arm):
            if set(names) <= bare.keys():
                gripper = limits.gripper
                fingers = [*limits.joint_names.of(gripper.joints), *gripper.joints] if gripper else []
                found = ArmChannels(joints=tuple(bare[name] for name in names))
                if gripper and (finger := next((bare[name] for name in fingers if name in bare), None)):
                    return replace(found, gripper=finger, gripper_open=gripper.open, gripper_closed=gripper.closed)
                return replace(found, gripper=_gripper(_by_meaning([feature]), _by_meaning(features)))
    return None


def _by_meaning(features: Iterable[Feature]) -> dict[str, list[str]]:
    channels: dict[str, list[str]] = {}
    for feature in features:
        for name in feature.names:
            channels.setdefault(_meaning(name)[0], []).append(f"{feature.key}/{name}")
    return channels


def _in_order(channels: Mapping[str, list[str]], names: Iterable[str]) -> tuple[str, ...]:
    for name in names:
        if len(channels[name]) > 1:
            both = " and ".join(channels[name])
            raise DatasetError(f"{both} may both be {name}: say in a mapping which one is meant")
    return tuple(channels[name][0] for name in names)


def _gripper(near: Mapping[str, list[str]], anywhere: Mapping[str, list[str]]) -> str | None:
    for channels in (near, anywhere):
        if "gripper" in channels:
            return _in_order(channels, ["gripper"])[0]
    return None


def _asks(info: Info, limits: SafetyLimits | None) -> str:
    known = "; ".join(str(feature) for feature in info.features.values() if not feature.is_picture)
    joints = "its limits file (--limits), if they are joints of an arm"
    if limits is not None:
        joints = f"joints that are called as the limits say ({', '.join(limits.kinematics().joint_names)})"
    return (
        "the names of the dataset's numbers do not say where the arm is: it needs x, y, z and an orientation, or "
        f"{joints}; else name the channels in a mapping (--mapping FILE, see docs/formats.md). There is {known}"
    )
