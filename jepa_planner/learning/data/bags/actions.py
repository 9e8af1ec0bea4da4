"""The actions of a piece: what commands asked for, where they tell how the arm moved, else how its state changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from jepa_planner.control.kinematics import rpy_from_rotation
from jepa_planner.core.arm_layout import GRIPPER, RPY, XYZ
from jepa_planner.core.poses import action_between
from jepa_planner.learning.data.bags.arm_tracks import Poses
from jepa_planner.learning.data.bags.command_track import CommandTrack
from jepa_planner.learning.data.bags.steps import TURN_M, Piece
from jepa_planner.learning.data.recording import Recording

MISSED_SHARE = 0.25
"""Commands explain a motion where, in the middle, the arm ends its steps no farther from what was asked than this share
of their length: what is farther off lags behind, or follows something else."""


@dataclass(frozen=True)
class Actions:
    """values [F - 1, 7]; source: commands or states; why: in words."""

    values: np.ndarray
    source: str
    why: str


def actions_of(piece: Piece, commands: CommandTrack | None, recording: Recording) -> Actions | None:
    """Those between the steps of a piece; None where they are to be made of commands, and none were recorded."""
    of_states = _between(piece.states[:-1], piece.states[1:])
    if commands is None or recording.actions == "states":
        return Actions(of_states, "states", "no commands were named" if commands is None else "the recording file says")
    begin_ns, end_ns = piece.stamps_ns[:-1], piece.stamps_ns[1:]
    targets = commands.targets(piece.part(slice(None, -1)).poses, begin_ns, end_ns)
    if not targets.known.all():
        why = f"{int((~targets.known).sum())} of {len(targets.known)} steps have no command on {commands.topic}"
        return None if recording.actions == "commands" else Actions(of_states, "states", why)
    asked = piece.states[1:].copy()
    asked[:, XYZ] = targets.xyz_m
    asked[:, RPY] = [rpy_from_rotation(rotation) for rotation in targets.rotations]
    missed = _missed_share(piece, targets, recording.cuts.pause_m)
    words = f"in the middle the arm missed what was asked by {missed:.0%} of a step"
    if recording.actions == "auto" and not missed <= MISSED_SHARE:  # not a number: it never moved
        return Actions(of_states, "states", words if np.isfinite(missed) else "the arm did not move")
    return Actions(_between(piece.states[:-1], asked), "commands", words)


def _missed_share(piece: Piece, targets: Poses, still_m: float) -> float:
    """How far from the target steps ended, of how far they went, both in the middle of those that moved."""
    reached = piece.part(slice(1, None)).poses
    moved_m = _distances(reached, piece.part(slice(None, -1)).poses)
    moving = moved_m > still_m
    if not moving.any():
        return float("nan")
    return float(np.median(_distances(reached, targets)[moving]) / np.median(moved_m[moving]))


def _distances(poses: Poses, others: Poses) -> np.ndarray:
    """Of pairs of poses [N]: m, with turns as TURN_M says."""
    turns = poses.rotations @ others.rotations.transpose(0, 2, 1)
    turned_rad = np.arccos(np.clip((np.trace(turns, axis1=1, axis2=2) - 1.0) / 2.0, -1.0, 1.0))
    return np.linalg.norm(poses.xyz_m - others.xyz_m, axis=1) + TURN_M * turned_rad


def _between(states: np.ndarray, others: np.ndarray) -> np.ndarray:
    actions = action_between(torch.from_numpy(states), torch.from_numpy(others)).numpy()
    assert actions.shape[1] == GRIPPER + 1
    return actions
