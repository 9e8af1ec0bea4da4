"""What is left for the hand where objects lie as shown: it lets go, and it leaves. No model is asked: an arm does what
actions say, and a search would weigh where the arm stands in the goal picture against what it has just put down.
"""

from __future__ import annotations

import math

import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from jepa_planner.core.arm_layout import GRIPPER, RPY, XYZ, Z
from jepa_planner.planning.action_space import ActionSpace
from jepa_planner.planning.verdict import LEAVE, LET_GO, NOTHING, Verdict

STEEP = 0.1
"""So much of a way back may lead down; one that leads farther down is a wrong one, as where `back` is another tcp's."""
ROUGHLY_M = 0.04
"""A way back may lead so far away from where the goal picture shows the hand, which is read from it no better."""
ASIDE = 0.7
"""Least share of the way back that must be left where the hand may not move along some axes."""
SMALL = 1e-3


def finishing_actions(
    verdict: Verdict, state: Tensor, horizon: int, space: ActionSpace, back: tuple[float, float, float]
) -> Tensor | None:
    """Actions [H, A] from arm state [S] on that open the gripper where it stands, or draw the hand back along its
    fingers, as fast as `space` allows; then rest, as where nothing is missing and observations have yet to agree. back:
    as in VerdictSettings. None where something else is missing, or the hand may not move that way.
    """
    actions = torch.zeros(horizon, len(space.max_abs))
    if verdict.missing == NOTHING:
        return actions
    if verdict.missing == LET_GO:
        actions[0, GRIPPER] = -1.0
    elif verdict.missing == LEAVE:
        way = Rotation.from_euler("xyz", state[RPY].double().numpy()).apply(back)
        way = torch.from_numpy(way / math.hypot(*back))
        if way[Z] < -STEEP or _toward(verdict, state, way) < -ROUGHLY_M:
            return None
        bounds = torch.tensor(space.max_abs[XYZ], dtype=way.dtype)
        way = torch.where((bounds > 0.0) & (way.abs() > SMALL), way, 0.0)
        if way.norm() < ASIDE:
            return None
        moves = way != 0.0
        actions[0, XYZ] = (way * (bounds[moves] / way[moves].abs()).min()).float()
    else:
        return None
    return space.clip(actions)


def _toward(verdict: Verdict, state: Tensor, way: Tensor) -> float:
    """How far (m) the hand would have to go along a way [3] to be nearest to where the goal picture shows it."""
    return 0.0 if verdict.shown_m is None else float((torch.tensor(verdict.shown_m) - state[XYZ]).to(way) @ way)
