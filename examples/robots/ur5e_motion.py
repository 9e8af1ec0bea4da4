"""Moves the cell's arm by poses of its tool, gripper down, as a Cartesian controller does; nothing of the planner."""

from __future__ import annotations

import mujoco
import numpy as np
from ur5e_cell import CYCLE_S, HIGH_M, LOW_M, READY_RAD, Cell

DOWN = np.array(((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)))
"""The tool's rotation at a yaw of 0: x along the base's x, z down."""
MOST_RAD = 0.2
"""No joint turns farther at once while joints are sought."""


class CartesianArm:
    """Where the tool is to be, and the joints that bring it there."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self._scratch = mujoco.MjData(cell.model)
        self._tip = cell.model.site("gripper_pinch").id
        self.begin()

    def begin(self) -> None:
        """From where the arm is, the gripper open."""
        self.joints_rad = self.cell.joints_rad()
        self.target_m, self.yaw_rad, self.closure = self.cell.tool_pose()[0], 0.0, 0.0

    def solve(self, target_m: np.ndarray, yaw_rad: float, iterations: int = 4) -> np.ndarray:
        """The joints [6] that bring the tool there, from those commanded last."""
        cell, data, joints = self.cell, self._scratch, self.joints_rad.copy()
        cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
        wanted = np.array(((cos, -sin, 0.0), (sin, cos, 0.0), (0.0, 0.0, 1.0))) @ DOWN
        moves, turns = np.zeros((3, cell.model.nv)), np.zeros((3, cell.model.nv))
        for _ in range(iterations):
            data.qpos[cell.places] = joints
            mujoco.mj_kinematics(cell.model, data)
            mujoco.mj_comPos(cell.model, data)
            mujoco.mj_jacSite(cell.model, data, moves, turns, self._tip)
            rotation = data.site_xmat[self._tip].reshape(3, 3)
            off = wanted @ rotation.T
            turn = 0.5 * np.array((off[2, 1] - off[1, 2], off[0, 2] - off[2, 0], off[1, 0] - off[0, 1]))
            error = np.concatenate((target_m - data.site_xpos[self._tip], turn))
            jacobian = np.concatenate((moves, turns))[:, cell.speeds]
            turn_rad = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + 1e-6 * np.eye(6), error)
            joints = joints + turn_rad * min(1.0, MOST_RAD / max(1e-9, np.abs(turn_rad).max()))
        return joints

    def glide(self, target_m: np.ndarray, yaw_rad: float, closure: float, seconds: float) -> None:
        """To a pose within the cell's bounds in a straight line, in so many seconds."""
        target_m = np.clip(target_m, LOW_M, HIGH_M)
        begin, end = self.joints_rad, self.solve(target_m, yaw_rad)
        cycles = round(seconds / CYCLE_S)
        for cycle in range(1, cycles + 1):
            self.cell.cycle(begin + (end - begin) * cycle / cycles, closure)
        self.joints_rad, self.target_m, self.yaw_rad, self.closure = end, target_m, yaw_rad, closure

    def place(self, target_m: np.ndarray, cube_xy_m: np.ndarray, cube_yaw_rad: float) -> None:
        """Everything anew: the tool there, at rest and open, the cube at its place."""
        self.joints_rad = READY_RAD
        self.joints_rad = self.solve(target_m, 0.0, 60)
        self.cell.reset(cube_xy_m, cube_yaw_rad, self.joints_rad)
        self.begin()
        for _ in range(100):
            self.cell.cycle(self.joints_rad, 0.0)
        self.target_m = target_m
