"""A UR5e with a Robotiq 2F-85 in MuJoCo, as its drivers show it on ROS 2, on the wall clock.

    python ur5e_mujoco.py --prefix ur_ --gripper parallel

Robot: `/joint_states` (100 Hz), `/robot_description` (latched), `/scaled_joint_trajectory_controller/joint_trajectory`
and `/scaled_joint_trajectory_controller/follow_joint_trajectory`. Gripper: `/robotiq_gripper_controller/gripper_cmd`
alone, GripperCommand or ParallelGripperCommand. Cameras: `/cam_front/color/image_raw/compressed`, and the same of
`cam_side`, 640 x 480: the arm as a drawing of sticks.
For who tries it out: `/bench/measured` says, as JSON, the extremes of what the physics did since it was called last.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import signal
import sys
import threading
import time
from pathlib import Path
from xml.etree import ElementTree

import cv2
import mujoco
import numpy as np
import rclpy
from cameras import HEIGHT_PX, WIDTH_PX, Camera, Stream
from controllers import GripperController, TrajectoryController
from joint_trajectory import Follower
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.signals import SignalHandlerOptions
from real_time import be_served_as_others, be_served_first
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

CYCLE_S = 1 / 500
CYCLES_PER_JOINT_STATE = 5
TIMER_S = 0.004
JOINTS = ("shoulder_pan_joint", "shoulder_lift_joint", "elbow_joint", "wrist_1_joint", "wrist_2_joint", "wrist_3_joint")
TOLD = ("elbow_joint", "shoulder_lift_joint", "shoulder_pan_joint", "wrist_1_joint", "wrist_2_joint", "wrist_3_joint")
FINGER = "robotiq_85_left_knuckle_joint"
READY = (0.0, -1.6, 1.9, -1.87, -1.57, 0.0)
FASTEST_RAD_S = np.pi
STIFFNESS = {"size3": (20000.0, 400.0), "size1": (6000.0, 120.0)}
CAMERAS = (
    Camera("/cam_front/color", (1.6, 0.0, 0.9), (0.3, 0.0, 0.3), 45.0, 0.030),
    Camera("/cam_side/color", (0.4, -1.5, 0.8), (0.4, 0.0, 0.3), 45.0, 0.065),
)


def arm_with_gripper(descriptions: Path) -> mujoco.MjModel:
    """The two models of a folder that has universal_robots_ur5e and robotiq_2f85, one on the other."""
    spec = mujoco.MjSpec.from_file(str(descriptions / "universal_robots_ur5e" / "ur5e.xml"))
    gripper = mujoco.MjSpec.from_file(str(descriptions / "robotiq_2f85" / "2f85.xml"))
    spec.option.cone, spec.option.impratio = gripper.option.cone, gripper.option.impratio
    spec.attach(gripper, prefix="gripper_", site=spec.site("attachment_site"))
    for key in spec.keys:
        spec.delete(key)
    for body in spec.bodies[1:]:
        body.gravcomp = 1.0
    for actuator in spec.actuators[: len(JOINTS)]:
        stiffness, damping = STIFFNESS["size1" if "wrist" in actuator.name else "size3"]
        actuator.gainprm[0], actuator.biasprm[1:3] = stiffness, (-stiffness, -damping)
    spec.option.timestep = CYCLE_S
    return spec.compile()


def described(model: mujoco.MjModel, prefix: str) -> str:
    """The arm as URDF, from the base to the point between the fingers."""
    robot = ElementTree.Element("robot", name="ur5e_robotiq")
    above = f"{prefix}base_link"
    ElementTree.SubElement(robot, "link", name=above)
    for name in JOINTS:
        joint = model.joint(name)
        body = model.body(joint.bodyid[0])
        below = prefix + body.name
        _joint(robot, prefix + name, "revolute", above, below, body.pos, body.quat, joint.axis, joint.range)
        above = below
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    wrist, tip = data.body(above.removeprefix(prefix)), data.site("gripper_pinch")
    rotation = wrist.xmat.reshape(3, 3).T
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, (rotation @ tip.xmat.reshape(3, 3)).flatten())
    _joint(
        robot, f"{prefix}grasp_joint", "fixed", above, f"{prefix}grasp_point", rotation @ (tip.xpos - wrist.xpos), quat
    )
    return ElementTree.tostring(robot, encoding="unicode")


def _joint(robot, name, kind, above, below, xyz, quat, axis=None, limits=None) -> None:
    ElementTree.SubElement(robot, "link", name=below)
    joint = ElementTree.SubElement(robot, "joint", name=name, type=kind)
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, quat / np.linalg.norm(quat))
    r = matrix.reshape(3, 3)
    pitch = np.arctan2(-r[2, 0], np.hypot(r[0, 0], r[1, 0]))
    if np.hypot(r[0, 0], r[1, 0]) > 1e-9:
        roll, yaw = np.arctan2(r[2, 1], r[2, 2]), np.arctan2(r[1, 0], r[0, 0])
    else:
        roll, yaw = 0.0, np.arctan2(-r[0, 1], r[1, 1])
    ElementTree.SubElement(joint, "origin", xyz=_text(xyz), rpy=_text((roll, pitch, yaw)))
    ElementTree.SubElement(joint, "parent", link=above)
    ElementTree.SubElement(joint, "child", link=below)
    if axis is not None:
        ElementTree.SubElement(joint, "axis", xyz=_text(axis))
        ElementTree.SubElement(
            joint, "limit", lower=repr(float(limits[0])), upper=repr(float(limits[1])),
            velocity=repr(FASTEST_RAD_S), effort="150",
        )  # fmt: skip


def _text(numbers) -> str:
    return " ".join(repr(float(number)) for number in numbers)


class Driver(Node):
    """The drivers of arm and gripper."""

    def __init__(self, model: mujoco.MjModel, prefix: str, gripper: str, from_desired: bool) -> None:
        super().__init__("ur5e_driver")
        self.model, self.data = model, mujoco.MjData(model)
        joints = [model.joint(name) for name in JOINTS]
        self._places = np.array([joint.qposadr[0] for joint in joints])
        self._speeds = np.array([joint.dofadr[0] for joint in joints])
        self._finger = model.joint("gripper_left_driver_joint").qposadr[0]
        self.data.qpos[self._places] = READY
        mujoco.mj_forward(model, self.data)
        self._prefix = prefix
        names = [prefix + name for name in JOINTS]
        self._arm = TrajectoryController(
            self, "/scaled_joint_trajectory_controller", Follower(names, np.array(READY), from_desired)
        )
        self._gripper = GripperController(
            self, "/robotiq_gripper_controller", prefix + FINGER, gripper, 0.0, 0.01, allow_stalling=False
        )
        self._joint_states = self.create_publisher(JointState, "/joint_states", 10)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._description = self.create_publisher(String, "/robot_description", latched)
        self._description.publish(String(data=described(model, prefix)))
        self.create_service(Trigger, "/bench/measured", self._on_measured)
        self._forget()
        self.lock = threading.Lock()
        self._cycles, self._due_s, self._epoch_s = 0, time.monotonic(), time.time() - time.monotonic()
        self.create_timer(TIMER_S, self._on_timer)

    def sticks(self) -> np.ndarray:
        """Where joints and fingers are [N, 3] (m, in the base frame), for a drawing."""
        with self.lock:
            points = [*(self.data.body(self.model.joint(name).bodyid[0]).xpos for name in JOINTS)]
            return self._in_base(np.array([*points, self.data.site("gripper_pinch").xpos]))

    def _in_base(self, points: np.ndarray) -> np.ndarray:
        base = self.data.body("base")
        return (points - base.xpos) @ base.xmat.reshape(3, 3)

    def _on_timer(self) -> None:
        """Cycles that are due; after a long pause those that were missed are left out."""
        self._due_s = max(self._due_s, time.monotonic() - 0.1)
        while self._due_s <= time.monotonic():
            self._due_s += CYCLE_S
            with self.lock:
                self._cycle()

    def _cycle(self) -> None:
        q, dq = self.data.qpos[self._places].copy(), self.data.qvel[self._speeds].copy()
        finger, now_s = float(self.data.qpos[self._finger]), self._epoch_s + self._due_s
        self.data.ctrl[: len(JOINTS)] = self._arm.update(q, dq, now_s)
        self.data.ctrl[len(JOINTS)] = 255.0 * self._gripper.update(finger, now_s) / 0.8
        mujoco.mj_step(self.model, self.data)
        self._cycles += 1
        self._note(q, dq, finger)
        if self._cycles % CYCLES_PER_JOINT_STATE == 0:
            message = JointState(name=[self._prefix + FINGER, *(self._prefix + name for name in TOLD)])
            order = [JOINTS.index(name) for name in TOLD]
            message.header.stamp = self.get_clock().now().to_msg()
            message.position, message.velocity = [finger, *q[order].tolist()], [0.0, *dq[order].tolist()]
            self._joint_states.publish(message)

    def _note(self, q: np.ndarray, dq: np.ndarray, finger: float) -> None:
        tip = self._in_base(self.data.site("gripper_pinch").xpos)
        self._extremes = [
            (np.minimum(low, now), np.maximum(high, now))
            for (low, high), now in zip(self._extremes, (q, np.abs(dq), tip, finger), strict=True)
        ]

    def _forget(self) -> None:
        self._extremes = [(np.full(count, np.inf), np.full(count, -np.inf)) for count in (6, 6, 3, 1)]

    def _on_measured(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        names = ("position_rad", "speed_rad_s", "tip_m", "finger_rad")
        told = {name: [low.tolist(), high.tolist()] for name, (low, high) in zip(names, self._extremes, strict=True)}
        told |= {"trajectories": self._arm.taken, "rejected": self._arm.rejected}
        told |= {"gripper_goals": self._gripper.goals.outcomes, "arm_goals": self._arm.goals.outcomes}
        self._forget()
        response.success, response.message = True, json.dumps(told)
        return response


def drawing(camera: Camera, points: np.ndarray) -> np.ndarray:
    """The arm as sticks, RGB [480, 640, 3]."""
    eye, target = np.array(camera.eye_m), np.array(camera.target_m)
    ahead = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    seen = (points - eye) @ np.array([right, np.cross(ahead, right), ahead]).T
    places = seen[:, :2] / np.maximum(seen[:, 2:], 0.05) * camera.focal_px() + (WIDTH_PX / 2, HEIGHT_PX / 2)
    picture = np.full((HEIGHT_PX, WIDTH_PX, 3), 200, np.uint8)
    cv2.polylines(picture, [places.astype(np.int32)], False, (60, 60, 70), 14)
    cv2.circle(picture, tuple(places[-1].astype(int).tolist()), 12, (20, 90, 220), -1)
    return picture


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--descriptions", type=Path, help="default: those of the package ogbench")
    parser.add_argument("--prefix", default="", help="of the joints' and links' names")
    parser.add_argument("--gripper", choices=["gripper_command", "parallel"], default="parallel")
    parser.add_argument("--from-desired", action="store_true", help="a trajectory begins at the last command")
    parser.add_argument("--camera-rate", type=float, default=15.0)
    parser.add_argument("--write-urdf", type=Path, help="write the description to this file, and end")
    given = parser.parse_args()
    descriptions = given.descriptions
    if descriptions is None:  # the package itself needs much that its files do not
        descriptions = Path(importlib.util.find_spec("ogbench").origin).parent / "manipspace" / "descriptions"
    model = arm_with_gripper(descriptions)
    if given.write_urdf:
        given.write_urdf.write_text(described(model, given.prefix))
        sys.exit()
    be_served_first()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    driver = Driver(model, given.prefix, given.gripper, given.from_desired)
    stream = Stream(driver, CAMERAS, given.camera_rate, compressed=True)

    def run_cameras() -> None:
        be_served_as_others()
        stream.run(lambda: not ended.is_set(), lambda camera, _: drawing(camera, driver.sticks()))

    film = threading.Thread(target=run_cameras)
    film.start()
    executor = EventsExecutor()
    executor.add_node(driver)
    while not ended.is_set():
        executor.spin_once(timeout_sec=0.1)
    film.join()
    executor.shutdown(timeout_sec=1.0)
    driver.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
