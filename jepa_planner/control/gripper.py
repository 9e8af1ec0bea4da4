"""A gripper's two ends, and what lies between them."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Ends:
    """Positions (m or rad) of an open and of a closed gripper; raises ValueError for two that are the same."""

    open: float = 0.0
    closed: float = 1.0

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.open, self.closed))):
            raise ValueError(f"gripper_open is {self.open}, gripper_closed {self.closed}; expected finite numbers")
        if self.open == self.closed:
            raise ValueError(f"gripper_open and gripper_closed are both {self.open}; expected two positions")

    def position(self, closure: float) -> float:
        """Where a gripper of this closure, 0 open to 1 closed, is."""
        return self.open + closure * (self.closed - self.open)

    def closure(self, position: float) -> float:
        """How far a gripper that is there has closed; not bounded."""
        return (position - self.open) / (self.closed - self.open)


@dataclass(frozen=True)
class Gripper(Ends):
    """The gripper as its driver reports it: finger joints, of which the first is commanded, between its ends.

    Without joints: an arm that has no gripper, whose closure is always 0.
    """

    joints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if twice := [name for name in self.joints if self.joints.count(name) > 1]:
            raise ValueError(f"gripper_joints names {twice[0]} twice")
