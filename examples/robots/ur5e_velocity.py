"""The UR5e's Cartesian velocity controller: the tool goes as fast as it was last told, for a moment."""

from __future__ import annotations

import numpy as np
from ur5e_cell import CYCLE_S, HIGH_M, LOW_M, Cell
from ur5e_motion import CartesianArm

TWIST_TIMEOUT_S = 0.2


class CartesianVelocity:
    """Moves the tool as a TwistStamped asks, within the cell's bounds, until none came for TWIST_TIMEOUT_S."""

    CYCLES = 5
    """Joints are sought anew after so many cycles, and go there evenly."""

    def __init__(self, cell: Cell) -> None:
        self._motion = CartesianArm(cell)
        self._asked_s = -np.inf
        self._moves = False

    def ask(self, velocity_m_s: np.ndarray, turn_rad_s: float, now_s: float) -> None:
        """From now on."""
        self._velocity_m_s, self._turn_rad_s, self._asked_s = velocity_m_s, turn_rad_s, now_s

    def goes_on(self, now_s: float) -> bool:
        """Whether the arm is to be moved so."""
        asked = now_s - self._asked_s < TWIST_TIMEOUT_S
        if asked and not self._moves:
            self._motion.begin()
            self._from = self._to = self._motion.joints_rad
        self._moves = asked
        return asked

    def update(self, cycle: int) -> np.ndarray:
        """The joints to command in a cycle."""
        step = cycle % self.CYCLES
        if step == 0 or self._to is self._from:
            motion, seconds = self._motion, self.CYCLES * CYCLE_S
            target_m = np.clip(motion.target_m + self._velocity_m_s * seconds, LOW_M, HIGH_M)
            yaw_rad = motion.yaw_rad + self._turn_rad_s * seconds
            self._from = self._to
            self._to = motion.solve(target_m, yaw_rad, 2)
            motion.joints_rad, motion.target_m, motion.yaw_rad = self._to, target_m, yaw_rad
        return self._from + (self._to - self._from) * (step + 1) / self.CYCLES
