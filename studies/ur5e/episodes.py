"""What the teleoperated cell shows, a step at a time: as `record` and `data from-bag` bring it, without the hours."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from scipy.spatial.transform import Rotation
from ur5e_cell import CUBE_HIGH_M, CUBE_LOW_M, FINGER_CLOSED_RAD, HIGH_M, LOW_M, VIEWS, Cell
from ur5e_motion import CartesianArm
from ur5e_teleoperator import PERIOD_S, Teleoperator

from jepa_planner.core.poses import action_between

STEP_S = 0.25


def state_of(cell: Cell, closure: float) -> np.ndarray:
    """The arm as a model is told of it, float32 [8]."""
    place, rotation = cell.tool_pose()
    rpy = Rotation.from_matrix(rotation).as_euler("xyz")
    return np.array((*place, *rpy, closure, cell.finger_rad() / FINGER_CLOSED_RAD), np.float32)


def pictures_of(cell: Cell, size_px: int) -> np.ndarray:
    """What both cameras see, as a model gets it that runs on them, uint8 [2, size_px, size_px, 3]."""
    pictures = []
    for view in VIEWS:
        wide = cell.picture(view.name)
        edge = (wide.shape[1] - wide.shape[0]) // 2
        middle = wide[:, edge : edge + wide.shape[0]]
        pictures.append(cv2.resize(middle, (size_px, size_px), interpolation=cv2.INTER_LINEAR))
    return np.stack(pictures)


def draw_start(arm: CartesianArm, rng: np.random.Generator) -> None:
    """The tool somewhere above the table, the cube anywhere in its region."""
    cube_m = rng.uniform(CUBE_LOW_M, CUBE_HIGH_M)
    while True:
        tool_m = rng.uniform(np.add(LOW_M, (0.0, 0.0, 0.07)), HIGH_M)
        if tool_m[2] > 0.13 or np.linalg.norm(tool_m[:2] - cube_m) > 0.07:
            return arm.place(tool_m, cube_m, rng.uniform(-0.35, 0.35))


def episode(arm: CartesianArm, rng: np.random.Generator, steps: int, size_px: int) -> dict[str, np.ndarray]:
    """So many steps of work, seen once a step."""
    cell = arm.cell
    draw_start(arm, rng)
    operator = Teleoperator(lambda: (cell.tool_pose()[0], cell.cube_pose()[0]), rng).work()
    images, states, cubes = [], [], []
    for step in range(steps + 1):
        images.append(pictures_of(cell, size_px))
        states.append(state_of(cell, arm.closure))
        place, yaw = cell.cube_pose()
        cubes.append((*place, yaw))
        for _ in range(round(STEP_S / PERIOD_S) if step < steps else 0):
            wish = next(operator)
            arm.glide(arm.target_m + wish.velocity_m_s * PERIOD_S, 0.0, wish.closure, PERIOD_S)
    told = torch.from_numpy(np.array(states)).double()
    actions = action_between(told[:-1], told[1:]).float().numpy()
    return {
        "images": np.array(images), "states": np.array(states), "actions": actions,
        "object_pose": np.array(cubes, np.float32),
    }  # fmt: skip
