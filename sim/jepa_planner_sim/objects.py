"""Objects of a scene as bodies in PyBullet."""

from __future__ import annotations

import numpy as np

from jepa_planner_sim.bullet import BulletClient, pybullet
from jepa_planner_sim.scene import TableObject

MASS_KG = 0.08
CROSS_ARM = 0.5
"""Width of a cross's arms, as a share of its length."""


def load_object(bullet: BulletClient, item: TableObject) -> int:
    """Put an object on the table; returns its body. Raises ValueError for a shape that there is not."""
    if item.shape not in _PARTS:
        raise ValueError(f"unknown object shape {item.shape!r}; known are {', '.join(_PARTS)}")
    colour = (*item.colour, 1.0)
    collision, visual = _PARTS[item.shape](bullet, item, colour)
    orientation = bullet.getQuaternionFromEuler([0.0, 0.0, item.yaw_rad])
    body = bullet.createMultiBody(MASS_KG, collision, visual, [*item.xy_m, item.extents_m[2] / 2], orientation)
    bullet.changeDynamics(
        body, -1, lateralFriction=0.8, spinningFriction=0.005, rollingFriction=0.001, linearDamping=0.1,
        angularDamping=0.1,
    )  # fmt: skip
    return body


def _box(bullet: BulletClient, item: TableObject, colour: tuple[float, ...]) -> tuple[int, int]:
    half = [edge / 2 for edge in item.extents_m]
    return (
        bullet.createCollisionShape(pybullet.GEOM_BOX, halfExtents=half),
        bullet.createVisualShape(pybullet.GEOM_BOX, halfExtents=half, rgbaColor=colour),
    )


def _cylinder(bullet: BulletClient, item: TableObject, colour: tuple[float, ...]) -> tuple[int, int]:
    radius, height = item.extents_m[0] / 2, item.extents_m[2]
    return (
        bullet.createCollisionShape(pybullet.GEOM_CYLINDER, radius=radius, height=height),
        bullet.createVisualShape(pybullet.GEOM_CYLINDER, radius=radius, length=height, rgbaColor=colour),
    )


def _sphere(bullet: BulletClient, item: TableObject, colour: tuple[float, ...]) -> tuple[int, int]:
    radius = item.extents_m[0] / 2
    return (
        bullet.createCollisionShape(pybullet.GEOM_SPHERE, radius=radius),
        bullet.createVisualShape(pybullet.GEOM_SPHERE, radius=radius, rgbaColor=colour),
    )


def _hexagon(bullet: BulletClient, item: TableObject, colour: tuple[float, ...]) -> tuple[int, int]:
    """A prism that stands on a regular hexagon, two of its faces across the width."""
    angles = np.arange(6) * np.pi / 3
    radius = item.extents_m[1] / np.sqrt(3)
    ring = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    half = item.extents_m[2] / 2
    corners = [[*xy, z] for z in (-half, half) for xy in ring]
    faces: list[int] = []
    vertices: list[list[float]] = []
    normals: list[list[float]] = []
    for loop in [[*range(6)][::-1], [*range(6, 12)], *([i, (i + 1) % 6, (i + 1) % 6 + 6, i + 6] for i in range(6))]:
        points = np.array([corners[i] for i in loop])
        normal = np.cross(points[1] - points[0], points[2] - points[0])
        first = len(vertices)
        vertices += points.tolist()
        normals += [(normal / np.linalg.norm(normal)).tolist()] * len(points)
        faces += [index for i in range(1, len(points) - 1) for index in (first, first + i, first + i + 1)]
    return (
        bullet.createCollisionShape(pybullet.GEOM_MESH, vertices=corners),
        bullet.createVisualShape(
            pybullet.GEOM_MESH, vertices=vertices, indices=faces, normals=normals, rgbaColor=colour
        ),
    )


def _cross(bullet: BulletClient, item: TableObject, colour: tuple[float, ...]) -> tuple[int, int]:
    """Two boxes across each other."""
    length, width, height = item.extents_m
    halves = [[length / 2, CROSS_ARM * width / 2, height / 2], [CROSS_ARM * length / 2, width / 2, height / 2]]
    kinds = [pybullet.GEOM_BOX] * 2
    return (
        bullet.createCollisionShapeArray(kinds, halfExtents=halves),
        bullet.createVisualShapeArray(kinds, halfExtents=halves, rgbaColors=[colour] * 2),
    )


_PARTS = {"box": _box, "cylinder": _cylinder, "sphere": _sphere, "hexagon": _hexagon, "cross": _cross}
