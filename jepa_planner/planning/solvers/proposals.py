"""Action sequences worth trying before random ones: from the plan before, by name, or from whoever knows better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from jepa_planner.core.arm_layout import AXES, GRIPPER, X, Y, Z

if TYPE_CHECKING:
    from jepa_planner.model.world_model import Context
    from jepa_planner.planning.action_space import ActionSpace


class Proposals(Protocol):
    """A source of sequences that fit the moment, such as a learned policy or a library of motions."""

    def __call__(self, context: Context, goal: Tensor, horizon: int) -> Tensor:
        """Sequences [P, H, A] from a context toward a goal [N, D], the best guess first; P may be 0."""
        ...


def named_proposals(names: Sequence[str], action_space: ActionSpace, horizon: int) -> Tensor:
    """Sequences [P, H, A] by their names in NAMED."""
    return torch.cat([torch.zeros(0, horizon, AXES), *(NAMED[name](action_space, horizon) for name in names)])


def best_guess_and_others(
    proposals: Tensor | None, action_space: ActionSpace, horizon: int
) -> tuple[Tensor | None, Tensor]:
    """Splits proposals [P, H, A] into the first [H, A], None where there is none, and the others; all within bounds.

    Raises ValueError for sequences of another length.
    """
    if proposals is None:
        return None, torch.zeros(0, horizon, AXES)
    if proposals.ndim != 3 or tuple(proposals.shape[1:]) != (horizon, AXES):
        raise ValueError(f"proposals are {list(proposals.shape)}; expected [P, {horizon}, {AXES}]")
    proposals = action_space.clip(proposals.to("cpu", torch.float32))
    return (proposals[0] if len(proposals) else None), proposals[1:]


def starting_points(
    proposals: Tensor | None, names: Sequence[str], action_space: ActionSpace, horizon: int
) -> tuple[Tensor, Tensor]:
    """Where a search begins: the best guess [H, A], no action where there is none, and all sequences to try [P, H, A].

    The guess is the first of those, then come the other proposals and the named ones.
    """
    guess, others = best_guess_and_others(proposals, action_space, horizon)
    mean = torch.zeros(horizon, AXES) if guess is None else guess
    return mean, torch.cat([mean[None], others, named_proposals(names, action_space, horizon)])


def _noop(action_space: ActionSpace, horizon: int) -> Tensor:
    return torch.zeros(1, horizon, AXES)


def _open(action_space: ActionSpace, horizon: int) -> Tensor:
    return -_close(action_space, horizon)


def _close(action_space: ActionSpace, horizon: int) -> Tensor:
    sequence = torch.zeros(1, horizon, AXES)
    sequence[0, 0, GRIPPER] = action_space.max_abs[GRIPPER]
    return sequence


def _axes(action_space: ActionSpace, horizon: int) -> Tensor:
    """Steadily along each axis of the arm that may move, there and back: the first search's spread at each step."""
    free = [axis for axis in action_space.free_axes if axis != GRIPPER]
    return _steady(
        [[sign * (axis == moving) for axis in range(AXES)] for moving in free for sign in (1, -1)],
        action_space,
        horizon,
    )


def _diagonals(action_space: ActionSpace, horizon: int) -> Tensor:
    """Steadily along each diagonal of the box of translations."""
    free = [axis for axis in (X, Y, Z) if axis in action_space.free_axes]
    signs = [dict(zip(free, corner, strict=True)) for corner in product((1, -1), repeat=len(free))] if free else []
    return _steady([[corner.get(axis, 0) for axis in range(AXES)] for corner in signs], action_space, horizon)


def _steady(directions: list[list[int]], action_space: ActionSpace, horizon: int) -> Tensor:
    steps = torch.tensor(directions, dtype=torch.float32).reshape(-1, 1, AXES) * action_space.std
    return action_space.clip(steps.expand(-1, horizon, -1))


NAMED: dict[str, Callable[[ActionSpace, int], Tensor]] = {
    "noop": _noop,
    "open": _open,
    "close": _close,
    "axes": _axes,
    "diagonals": _diagonals,
}
"""noop: nothing; open, close: the gripper in the first step; axes, diagonals: a steady motion in many directions."""
