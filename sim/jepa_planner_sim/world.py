"""The simulated world: a Panda before a table in PyBullet, driven by joint setpoints and seen by cameras."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pybullet_data

from jepa_planner.control.kinematics import rpy_from_rotation
from jepa_planner.control.limits import SafetyLimits
from jepa_planner.core.uncopyable import Uncopyable
from jepa_planner_sim.background import animate
from jepa_planner_sim.bullet import pybullet, start_server
from jepa_planner_sim.cameras import STANDARD_CAMERAS, Camera, WristCamera
from jepa_planner_sim.objects import load_object
from jepa_planner_sim.scene import CameraShift, Scene

BASE_FRAME = "panda_link0"
PHYSICS_STEP_S = 1 / 200
FINGER_STROKE_M = 0.04
ARM_JOINTS = tuple(range(7))
FINGER_JOINTS = (9, 10)
HAND_JOINT = 8
_ARM_FORCE_NM = (87.0, 87.0, 87.0, 87.0, 40.0, 40.0, 40.0)
_FINGER_FORCE_N = 25.0
_GREY = (0.93, 0.93, 0.93, 1.0)
_DARK = (0.25, 0.27, 0.32, 1.0)
_FINGER_COLOUR = (0.05, 0.35, 0.85, 1.0)


class World(Uncopyable):
    """One arm, one table, the objects of a scene; time moves only in `advance`.

    Images are uint8 RGB [H, W, 3]; poses are in BASE_FRAME with the table top at z = 0; the arm's
    state is float32 [8]: xyz (m), roll, pitch, yaw (rad), closure commanded and measured (0 open .. 1 closed).
    """

    instead = (
        "make another with the same arguments and build() the same scene; save() and restore() lead back to a time"
    )

    def __init__(self, cameras: dict[str, Camera] | None = None, image_size_px: int = 64) -> None:
        self.cameras = dict(STANDARD_CAMERAS if cameras is None else cameras)
        self.image_size_px = image_size_px
        self.limits = SafetyLimits.panda()
        self.kinematics = self.limits.kinematics()
        self._bullet = start_server()
        self._bullet.setTimeStep(PHYSICS_STEP_S)
        self._bullet.setGravity(0, 0, -9.81)
        self._bullet.setPhysicsEngineParameter(deterministicOverlappingPairs=1)
        self._arm = self._load_arm()
        self._table = self._load_table()
        self._objects: list[int] = []
        self._textures: dict[int, int] = {}
        self._views: dict[str, list[float]] = {}
        self._projections = {name: camera.projection_matrix() for name, camera in self.cameras.items()}
        self.build(Scene())

    def build(self, scene: Scene) -> None:
        """Replace the objects, lights, cameras and table by those of `scene`, the arm at its nominal posture, time at
        zero.
        """
        for body in self._objects:
            self._bullet.removeBody(body)
        self._objects = [load_object(self._bullet, item) for item in scene.objects]
        self.show(scene)
        self.sim_time_s = 0.0
        self.place_arm(np.array(self.limits.posture_rad), closure=0.0)

    def show(self, scene: Scene) -> None:
        """Take colours, lights, cameras and table of a scene with the same objects; nothing moves by that."""
        self.scene = scene
        for body, item in zip(self._objects, scene.objects, strict=True):
            self._bullet.changeVisualShape(body, -1, rgbaColor=(*item.colour, 1.0))
        self._views = {
            name: camera.view_matrix(scene.camera_shifts.get(name, CameraShift()))
            for name, camera in self.cameras.items()
        }
        texture = -1 if scene.table_texture_seed is None else self._texture(scene.table_texture_seed)
        self._bullet.changeVisualShape(self._table, -1, rgbaColor=(*scene.table_colour, 1.0), textureUniqueId=texture)

    def place_arm(self, q_rad: np.ndarray, closure: float) -> None:
        """Put the arm at joint positions [7], at rest, without moving through what lies between."""
        for joint, q in zip(ARM_JOINTS, q_rad, strict=True):
            self._bullet.resetJointState(self._arm, joint, float(q), 0.0)
        for joint in FINGER_JOINTS:
            self._bullet.resetJointState(self._arm, joint, FINGER_STROKE_M * (1.0 - closure), 0.0)
        self.set_setpoint(q_rad, closure)

    def set_setpoint(self, q_rad: np.ndarray, closure: float) -> None:
        """Command joint positions [7] and the gripper; the motors follow from the next `advance` on."""
        self.closure_commanded = float(np.clip(closure, 0.0, 1.0))
        self._bullet.setJointMotorControlArray(
            self._arm, ARM_JOINTS, pybullet.POSITION_CONTROL, targetPositions=[float(q) for q in q_rad],
            forces=_ARM_FORCE_NM, positionGains=[0.5] * 7, velocityGains=[1.0] * 7,
        )  # fmt: skip
        width = FINGER_STROKE_M * (1.0 - self.closure_commanded)
        self._bullet.setJointMotorControlArray(
            self._arm, FINGER_JOINTS, pybullet.POSITION_CONTROL, targetPositions=[width, width],
            forces=[_FINGER_FORCE_N] * 2, positionGains=[0.4] * 2, velocityGains=[1.0] * 2,
        )  # fmt: skip

    def advance(self, duration_s: float) -> None:
        """Let the physics run for a multiple of PHYSICS_STEP_S."""
        for _ in range(round(duration_s / PHYSICS_STEP_S)):
            self._bullet.stepSimulation()
        self.sim_time_s += duration_s

    def render(self, size_px: int | None = None) -> np.ndarray:
        """Pictures of all cameras, uint8 [V, H, W, 3], in the order of `cameras`."""
        return np.stack([self.render_view(name, size_px) for name in self.cameras])

    def view_matrix(self, name: str) -> list[float]:
        """OpenGL view matrix (16 numbers, column-major) of one camera as it stands now."""
        camera = self.cameras[name]
        return camera.at(*self.tcp_pose()).view_matrix() if isinstance(camera, WristCamera) else self._views[name]

    def render_view(self, name: str, size_px: int | None = None, shadow: bool = False) -> np.ndarray:
        """Picture of one camera, uint8 [H, W, 3]."""
        size = self.image_size_px if size_px is None else size_px
        ambient, motion = self.scene.light_ambient, self.scene.motion
        flags = pybullet.ER_NO_SEGMENTATION_MASK if motion is None else 0
        view = self.view_matrix(name)
        _, _, rgba, _, bodies = self._bullet.getCameraImage(
            size, size, view, self._projections[name], renderer=pybullet.ER_TINY_RENDERER,
            flags=flags, shadow=int(shadow), lightDirection=self.scene.light_direction,
            lightColor=self.scene.light_colour, lightAmbientCoeff=ambient,
            lightDiffuseCoeff=1.0 - ambient, lightSpecularCoeff=0.05,
        )  # fmt: skip
        # A PyBullet compiled without NumPy, as pip does where there is no wheel, answers with flat tuples.
        picture = np.ascontiguousarray(np.asarray(rgba, np.uint8).reshape(size, size, 4)[..., :3])
        if motion is not None:
            body = np.asarray(bodies).reshape(size, size)
            background = (body == self._table) | (body < 0)
            animate(picture, background, motion, list(self.cameras).index(name), self.sim_time_s)
        return picture

    def shown_bodies(self, name: str, size_px: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """What each pixel of one camera shows, for judging masks, never for planning: bool [O, H, W], one of the
        objects each, and bool [H, W], the gripper.
        """
        size = self.image_size_px if size_px is None else size_px
        seen = self._bullet.getCameraImage(
            size, size, self.view_matrix(name), self._projections[name], renderer=pybullet.ER_TINY_RENDERER,
            flags=pybullet.ER_SEGMENTATION_MASK_OBJECT_AND_LINKINDEX,
        )[4]  # fmt: skip
        seen = np.asarray(seen).reshape(size, size)
        body, link = np.where(seen < 0, -1, seen & (1 << 24) - 1), (seen >> 24) - 1
        gripper = (body == self._arm) & np.isin(link, (HAND_JOINT, *FINGER_JOINTS))
        return np.stack([body == one for one in self._objects]), gripper

    def joint_positions(self) -> np.ndarray:
        """Measured arm joint positions [7] (rad)."""
        return np.array([s[0] for s in self._bullet.getJointStates(self._arm, ARM_JOINTS)])

    def joint_velocities(self) -> np.ndarray:
        """Measured arm joint velocities [7] (rad/s)."""
        return np.array([s[1] for s in self._bullet.getJointStates(self._arm, ARM_JOINTS)])

    def closure_measured(self) -> float:
        """Gripper closure from the finger positions, 0 open .. 1 closed."""
        width = sum(s[0] for s in self._bullet.getJointStates(self._arm, FINGER_JOINTS))
        return float(np.clip(1.0 - width / (2 * FINGER_STROKE_M), 0.0, 1.0))

    def tcp_pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Measured tcp position [3] (m) and rotation [3, 3]."""
        return self.kinematics.tcp_pose(self.joint_positions())

    def tcp_yaw_rad(self) -> float:
        """How far the gripper is turned about the vertical."""
        return float(rpy_from_rotation(self.tcp_pose()[1])[2])

    def tcp_yaw_bounds_rad(self) -> tuple[float, float]:
        """Least and most that the limits allow."""
        return self.limits.workspace_yaw_rad

    def state(self) -> np.ndarray:
        """The arm's state, float32 [8]."""
        xyz, rotation = self.tcp_pose()
        return np.array(
            [*xyz, *rpy_from_rotation(rotation), self.closure_commanded, self.closure_measured()],
            dtype=np.float32,
        )

    def object_pose(self, index: int = 0) -> tuple[np.ndarray, float]:
        """Position [3] (m) and yaw (rad) of an object; for experts, probes and judging success, never for planning."""
        xyz, quaternion = self._bullet.getBasePositionAndOrientation(self._objects[index])
        return np.array(xyz), self._bullet.getEulerFromQuaternion(quaternion)[2]

    def place_object(self, index: int, xyz_m: np.ndarray, yaw_rad: float) -> None:
        """Put an object upright somewhere, at rest."""
        upright = self._bullet.getQuaternionFromEuler([0.0, 0.0, yaw_rad])
        self._bullet.resetBasePositionAndOrientation(self._objects[index], xyz_m.tolist(), upright)
        self._bullet.resetBaseVelocity(self._objects[index], [0.0] * 3, [0.0] * 3)

    def object_speed_m_s(self, index: int = 0) -> float:
        """Linear speed of an object."""
        return float(np.linalg.norm(self._bullet.getBaseVelocity(self._objects[index])[0]))

    def fingers_touch(self, index: int = 0) -> bool:
        """Whether a finger is in contact with an object."""
        return any(
            self._bullet.getContactPoints(self._arm, self._objects[index], linkIndexA=finger)
            for finger in FINGER_JOINTS
        )

    def save(self) -> tuple[int, float, float]:
        """Remember bodies, joints and time, for `restore`."""
        return self._bullet.saveState(), self.sim_time_s, self.closure_commanded

    def restore(self, saved: tuple[int, float, float]) -> None:
        """Go back to what `save` remembered, which is then forgotten; the motors hold the arm where it was."""
        state, self.sim_time_s, closure = saved
        self._bullet.restoreState(state)
        self._bullet.removeState(state)
        self.set_setpoint(self.joint_positions(), closure)

    def close(self) -> None:
        """Release the physics server."""
        if self._bullet.isConnected():
            self._bullet.disconnect()

    def _load_arm(self) -> int:
        """PyBullet's Panda with its collision meshes shown: ten times faster to draw than the visual ones, and still
        a Panda.
        """
        folder = Path(pybullet_data.getDataPath()) / "franka_panda"
        description = (folder / "panda.urdf").read_text()
        description = description.replace("package://meshes/visual/", "package://meshes/collision/")
        description = description.replace("package://", f"{folder}/")
        with tempfile.NamedTemporaryFile("w", suffix=".urdf") as file:
            file.write(description)
            file.flush()
            arm = self._bullet.loadURDF(file.name, useFixedBase=True)
        for link in range(-1, self._bullet.getNumJoints(arm)):
            colour = _FINGER_COLOUR if link in FINGER_JOINTS else _DARK if link in (5, 8) else _GREY
            self._bullet.changeVisualShape(arm, link, rgbaColor=colour)
        for finger in FINGER_JOINTS:
            self._bullet.changeDynamics(arm, finger, lateralFriction=1.5, spinningFriction=0.05, frictionAnchor=True)
        mirror = self._bullet.createConstraint(
            arm, FINGER_JOINTS[0], arm, FINGER_JOINTS[1], pybullet.JOINT_GEAR, [1, 0, 0], [0, 0, 0], [0, 0, 0]
        )
        self._bullet.changeConstraint(mirror, gearRatio=-1, erp=0.1, maxForce=50)
        return arm

    def _load_table(self) -> int:
        half = (0.55, 0.75, 0.02)
        collision = self._bullet.createCollisionShape(pybullet.GEOM_BOX, halfExtents=half)
        visual = self._bullet.createVisualShape(pybullet.GEOM_BOX, halfExtents=half)
        table = self._bullet.createMultiBody(0, collision, visual, [0.62, 0.0, -half[2]])
        self._bullet.changeDynamics(table, -1, lateralFriction=1.0)
        return table

    def _texture(self, seed: int) -> int:
        """A smooth random pattern for the table top."""
        if seed not in self._textures:
            from PIL import Image

            rng = np.random.default_rng(seed)
            coarse = rng.uniform(120, 255, (int(rng.integers(4, 16)),) * 2 + (3,)).astype(np.uint8)
            with tempfile.NamedTemporaryFile(suffix=".png") as file:
                Image.fromarray(coarse).resize((256, 256), Image.Resampling.BICUBIC).save(file.name, compress_level=1)
                self._textures[seed] = self._bullet.loadTexture(file.name)
        return self._textures[seed]
