"""What is left for the hand where objects lie as shown: it lets go, and it leaves. No model is asked: an arm does what
actions say, and a search would weigh where the arm stands in the goal picture against what it has just put down.
"""

from __future__ import annotations

import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from jepa_planner.planning.action_space import GRIPPER, ActionSpace
from jepa_planner.planning.verdict import LEAVE, LET_GO, Verdict

ROTATION = slice(3, 6)
FROM_FINGERS = (0.0, 0.0, 1.0)
"""Away from what the fingers point at, in the frame of a hand, whose rotation is zero where it points down."""
SMALL = 1e-3


def finishing_actions(verdict: Verdict, state: Tensor, horizon: int, space: ActionSpace) -> Tensor | None:
    """Actions [H, A] from arm state [S] on that open the gripper where it stands, or draw the hand back, fingers first,
    as fast as `space` allows; then rest. None where something else is missing, or nothing.
    """
    actions = torch.zeros(horizon, len(space.max_abs))
    if verdict.missing == LET_GO:
        actions[0, GRIPPER] = -1.0
    elif verdict.missing == LEAVE:
        back = torch.from_numpy(Rotation.from_euler("xyz", state[ROTATION].double().numpy()).apply(FROM_FINGERS))
        axes = [axis for axis in range(3) if space.max_abs[axis] > 0.0 and abs(back[axis]) > SMALL]
        if not axes:
            return None
        actions[0, axes] = (back[axes] * min(space.max_abs[axis] / abs(back[axis]) for axis in axes)).float()
    else:
        return None
    return space.clip(actions)
