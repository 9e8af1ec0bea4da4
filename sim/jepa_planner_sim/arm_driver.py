"""Executes actions in the simulated world through the same setpoint stream that drives a real arm."""

from __future__ import annotations

from collections.abc import Set

import numpy as np

from jepa_planner.control.kinematics import rotation_from_rpy
from jepa_planner.control.setpoint_stream import SetpointStream
from jepa_planner_sim.scene_draws import TURNING
from jepa_planner_sim.world import World

ACTION_PERIOD_S = 0.25
MOTION_S = 0.22
"""A motion takes this long at least, and the rest of the period is for coming to rest."""
MAX_TICKS = 100
MAX_TRANSLATION_M = 0.06
MAX_YAW_RAD = 0.12
"""What the limits of a turn leave time for in one step."""
MAX_CLOSURE_CHANGE = 1.0
ACTION_MAX = np.array([MAX_TRANSLATION_M] * 3 + [0.0, 0.0, MAX_YAW_RAD, MAX_CLOSURE_CHANGE], dtype=np.float32)
"""Bounds of one action [7]: dx, dy, dz (m), droll, dpitch (held at zero), dyaw (rad), dclosure."""
UPRIGHT_ACTION_MAX = ACTION_MAX * np.array([1, 1, 1, 1, 1, 0, 1], dtype=np.float32)
"""The same for scenes in which the gripper need not turn."""


def action_max(vary: Set[str]) -> np.ndarray:
    """Bounds of an action [7] in scenes that vary so."""
    return ACTION_MAX if vary & TURNING else UPRIGHT_ACTION_MAX


class ArmDriver:
    """Moves the arm of a world by actions [7], one each ACTION_PERIOD_S of simulated time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._stream = SetpointStream(world.kinematics, world.limits)

    def reset(self) -> None:
        """Take the arm's measured state as the starting point; call after the arm was placed or the world restored."""
        self._stream.reset(self.world.joint_positions(), self.world.closure_commanded)

    def place_tcp(self, xyz_m: np.ndarray, closure: float = 0.0, yaw_rad: float = 0.0) -> None:
        """Put the tcp at a point with the gripper down and turned by `yaw_rad`, at rest."""
        rotation = rotation_from_rpy(np.array([0.0, 0.0, yaw_rad]))
        q = self.world.kinematics.inverse(np.asarray(xyz_m, dtype=float), rotation, self.world.joint_positions())
        self.world.place_arm(q, closure)
        self.reset()

    def execute(self, action: np.ndarray) -> None:
        """Run one action to its end, which takes one action period or what the joints need.

        The action is clipped to ACTION_MAX first, and what it leads to by the limits that hold for every command.
        Raises ValueError for what is not seven finite numbers.
        """
        if np.shape(action) != ACTION_MAX.shape:
            raise ValueError(f"an action is {len(ACTION_MAX)} numbers, got shape {np.shape(action)}")
        action = np.clip(action, -ACTION_MAX, ACTION_MAX)
        self._stream.move_by(action, MOTION_S)
        ticks, moving = 0, True
        while ticks < ACTION_PERIOD_S / self._stream.period_s or (moving and ticks < MAX_TICKS):
            setpoint = self._stream.tick()
            self.world.set_setpoint(setpoint.q_rad, setpoint.closure)
            self.world.advance(self._stream.period_s)
            ticks, moving = ticks + 1, setpoint.moving
