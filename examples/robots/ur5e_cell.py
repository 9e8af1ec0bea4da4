"""A UR5e with a Robotiq 2F-85 in MuJoCo, a table with a cube, and two cameras: what a stranger's cell does.

It imports nothing of the planner. Models and meshes are those of the package ogbench; the arm is drawn as its
collision shapes, which a processor draws fast. Poses are in the frame of the arm's base, in m and rad.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

CYCLE_S = 1 / 500
JOINTS = ("shoulder_pan_joint", "shoulder_lift_joint", "elbow_joint", "wrist_1_joint", "wrist_2_joint", "wrist_3_joint")
READY_RAD = np.array((0.0, -1.6, 1.9, -1.87, -1.57, 0.0))
STIFFNESS = {"size3": (20000.0, 400.0), "size1": (6000.0, 120.0)}
FINGER_CLOSED_RAD = 0.8
CUBE_M = 0.045
LOW_M, HIGH_M = np.array((0.34, -0.20, 0.02)), np.array((0.62, 0.20, 0.22))
"""Where the tool goes."""
CUBE_LOW_M, CUBE_HIGH_M = np.array((0.37, -0.17)), np.array((0.59, 0.17))
"""Where the cube lies."""
_SHOWN, _SHAPES, _HIDDEN = 0, 3, 5


@dataclass(frozen=True)
class View:
    """A fixed camera: where it is and looks (m), and its vertical field of view (degrees)."""

    name: str
    eye_m: tuple[float, float, float]
    target_m: tuple[float, float, float]
    vertical_field_of_view_deg: float


VIEWS = (
    View("front", (1.25, 0.0, 0.62), (0.47, 0.0, 0.11), 29.0),
    View("side", (0.46, -0.95, 0.52), (0.47, 0.0, 0.11), 28.0),
)


def cell_model(descriptions: Path | None = None) -> mujoco.MjModel:
    """The whole cell; the arm's own names, the gripper's with the prefix `gripper_`.

    descriptions: a folder that has universal_robots_ur5e and robotiq_2f85; None: that of the package ogbench.
    """
    if descriptions is None:  # the package itself needs much that its files do not
        descriptions = Path(str(importlib.util.find_spec("ogbench").origin)).parent / "manipspace" / "descriptions"
    spec = mujoco.MjSpec.from_file(str(descriptions / "universal_robots_ur5e" / "ur5e.xml"))
    gripper = mujoco.MjSpec.from_file(str(descriptions / "robotiq_2f85" / "2f85.xml"))
    spec.option.cone, spec.option.impratio = gripper.option.cone, gripper.option.impratio
    spec.attach(gripper, prefix="gripper_", site=spec.site("attachment_site"))
    for key in spec.keys:
        spec.delete(key)
    spec.body("base").quat = (1.0, 0.0, 0.0, 0.0)  # its own frame is that of the cell
    for body in spec.bodies[1:]:
        body.gravcomp = 1.0
    for actuator in spec.actuators[: len(JOINTS)]:
        stiffness, damping = STIFFNESS["size1" if "wrist" in actuator.name else "size3"]
        actuator.gainprm[0], actuator.biasprm[1:3] = stiffness, (-stiffness, -damping)
    spec.option.timestep = CYCLE_S
    _draw_shapes(spec)
    world = spec.worldbody
    world.add_geom(
        name="table", type=mujoco.mjtGeom.mjGEOM_BOX, pos=(0.5, 0.0, -0.02), size=(0.45, 0.6, 0.02),
        rgba=(0.55, 0.47, 0.38, 1.0), group=_SHOWN,
    )  # fmt: skip
    cube = world.add_body(name="cube", pos=(0.5, 0.0, CUBE_M / 2))
    cube.add_freejoint(name="cube")
    cube.add_geom(
        name="cube", type=mujoco.mjtGeom.mjGEOM_BOX, size=(CUBE_M / 2,) * 3, rgba=(0.85, 0.12, 0.10, 1.0), mass=0.08,
        friction=(1.0, 0.03, 0.003), condim=4, group=_SHOWN,
    )  # fmt: skip
    world.add_light(pos=(0.2, -0.4, 1.8), dir=(0.15, 0.2, -1.0), diffuse=(0.45, 0.45, 0.45), castshadow=False)
    world.add_light(pos=(1.2, 0.6, 1.6), dir=(-0.5, -0.3, -1.0), diffuse=(0.35, 0.35, 0.35), castshadow=False)
    for view in VIEWS:
        _add_camera(world, view)
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 640, 480
    spec.visual.quality.offsamples = 0  # four samples a pixel take three times as long on a processor
    return spec.compile()


def _draw_shapes(spec: mujoco.MjSpec) -> None:
    """Shows what collides; of the gripper's housing, whose mesh is large, a cylinder."""
    for geom in spec.geoms:
        if geom.group != _SHAPES:
            continue
        geom.material = ""
        geom.rgba = (0.16, 0.17, 0.20, 1.0) if geom.parent.name.startswith("gripper_") else (0.62, 0.66, 0.72, 1.0)
        if geom.parent.name in ("gripper_base_mount", "gripper_base"):
            geom.group = _HIDDEN
    spec.body("gripper_base").add_geom(
        type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=(0.037, 0.045, 0.0), pos=(0.0, 0.0, 0.045),
        rgba=(0.16, 0.17, 0.20, 1.0), group=_SHOWN, contype=0, conaffinity=0, mass=0.0,
    )  # fmt: skip


def _add_camera(world: mujoco.MjsBody, view: View) -> None:
    ahead = np.subtract(view.target_m, view.eye_m)
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    axes, quaternion = np.column_stack((right, np.cross(right, ahead), -ahead)), np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, axes.flatten())
    world.add_camera(name=view.name, pos=view.eye_m, quat=quaternion, fovy=view.vertical_field_of_view_deg)


class Cell:
    """Physics of the cell; `cycle` goes on by CYCLE_S."""

    def __init__(self, descriptions: Path | None = None) -> None:
        self.model = cell_model(descriptions)
        self.data = mujoco.MjData(self.model)
        joints = [self.model.joint(name) for name in JOINTS]
        self.places = np.array([joint.qposadr[0] for joint in joints])
        self.speeds = np.array([joint.dofadr[0] for joint in joints])
        self._finger = self.model.joint("gripper_left_driver_joint").qposadr[0]
        self._cube, self._cube_speed = self.model.joint("cube").qposadr[0], self.model.joint("cube").dofadr[0]
        self._tip = self.model.site("gripper_pinch").id
        self._renderers: dict[tuple[int, int], mujoco.Renderer] = {}
        self._look = mujoco.MjvOption()
        self._look.geomgroup[:] = 0
        self._look.geomgroup[[_SHOWN, _SHAPES]] = 1
        self.reset(np.array((0.5, 0.0)), 0.0)

    def reset(self, cube_xy_m: np.ndarray, cube_yaw_rad: float, joints_rad: np.ndarray = READY_RAD) -> None:
        """At rest, with open gripper."""
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[self.places] = joints_rad
        self.data.ctrl[: len(JOINTS)] = joints_rad
        self.put_cube(cube_xy_m, cube_yaw_rad)

    def put_cube(self, xy_m: np.ndarray, yaw_rad: float) -> None:
        """It lies still there."""
        quaternion = (np.cos(yaw_rad / 2), 0.0, 0.0, np.sin(yaw_rad / 2))
        self.data.qpos[self._cube : self._cube + 7] = (*xy_m, CUBE_M / 2, *quaternion)
        self.data.qvel[self._cube_speed : self._cube_speed + 6] = 0.0
        mujoco.mj_forward(self.model, self.data)

    def show(self, positions: np.ndarray) -> None:
        """Everything stands as in the `qpos` of another cell."""
        self.data.qpos[:] = positions
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    def close(self) -> None:
        """Lets go of what draws pictures, in the thread that drew them."""
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers = {}

    def cycle(self, joints_rad: np.ndarray, closure: float) -> None:
        """Follow commanded joints and closure (0 open, 1 closed) for CYCLE_S."""
        self.data.ctrl[: len(JOINTS)] = joints_rad
        self.data.ctrl[len(JOINTS)] = 255.0 * closure
        mujoco.mj_step(self.model, self.data)

    def joints_rad(self) -> np.ndarray:
        """Where the arm's joints are [6]."""
        return self.data.qpos[self.places].copy()

    def joint_speeds_rad_s(self) -> np.ndarray:
        """How fast they turn [6]."""
        return self.data.qvel[self.speeds].copy()

    def finger_rad(self) -> float:
        """Where the finger joint is: 0 open, FINGER_CLOSED_RAD closed."""
        return float(self.data.qpos[self._finger])

    def tool_pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Place [3] and rotation [3, 3] of the point between the fingers."""
        return self.data.site_xpos[self._tip].copy(), self.data.site_xmat[self._tip].reshape(3, 3).copy()

    def cube_pose(self) -> tuple[np.ndarray, float]:
        """Place [3] and yaw of the cube."""
        x, y, z, *quaternion = self.data.qpos[self._cube : self._cube + 7]
        w, i, j, k = quaternion
        return np.array((x, y, z)), float(np.arctan2(2 * (w * k + i * j), 1 - 2 * (j * j + k * k)))

    def picture(self, view: str, width_px: int = 640, height_px: int = 480) -> np.ndarray:
        """What a camera sees, uint8 RGB [H, W, 3]."""
        size = (height_px, width_px)
        if size not in self._renderers:
            self._renderers[size] = mujoco.Renderer(self.model, *size)
        renderer = self._renderers[size]
        renderer.update_scene(self.data, view, self._look)
        for effect in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            renderer.scene.flags[effect] = 0
        return renderer.render()
