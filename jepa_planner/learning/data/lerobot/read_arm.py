"""The arm in every episode of a dataset, read as a mapping says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jepa_planner.control.kinematics import ArmKinematics
from jepa_planner.learning.data.lerobot.arm_values import (
    found_angle_unit,
    measured_closures,
    pose_channels,
    poses,
    told_closures,
    values,
)
from jepa_planner.learning.data.lerobot.dataset import Dataset
from jepa_planner.learning.data.lerobot.layout import DatasetError, Info
from jepa_planner.learning.data.lerobot.mapping import (
    ActionChannels,
    ArmChannels,
    DatasetMapping,
    StateChannels,
    constant,
    place_of,
)
from jepa_planner.learning.data.lerobot.steps import ArmRows, found_values, with_told_as

Columns = dict[str, np.ndarray]


def features_of(info: Info, mapping: DatasetMapping) -> list[str]:
    """The features of numbers that a mapping reads."""
    channels = [*mapping.state.channels(), *(mapping.action.channels() if mapping.action else ())]
    keys = {place_of(info, channel)[0] for channel in channels if constant(channel) is None}
    return sorted(keys | ({mapping.success} if mapping.success else set()))


def read_arm(
    dataset: Dataset, mapping: DatasetMapping, columns: Sequence[Columns], arm: ArmKinematics | None
) -> tuple[list[ArmRows], DatasetMapping]:
    """What episodes' columns say of the arm, and the mapping with what was found of units and actions.

    Raises DatasetError for what cannot be known, and for numbers that cannot be an arm's.
    """
    info = dataset.info
    if mapping.state.joints and arm is None:
        raise DatasetError("the dataset holds joints: tell the arm's limits file (--limits)")
    state = _with_unit(info, mapping.state, columns, "state")
    assert isinstance(state, StateChannels)
    if mapping.action is None:
        return [_rows(info, state, None, own, arm) for own in columns], replace(mapping, state=state)
    action = mapping.action if mapping.action.angle_unit else replace(mapping.action, angle_unit=state.angle_unit)
    if action.gripper is not None and action.gripper_open is None and action.gripper_values == "absolute":
        action = replace(action, gripper_open=state.gripper_open, gripper_closed=state.gripper_closed)
    action = _with_unit(info, action, columns, "action")  # type: ignore[assignment]
    arms = [_rows(info, state, action, own, arm) for own in columns]
    action = replace(action, values=action.values or found_values(arms))
    if action.values == "delta" and not action.joints:  # those of joints were added to them
        arms = [with_told_as(rows, "delta") for rows in arms]
    return arms, replace(mapping, state=state, action=action)


def _with_unit(info: Info, channels: ArmChannels, columns: Sequence[Columns], whose: str) -> ArmChannels:
    if not channels.turns or channels.angle_unit is not None:
        return channels
    turns = np.concatenate([values(info, own, channels.joints or channels.orientation) for own in columns])
    return replace(channels, angle_unit=found_angle_unit(channels, turns, whose))


def _rows(
    info: Info, state: StateChannels, action: ActionChannels | None, columns: Columns, arm: ArmKinematics | None
) -> ArmRows:
    measured = values(info, columns, pose_channels(state))
    rows = ArmRows(poses(state, measured, arm), _measured(info, state, state.gripper, columns))
    if state.gripper_commanded is not None:
        rows = replace(rows, commanded=_measured(info, state, state.gripper_commanded, columns))
    if action is None:
        return rows
    if bool(action.joints) != bool(state.joints):
        raise DatasetError("the mapping takes the state from joints or poses, and the action not: name both alike")
    told = values(info, columns, pose_channels(action))
    if action.joints and action.values == "delta":
        told = measured + told
    rows = replace(rows, told=poses(action, told, arm))
    if action.gripper is None:
        return rows
    if action.gripper_values == "delta":
        return replace(rows, told_closures=values(info, columns, [action.gripper])[:, 0], told_closures_are="delta")
    told_gripper = told_closures(values(info, columns, [action.gripper])[:, 0], action.ends("action"))
    return replace(rows, told_closures=told_gripper)


def _measured(info: Info, state: StateChannels, channel: str | None, columns: Columns) -> np.ndarray:
    if channel is None:
        return np.zeros(len(columns["index"]))
    return measured_closures(values(info, columns, [channel])[:, 0], state.ends("state"), channel)
