"""Rows of a dataset at the model's steps, and the actions between them.

The rule is that of pictures that come when they like: of each step the last row before it, never one after. What was
measured in that row is the state; what the arm was told before it is in force there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch

from jepa_planner.core.arm_layout import AXES, GRIPPER, RPY, XYZ
from jepa_planner.core.poses import action_between, roll_pitch_yaw, rotation_matrix
from jepa_planner.learning.data.lerobot.layout import DatasetError
from jepa_planner.learning.data.lerobot.mapping import Values

EARLY = 0.01
"""Of a step, by how much a row may come after its time and still be of that time: stamps are rounded."""
TELLS_APART = 0.3
"""Of two readings of actions, the one is believed that leaves so much less than the other unexplained."""
STILL_M = 1e-3
"""Who moves less in a step rests."""
GAIN = (0.5, 2.0)
"""Of changes that followed, how large changes that were asked for may be."""


@dataclass(frozen=True)
class ArmRows:
    """What an episode's rows say of the arm: poses [N, 6] and closures [N] measured; what it was told, where known.

    told: poses [N, 6], absolute or changes; told_closures [N]: likewise; commanded [N]: the closure in force.
    """

    poses: np.ndarray
    closures: np.ndarray
    commanded: np.ndarray | None = None
    told: np.ndarray | None = None
    told_closures: np.ndarray | None = None
    told_is: Values = "absolute"
    told_closures_are: Values = "absolute"


def step_rows(stamps_s: np.ndarray, time_step_s: float) -> np.ndarray:
    """The last row [K] before each step, from the first row on, of rows with increasing stamps [N].

    Raises DatasetError where rows come more slowly than steps.
    """
    last = (stamps_s[-1] - stamps_s[0]) / time_step_s
    times_s = stamps_s[0] + time_step_s * np.arange(int(last + EARLY) + 1)
    rows = np.searchsorted(stamps_s, times_s + EARLY * time_step_s, side="right") - 1
    if len(rows) > 1 and not (steps := np.diff(rows)).all():
        step = int(np.argmin(steps))
        raise DatasetError(
            f"no row between {times_s[step] - stamps_s[0]:.3f} and {times_s[step + 1] - stamps_s[0]:.3f} s: rows come "
            f"more slowly than steps of {time_step_s:g} s (--time-step), or some are missing"
        )
    return rows


def states_and_actions(arm: ArmRows, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 states [K, 8] and actions [K-1, 7] at rows [K] of an episode."""
    commanded = _in_force(arm)
    states = np.concatenate([arm.poses, commanded[:, None], arm.closures[:, None]], axis=1)[rows]
    if arm.told is None:
        actions = _between(states[:-1], states[1:])
    elif arm.told_is == "absolute":
        targets = np.concatenate([arm.poses[:1], arm.told])[rows]  # before row r the arm was told what stands in r - 1
        targets = np.concatenate([targets, commanded[rows, None]], axis=1)
        actions = _between(targets[:-1], targets[1:])
    else:
        actions = np.array([_composed(arm.told[a:b]) for a, b in pairwise(rows)])
        actions = np.concatenate([actions.reshape(-1, 6), np.diff(states[:, GRIPPER])[:, None]], axis=1)
    if arm.told_closures is not None and arm.told_closures_are == "delta":
        changes = np.add.reduceat(np.append(arm.told_closures, 0.0), rows)[:-1]
        actions[:, GRIPPER] = changes
    return states.astype(np.float32), actions.astype(np.float32)


def found_values(arms: list[ArmRows]) -> Values:
    """absolute or delta, from what followed what the arm was told; raises DatasetError where neither explains it."""
    told = np.concatenate([arm.told[:-1, XYZ] for arm in arms if arm.told is not None])
    after = np.concatenate([arm.poses[1:, XYZ] for arm in arms])
    changes = np.concatenate([np.diff(arm.poses[:, XYZ], axis=0) for arm in arms])
    as_target, as_change = np.abs(told - after).mean(), np.abs(told - changes).mean()
    if as_target < TELLS_APART * as_change:
        return "absolute"
    gain = float((told * changes).sum() / max(float((changes * changes).sum()), 1e-12))
    if as_change < TELLS_APART * as_target and GAIN[0] <= gain <= GAIN[1]:
        return "delta"
    raise DatasetError(
        f"actions are {as_target:.2g} m from the next position and {as_change:.2g} m from its change, of which they "
        f"are {gain:.2g} times: neither targets nor changes in m along the base's axes. Tell --actions absolute or "
        "--actions delta if they are, or --actions states to take the changes of the state"
    )


def missed_share(states: np.ndarray, actions: np.ndarray) -> float:
    """How far from what was asked for steps ended, of how far they went, in the middle of those that moved; states
    [K, 8], actions [K-1, 7], one episode after the other or one. Not a number where nothing moved.
    """
    moved_m = np.diff(states[:, XYZ], axis=0)
    went_m = np.linalg.norm(moved_m, axis=1)
    moving = went_m > STILL_M
    missed_m = np.linalg.norm(actions[:, XYZ] - moved_m, axis=1)
    return float(np.median(missed_m[moving] / went_m[moving])) if moving.any() else float("nan")


def with_told_as(arm: ArmRows, told_is: Values) -> ArmRows:
    """The same with its poses told read so."""
    return replace(arm, told_is=told_is)


def _in_force(arm: ArmRows) -> np.ndarray:
    """The closure that was commanded before each row [N]."""
    if arm.commanded is not None:
        return arm.commanded
    if arm.told_closures is not None and arm.told_closures_are == "absolute":
        return np.concatenate([arm.closures[:1], arm.told_closures[:-1]])
    return arm.closures


def _between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    return action_between(torch.from_numpy(start[:, :AXES]), torch.from_numpy(end[:, :AXES])).numpy()


def _composed(changes: np.ndarray) -> np.ndarray:
    """One change [6] of several [N, 6], one after the other."""
    if len(changes) == 1:
        return changes[0]
    turn = torch.eye(3, dtype=torch.float64)
    for matrix in rotation_matrix(torch.from_numpy(changes[:, RPY])):
        turn = matrix @ turn
    return np.concatenate([changes[:, XYZ].sum(axis=0), roll_pitch_yaw(turn).numpy()])
