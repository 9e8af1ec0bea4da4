"""A Franka arm before a table in PyBullet, driven and seen on the wall clock as a real one would be.

    python panda_pybullet.py --urdf PANDA.urdf --prefix fr3_ --camera-rate 15

Robot: `/joint_states` (100 Hz), `/arm_controller/joint_trajectory` and `/arm_controller/follow_joint_trajectory`,
`/hand_controller/joint_trajectory` and `/hand_controller/gripper_cmd` (GripperCommand).
Cameras: `/cam_front/color/image_raw` and `/cam_side/color/image_raw`, 640 x 480, bgr8.
For who tries it out: parameters `scene.arm` (7 positions), `scene.hand` (position of a finger) and `scene.cube` (x, y,
yaw) become true with the service `/bench/set_scene`; `/bench/cube` says where the cube really is.
"""

from __future__ import annotations

import argparse
import multiprocessing
import signal
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pybullet
import pybullet_data
import rclpy
from cameras import HEIGHT_PX, WIDTH_PX, Camera, Stream
from controllers import GripperController, TrajectoryController
from geometry_msgs.msg import PoseStamped
from joint_trajectory import Follower
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from real_time import be_served_first
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

CYCLE_S = 1 / 200
CYCLES_PER_JOINT_STATE = 2
ARM, FINGERS = range(7), (9, 10)
EFFORT = (87.0, 87.0, 87.0, 87.0, 40.0, 40.0, 40.0)
OPEN_M = 0.04
READY = (0.0, -0.3, 0.0, -2.3, 0.0, 2.0, 0.785)
CUBE_M = 0.045
AXIS_PX = (323.25, 236.75)
CAMERAS = (
    Camera("/cam_front/color", (1.15, 0.0, 0.52), (0.47, 0.0, 0.085), 34.0, 0.030, AXIS_PX),
    Camera("/cam_side/color", (0.42, -0.82, 0.50), (0.50, 0.0, 0.085), 32.0, 0.065, AXIS_PX),
)
STILL = 1e-4
"""Where nothing has moved by more (m, rad), a camera sends the picture it has."""
KEPT = 128
"""Cycles whose states the cameras find."""
STATE = 16


Part = tuple[int, int, int, int]
"""Of a picture: first and last row, first and last column (px), the last ones not included."""
WHOLE: Part = (0, HEIGHT_PX, 0, WIDTH_PX)


def camera_view(camera: Camera) -> list[float]:
    return pybullet.computeViewMatrix(camera.eye_m, camera.target_m, (0, 0, 1))


def _part(camera: Camera, boxes: list) -> Part:
    """Which part of a picture shows what is in boxes (m)."""
    corners = np.array([[box[i][0], box[j][1], box[k][2]] for box in boxes for i, j, k in np.ndindex(2, 2, 2)])
    view = np.array(camera_view(camera)).reshape(4, 4).T
    x, y, z = view[:3, :3] @ corners.T + view[:3, 3:]
    depth = np.maximum(-z, 0.05)
    columns = camera.axis_px[0] + camera.focal_px() * x / depth
    rows = camera.axis_px[1] - camera.focal_px() * y / depth
    top, bottom = np.clip([rows.min() - 4, rows.max() + 5], 0, HEIGHT_PX).astype(int)
    left, right = np.clip([columns.min() - 4, columns.max() + 5], 0, WIDTH_PX).astype(int)
    return int(top), int(bottom), int(left), int(right)


def _both(one: Part, other: Part) -> Part:
    return min(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), max(one[3], other[3])


class Bodies:
    """Arm, table and cube in a physics server; the arm is shown by its simple meshes, which are quick to draw."""

    def __init__(self, urdf: Path) -> None:
        self.server = server = pybullet.connect(pybullet.DIRECT)
        pybullet.setTimeStep(CYCLE_S, physicsClientId=server)
        pybullet.setGravity(0, 0, -9.81, physicsClientId=server)
        self.arm = self._load_arm(urdf)
        half = [0.55, 0.75, 0.02]
        box = {"shapeType": pybullet.GEOM_BOX, "physicsClientId": server}
        table = pybullet.createMultiBody(
            0, pybullet.createCollisionShape(halfExtents=half, **box),
            pybullet.createVisualShape(halfExtents=half, rgbaColor=[0.72, 0.66, 0.56, 1], **box), [0.62, 0, -0.02],
            physicsClientId=server,
        )  # fmt: skip
        pybullet.changeDynamics(table, -1, lateralFriction=1.0, physicsClientId=server)
        half = [CUBE_M / 2] * 3
        self.cube = pybullet.createMultiBody(
            0.08, pybullet.createCollisionShape(halfExtents=half, **box),
            pybullet.createVisualShape(halfExtents=half, rgbaColor=[0.85, 0.10, 0.10, 1], **box),
            [0.5, 0, CUBE_M / 2], physicsClientId=server,
        )  # fmt: skip
        pybullet.changeDynamics(
            self.cube, -1, lateralFriction=0.8, spinningFriction=0.005, rollingFriction=0.001, linearDamping=0.1,
            angularDamping=0.1, physicsClientId=server,
        )  # fmt: skip

    def state(self) -> np.ndarray:
        """Positions of joints [7] and fingers [2], position and orientation of the cube [7]."""
        joints = pybullet.getJointStates(self.arm, (*ARM, *FINGERS), physicsClientId=self.server)
        xyz, xyzw = pybullet.getBasePositionAndOrientation(self.cube, physicsClientId=self.server)
        return np.array([*(joint[0] for joint in joints), *xyz, *xyzw])

    def show(self, state: np.ndarray) -> None:
        """Put everything where `state` has it, at rest."""
        for joint, position in zip((*ARM, *FINGERS), state[:9], strict=True):
            pybullet.resetJointState(self.arm, joint, position, 0.0, physicsClientId=self.server)
        self.place_cube(state[9:12], state[12:])

    def place_cube(self, xyz, xyzw) -> None:
        pybullet.resetBasePositionAndOrientation(self.cube, list(xyz), list(xyzw), physicsClientId=self.server)
        pybullet.resetBaseVelocity(self.cube, [0, 0, 0], [0, 0, 0], physicsClientId=self.server)

    def picture(self, camera: Camera, part: Part = WHOLE) -> np.ndarray:
        """RGB [480, 640, 3] or a part of it, drawn in software."""
        top, bottom, left, right = part
        near_m, (right_px, down_px) = 0.1, camera.axis_px
        edges_px = np.array([left - right_px, right - right_px, down_px - bottom, down_px - top])
        projection = pybullet.computeProjectionMatrix(*(edges_px / camera.focal_px() * near_m).tolist(), near_m, 3.0)
        pixels = pybullet.getCameraImage(
            right - left, bottom - top, camera_view(camera), projection, renderer=pybullet.ER_TINY_RENDERER,
            flags=pybullet.ER_NO_SEGMENTATION_MASK, shadow=0, lightDirection=(0.6, 0.4, 1.0), lightColor=(1, 1, 1),
            lightAmbientCoeff=0.65, lightDiffuseCoeff=0.35, lightSpecularCoeff=0.05, physicsClientId=self.server,
        )[2]  # fmt: skip
        return np.asarray(pixels, dtype=np.uint8).reshape(bottom - top, right - left, 4)[..., :3]

    def parts(self, camera: Camera) -> list[Part]:
        """Where arm and cube are in the picture."""
        pybullet.performCollisionDetection(physicsClientId=self.server)
        links = [(self.arm, link) for link in range(pybullet.getNumJoints(self.arm, physicsClientId=self.server))]
        arm = [pybullet.getAABB(body, link, physicsClientId=self.server) for body, link in links]
        cube = pybullet.getAABB(self.cube, -1, physicsClientId=self.server)
        return [_part(camera, boxes) for boxes in (arm, [cube])]

    def _load_arm(self, urdf: Path) -> int:
        text = urdf.read_text().replace("package://meshes/visual/", "package://meshes/collision/")
        with tempfile.NamedTemporaryFile("w", suffix=".urdf") as file:
            file.write(text.replace("package://", f"{urdf.parent}/"))
            file.flush()
            arm = pybullet.loadURDF(file.name, useFixedBase=True, physicsClientId=self.server)
        for link in range(-1, pybullet.getNumJoints(arm, physicsClientId=self.server)):
            colour = (0.05, 0.35, 0.85) if link in FINGERS else (0.25, 0.27, 0.32) if link in (5, 8) else (0.93,) * 3
            pybullet.changeVisualShape(arm, link, rgbaColor=[*colour, 1], physicsClientId=self.server)
        for finger in FINGERS:
            pybullet.changeDynamics(
                arm,
                finger,
                lateralFriction=1.5,
                spinningFriction=0.05,
                frictionAnchor=True,
                physicsClientId=self.server,
            )
        gear = pybullet.createConstraint(
            arm, FINGERS[0], arm, FINGERS[1], pybullet.JOINT_GEAR, [1, 0, 0], [0, 0, 0], [0, 0, 0],
            physicsClientId=self.server,
        )  # fmt: skip
        pybullet.changeConstraint(gear, gearRatio=-1, erp=0.1, maxForce=50, physicsClientId=self.server)
        return arm


class Past:
    """What the arm and the cube did of late, shared by two processes: time (s) and state of each cycle."""

    def __init__(self, shared) -> None:
        self._shared, self._written = shared, 0
        self._rows = np.frombuffer(shared.get_obj()).reshape(KEPT, 1 + STATE)

    def note(self, at_s: float, state: np.ndarray) -> None:
        with self._shared.get_lock():
            self._rows[self._written % KEPT] = at_s, *state
        self._written += 1

    def at(self, moment_s: float) -> np.ndarray:
        """The state nearest to a moment."""
        with self._shared.get_lock():
            return self._rows[np.argmin(np.abs(self._rows[:, 0] - moment_s)), 1:].copy()

    def begun(self) -> bool:
        return self._rows[0, 0] > 0.0


class Film:
    """Pictures of one camera, drawn anew where arm or cube moved."""

    def __init__(self, bodies: Bodies, camera: Camera) -> None:
        self._bodies, self._camera = bodies, camera
        self._state: np.ndarray | None = None

    def picture(self, state: np.ndarray) -> np.ndarray:
        """Of what was so."""
        if self._state is None or np.max(np.abs(state - self._state)) > STILL:
            self._bodies.show(state)
            parts = self._bodies.parts(self._camera)
            if self._state is None:
                self._picture = self._bodies.picture(self._camera).copy()
            else:
                for was, now in zip(self._parts, parts, strict=True):
                    top, bottom, left, right = part = _both(was, now)
                    if top < bottom and left < right:
                        self._picture[top:bottom, left:right] = self._bodies.picture(self._camera, part)
            self._state, self._parts = state, parts
        return self._picture


class Driver(Node):
    """The robot's drivers: one cycle each CYCLE_S, in the thread that spins."""

    def __init__(self, urdf: Path, prefix: str, past: Past) -> None:
        super().__init__("panda_driver")
        self._bodies, self._past = Bodies(urdf), past
        self._bodies.show(np.array([*READY, OPEN_M, OPEN_M, 0.5, 0.0, CUBE_M / 2, 0, 0, 0, 1]))
        self._arm_names = [f"{prefix}joint{number}" for number in range(1, 8)]
        self._finger_names = [f"{prefix}finger_joint{number}" for number in (1, 2)]
        follower = Follower(self._arm_names, np.array(READY))
        self._arm = TrajectoryController(self, "/arm_controller", follower)
        self._hand = TrajectoryController(
            self, "/hand_controller", Follower(self._finger_names[:1], np.array([OPEN_M]))
        )
        self._gripper = GripperController(
            self, "/hand_controller", self._finger_names[0], "gripper_command", OPEN_M, 0.002, allow_stalling=True
        )
        self._joint_states = self.create_publisher(JointState, "/joint_states", 10)
        self._cube = self.create_publisher(PoseStamped, "/bench/cube", 10)
        for name, value in {"scene.arm": READY, "scene.hand": OPEN_M, "scene.cube": (0.5, 0.0, 0.0)}.items():
            self.declare_parameter(name, list(value) if isinstance(value, tuple) else value)
        self.create_service(Trigger, "/bench/set_scene", self._on_set_scene)
        self._hand_target = OPEN_M
        self._cycles = 0
        self._due_s, self._epoch_s = time.monotonic(), time.time() - time.monotonic()
        self.create_timer(CYCLE_S, self._on_timer)

    def _on_timer(self) -> None:
        """Cycles that are due; after a long pause those that were missed are left out."""
        self._due_s = max(self._due_s, time.monotonic() - 0.1)
        while self._due_s <= time.monotonic():
            self._due_s += CYCLE_S
            self._cycle()

    def _cycle(self) -> None:
        server, arm = self._bodies.server, self._bodies.arm
        joints = pybullet.getJointStates(arm, (*ARM, *FINGERS), physicsClientId=server)
        q, dq = (np.array([joint[part] for joint in joints]) for part in (0, 1))
        now_s = self._epoch_s + self._due_s
        command = self._arm.update(q[:7], dq[:7], now_s)
        moving, by_action = self._hand.follower.moving, self._gripper.goals.active is not None
        by_topic = self._hand.update(q[7:8], dq[7:8], now_s)[0]
        target = self._gripper.update(float(q[7]), now_s)
        if by_action:
            self._hand_target = target
        elif moving:
            self._hand_target = by_topic
        pybullet.setJointMotorControlArray(
            arm, ARM, pybullet.POSITION_CONTROL, targetPositions=command.tolist(), forces=EFFORT,
            positionGains=[0.5] * 7, velocityGains=[1.0] * 7, physicsClientId=server,
        )  # fmt: skip
        pybullet.setJointMotorControlArray(
            arm, FINGERS, pybullet.POSITION_CONTROL, targetPositions=[self._hand_target] * 2, forces=[25.0] * 2,
            positionGains=[0.4] * 2, velocityGains=[1.0] * 2, physicsClientId=server,
        )  # fmt: skip
        pybullet.stepSimulation(physicsClientId=server)
        self._cycles += 1
        self._publish()

    def _publish(self) -> None:
        stamp, state = self.get_clock().now(), self._bodies.state()
        self._past.note(stamp.nanoseconds * 1e-9, state)
        if self._cycles % CYCLES_PER_JOINT_STATE == 0:
            joints = pybullet.getJointStates(self._bodies.arm, (*ARM, *FINGERS), physicsClientId=self._bodies.server)
            order = [7, 6, 3, 0, 1, 4, 5, 2, 8]
            names = [*self._arm_names, *self._finger_names]
            message = JointState(name=[names[number] for number in order])
            message.header.stamp = stamp.to_msg()
            message.position, message.velocity, message.effort = (
                [float(joints[number][part]) for number in order] for part in (0, 1, 3)
            )
            self._joint_states.publish(message)
        if self._cycles % 20 == 0:
            message = PoseStamped()
            message.header.stamp, message.header.frame_id = stamp.to_msg(), "world"
            for part, value in zip("xyz", state[9:12], strict=True):
                setattr(message.pose.position, part, float(value))
            for part, value in zip("xyzw", state[12:], strict=True):
                setattr(message.pose.orientation, part, float(value))
            self._cube.publish(message)

    def _on_set_scene(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        arm, hand, cube = (self.get_parameter(f"scene.{name}").value for name in ("arm", "hand", "cube"))
        if len(arm) != 7 or len(cube) != 3:
            response.message = f"scene.arm has {len(arm)} numbers, scene.cube {len(cube)}; expected 7 and 3"
            return response
        upright = pybullet.getQuaternionFromEuler([0, 0, cube[2]])
        self._bodies.show(np.array([*arm, hand, hand, cube[0], cube[1], CUBE_M / 2, *upright]))
        self._arm.hold(np.array(arm))
        self._hand.hold(np.array([hand]))
        self._hand_target = hand
        response.success = True
        return response


def film(urdf: Path, shared, rate_hz: float, parent: Connection) -> None:
    """The cameras, a process of their own, which ends with the robot's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    past, films = Past(shared), {camera: Film(Bodies(urdf), camera) for camera in CAMERAS}
    stream = Stream(Node("cameras"), CAMERAS, rate_hz, compressed=False)
    while not past.begun():
        time.sleep(0.01)
    stream.run(lambda: not parent.poll(), lambda camera, exposed_s: films[camera].picture(past.at(exposed_s)))
    rclpy.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--urdf", type=Path, default=Path(pybullet_data.getDataPath(), "franka_panda", "panda.urdf"),
        help="description with meshes beside it",
    )  # fmt: skip
    parser.add_argument("--prefix", default="panda_", help="of the joints' names")
    parser.add_argument("--from-desired", action="store_true", help="a trajectory begins at the last command")
    parser.add_argument("--camera-rate", type=float, default=15.0)
    given = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    shared = spawn.Array("d", KEPT * (1 + STATE))
    here, there = spawn.Pipe()
    cameras = spawn.Process(target=film, args=(given.urdf, shared, given.camera_rate, there))
    cameras.start()
    there.close()
    be_served_first()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    ended: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.append(1))
    driver = Driver(given.urdf, given.prefix, Past(shared))
    executor = EventsExecutor()
    executor.add_node(driver)
    while not ended and cameras.is_alive():
        executor.spin_once(timeout_sec=0.1)
    here.close()
    cameras.join(5.0)
    executor.shutdown(timeout_sec=1.0)
    driver.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
