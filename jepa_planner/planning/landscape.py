"""Energies of single actions over a grid: what the search sees around an observation, in one or two axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.arm_layout import AXES, AXIS_NAMES, AXIS_UNITS, GRIPPER
from jepa_planner.planning.solvers.plan import NonFiniteEnergyError

if TYPE_CHECKING:
    from jepa_planner.model.world_model import Context
    from jepa_planner.planning.rollout_cost import RolloutCost

BLOCK = 64


@dataclass(frozen=True)
class GridAxis:
    """One action channel and the values it takes, ascending and evenly spaced, in the channel's unit."""

    channel: int
    values: tuple[float, ...]

    @property
    def name(self) -> str:
        return AXIS_NAMES[self.channel]

    @property
    def unit(self) -> str:
        return AXIS_UNITS[self.channel]

    @property
    def step(self) -> float:
        """Distance between neighbouring values."""
        return (self.values[-1] - self.values[0]) / (len(self.values) - 1)


@dataclass(frozen=True)
class Landscape:
    """Energies of one action each, all other axes held at 0.

    energies: one dimension per axis, in their order. energy_now: of the observation itself, nothing imagined;
    energy_still: imagined after no action.
    """

    axes: tuple[GridAxis, ...]
    energies: np.ndarray
    energy_now: float
    energy_still: float

    @property
    def minimum_index(self) -> tuple[int, ...]:
        """Place of the least energy in the grid."""
        return tuple(int(i) for i in np.unravel_index(self.energies.argmin(), self.energies.shape))

    @property
    def minimum(self) -> np.ndarray:
        """Value of each axis at the least energy."""
        return np.array([axis.values[i] for axis, i in zip(self.axes, self.minimum_index, strict=True)])


def grid_axis(name: str, half_range: float, points: int, closure: float = 0.0) -> GridAxis:
    """The axis called `name` from -half_range to half_range.

    The gripper's is cut to what can happen from its `closure` on: an open gripper cannot open further.
    Raises ValueError for an unknown name, fewer than 3 points or an empty range.
    """
    if name not in AXIS_NAMES:
        raise ValueError(f"axis {name!r} is unknown; known are {', '.join(AXIS_NAMES)}")
    if points < 3:
        raise ValueError(f"{points} grid points given; at least 3 are needed along an axis")
    if not 0.0 < half_range < np.inf:
        raise ValueError(f"the range of axis {name} is {half_range}; expected a finite number > 0")
    channel = AXIS_NAMES.index(name)
    low, high = -half_range, half_range
    if channel == GRIPPER:
        closure = min(max(closure, 0.0), 1.0)
        low, high = max(low, -closure), min(high, 1.0 - closure)
    return GridAxis(channel, tuple(np.linspace(low, high, points).tolist()))


def sweep(
    cost: RolloutCost,
    context: Context,
    goal: Tensor,
    energy_now: float,
    axes: Sequence[GridAxis],
    advance: Callable[[int], object] = lambda _: None,
) -> Landscape:
    """Imagines one action after the context for each point of the grid, and measures the energy to goal [N, D].

    advance is called with the number of points done. Raises ValueError unless there are one or two different
    axes, and NonFiniteEnergyError.
    """
    channels = [axis.channel for axis in axes]
    if len(axes) not in (1, 2) or len(set(channels)) != len(axes):
        raise ValueError(f"axes are {', '.join(axis.name for axis in axes)}; expected one, or two different ones")
    places = torch.cartesian_prod(*(torch.tensor(axis.values) for axis in axes)).reshape(-1, len(axes))
    actions = torch.zeros(len(places) + 1, 1, AXES)  # the last one is no action
    actions[:-1, 0, channels] = places
    parts = []
    for block in actions.split(BLOCK):
        parts.append(cost.energies(context, goal, block).float().cpu())
        advance(len(block))
    energies = torch.cat(parts).numpy()
    if broken := int((~np.isfinite(energies)).sum()):
        raise NonFiniteEnergyError(f"{broken} of {len(energies)} energies of the landscape are NaN or infinite")
    shape = [len(axis.values) for axis in axes]
    return Landscape(tuple(axes), energies[:-1].reshape(shape), energy_now, float(energies[-1]))
