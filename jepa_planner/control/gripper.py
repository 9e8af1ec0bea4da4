"""The gripper as its driver reports it: finger joints, and where they are when it is open and when it is closed."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Gripper:
    """Finger joints, of which the first is commanded, and their position (m or rad) at both ends.

    Without joints: an arm that has no gripper, whose closure is always 0. Raises ValueError for ends that are the same.
    """

    joints: tuple[str, ...] = ()
    open: float = 0.0
    closed: float = 1.0

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.open, self.closed))):
            raise ValueError(f"gripper_open is {self.open}, gripper_closed {self.closed}; expected finite numbers")
        if self.open == self.closed:
            raise ValueError(f"gripper_open and gripper_closed are both {self.open}; expected two positions")
        if twice := [name for name in self.joints if self.joints.count(name) > 1]:
            raise ValueError(f"gripper_joints names {twice[0]} twice")
