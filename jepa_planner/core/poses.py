"""Arm states under actions, batched: what an action does to a pose, and which action lies between two poses.

A pose is [x, y, z (m), roll, pitch, yaw (rad, extrinsic xyz), gripper closure (0 open .. 1 closed)] in the
robot base frame; an action is a change of it. States may have more channels than seven: those are carried
unchanged.
"""

import math

import torch
from torch import Tensor

from jepa_planner.core.arm_layout import AXES, GRIPPER, RPY, XYZ

GIMBAL_LOCK_COS = 1e-6


def rotation_matrix(rpy: Tensor) -> Tensor:
    """R = Rz(yaw) Ry(pitch) Rx(roll): [.., 3] rad -> [.., 3, 3]."""
    (cr, cp, cy), (sr, sp, sy) = rpy.cos().unbind(-1), rpy.sin().unbind(-1)
    rows = [
        cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr,
        sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr,
        -sp, cp * sr, cp * cr,
    ]  # fmt: skip
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def roll_pitch_yaw(rotation: Tensor) -> Tensor:
    """Extrinsic xyz angles in rad of rotations [.., 3, 3] -> [.., 3]; roll is 0 at +-90 degrees pitch."""
    cos_pitch = torch.hypot(rotation[..., 0, 0], rotation[..., 1, 0])
    locked = cos_pitch < GIMBAL_LOCK_COS
    roll = torch.atan2(rotation[..., 2, 1], rotation[..., 2, 2])
    pitch = torch.atan2(-rotation[..., 2, 0], cos_pitch)
    yaw = torch.atan2(rotation[..., 1, 0], rotation[..., 0, 0])
    yaw_locked = torch.atan2(-rotation[..., 0, 1], rotation[..., 1, 1])
    return torch.stack([roll.masked_fill(locked, 0.0), pitch, torch.where(locked, yaw_locked, yaw)], dim=-1)


def apply_action(state: Tensor, action: Tensor) -> Tensor:
    """The state [.., S >= 7] after an action [.., 7].

    xyz adds, R_new = R(action) R(state), closure adds and is clipped to 0..1.
    """
    state, action = _broadcast_batch(state, action)
    xyz = state[..., XYZ] + action[..., XYZ]
    rpy = roll_pitch_yaw(rotation_matrix(action[..., RPY]) @ rotation_matrix(state[..., RPY]))
    closure = (state[..., GRIPPER:AXES] + action[..., GRIPPER:AXES]).clamp(0.0, 1.0)
    return torch.cat([xyz, rpy, closure, state[..., AXES:]], dim=-1)


def action_between(start: Tensor, end: Tensor) -> Tensor:
    """The action [.., 7] that leads from one state [.., S >= 7] to another; `apply_action` inverts it."""
    start, end = _broadcast_batch(start, end)
    turn = rotation_matrix(end[..., RPY]) @ rotation_matrix(start[..., RPY]).transpose(-1, -2)
    parts = [end[..., XYZ] - start[..., XYZ], roll_pitch_yaw(turn), end[..., GRIPPER:AXES] - start[..., GRIPPER:AXES]]
    return torch.cat(parts, dim=-1)


def state_difference(one: Tensor, other: Tensor) -> Tensor:
    """one - other of states [.., S >= 6], angles the short way round: 179 and -179 degrees are 2 apart."""
    difference = one - other
    turns = short_way(difference[..., RPY])
    return torch.cat([difference[..., XYZ], turns, difference[..., GRIPPER:]], dim=-1)


def short_way(turns: Tensor) -> Tensor:
    """The same turns (rad) as angles of at most half a turn."""
    return torch.where(turns.abs() > math.pi, turns - math.tau * torch.round(turns / math.tau), turns)


def rollout_states(state: Tensor, actions: Tensor) -> Tensor:
    """States [K, H, S] in which the actions [K, H, 7] are taken, the first being `state` [S] itself."""
    states = [state.expand(len(actions), -1)]
    for step in range(actions.shape[1] - 1):
        states.append(apply_action(states[-1], actions[:, step]))
    return torch.stack(states, dim=1)


def _broadcast_batch(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    batch = torch.broadcast_tensors(a[..., 0], b[..., 0])[0].shape  # broadcast_shapes imports sympy: seconds
    return a.expand(*batch, a.shape[-1]), b.expand(*batch, b.shape[-1])
