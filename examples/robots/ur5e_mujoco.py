"""A UR5e with a Robotiq 2F-85 in MuJoCo, as its drivers show it on ROS 2, on the wall clock or on a faster one.

    python ur5e_mujoco.py --prefix ur_ --gripper parallel
    MUJOCO_GL=egl python ur5e_mujoco.py --table --speed 2

Robot: `/joint_states` (100 Hz), `/robot_description` (latched), `/scaled_joint_trajectory_controller/joint_trajectory`
and `/scaled_joint_trajectory_controller/follow_joint_trajectory`; `/cartesian_velocity_controller/command`, a
TwistStamped of the tool in the base's frame, which stops where none comes. Gripper:
`/robotiq_gripper_controller/gripper_cmd`, GripperCommand or ParallelGripperCommand, and
`/gripper_position_controller/commands`, Float64MultiArray. Cameras: `/cam_front/color/image_raw/compressed`, and the
same of `cam_side`, 640 x 480: the arm as a drawing of sticks, or with `--table` the cell as it looks.
For who tries it out: `/bench/measured` says, as JSON, the extremes of what the physics did since it was called last;
`/bench/cube` and `/bench/tool` say where these are, and `/bench/put_cube` puts the cube to x, y and yaw of the
parameter `cube`, or somewhere.
"""

from __future__ import annotations

import argparse
import array
import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import cv2
import mujoco
import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from cameras import HEIGHT_PX, WIDTH_PX, Camera, Stream
from controllers import GripperController, TrajectoryController
from geometry_msgs.msg import PoseStamped, TwistStamped
from joint_trajectory import Follower
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from real_time import be_served_as_others, be_served_first
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, JointState
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import Trigger
from ur5e_cell import (
    CUBE_HIGH_M,
    CUBE_LOW_M,
    CYCLE_S,
    FINGER_CLOSED_RAD,
    HIGH_M,
    JOINTS,
    LOW_M,
    READY_RAD,
    VIEWS,
    Cell,
)
from ur5e_motion import CartesianArm

CYCLES_PER_PLACE = 25
CYCLES_PER_JOINT_STATE = 5
TIMER_S = 0.004
TOLD = ("elbow_joint", "shoulder_lift_joint", "shoulder_pan_joint", "wrist_1_joint", "wrist_2_joint", "wrist_3_joint")
FINGER = "robotiq_85_left_knuckle_joint"
FASTEST_RAD_S = np.pi
TWIST_TIMEOUT_S = 0.2
PUT_ASIDE_M = np.array((0.5, -0.55))
"""Where the cube is when there is no work for it."""
CAMERAS = (
    Camera("/cam_front/color", (1.6, 0.0, 0.9), (0.3, 0.0, 0.3), 45.0, 0.030),
    Camera("/cam_side/color", (0.4, -1.5, 0.8), (0.4, 0.0, 0.3), 45.0, 0.065),
)


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
    """The drivers of arm and gripper. Its clock is the wall's, or goes `speed` times as fast and is on `/clock`."""

    def __init__(self, cell: Cell, prefix: str, gripper: str, from_desired: bool, speed: float = 1.0) -> None:
        super().__init__("ur5e_driver")
        self.cell, self._prefix, self._speed = cell, prefix, speed
        cell.reset(PUT_ASIDE_M, 0.0)
        names = [prefix + name for name in JOINTS]
        self._arm = TrajectoryController(
            self, "/scaled_joint_trajectory_controller", Follower(names, READY_RAD, from_desired)
        )
        self._velocity = CartesianVelocity(cell)
        self._gripper = GripperController(
            self, "/robotiq_gripper_controller", prefix + FINGER, gripper, 0.0, 0.01, allow_stalling=False
        )
        self._joint_states = self.create_publisher(JointState, "/joint_states", 10)
        self._clock_out = self.create_publisher(Clock, "/clock", 1) if speed != 1.0 else None
        self._places = {name: self.create_publisher(PoseStamped, f"/bench/{name}", 1) for name in ("tool", "cube")}
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._description = self.create_publisher(String, "/robot_description", latched)
        self._description.publish(String(data=described(cell.model, prefix)))
        self.create_subscription(TwistStamped, "/cartesian_velocity_controller/command", self._on_twist, 1)
        self.create_subscription(Float64MultiArray, "/gripper_position_controller/commands", self._on_gripper, 1)
        self.create_service(Trigger, "/bench/measured", self._on_measured)
        self.create_service(Trigger, "/bench/put_cube", self._on_put_cube)
        self.declare_parameter("cube", Parameter.Type.DOUBLE_ARRAY)
        self._forget()
        self.lock = threading.Lock()
        self.film: Film | None = None
        self._rng = np.random.default_rng(0)
        self._cycles, self._due_s = 0, time.monotonic()
        self._began_s, self._epoch_s = self._due_s, time.time()
        self._cycle_s = self._epoch_s
        self.create_timer(TIMER_S, self._on_timer)

    def now_s(self) -> float:
        """The robot's time (s since the epoch)."""
        return self._epoch_s + self._cycles * CYCLE_S if self._speed != 1.0 else self._cycle_s

    def sticks(self) -> np.ndarray:
        """Where joints and fingers are [N, 3] (m, in the base frame), for a drawing."""
        with self.lock:
            data, model = self.cell.data, self.cell.model
            points = [*(data.body(model.joint(name).bodyid[0]).xpos for name in JOINTS)]
            return np.array([*points, self.cell.tool_pose()[0]])

    def _on_timer(self) -> None:
        """Cycles that are due; after a long pause those that were missed are left out.

        A clock of its own stands still until the cameras have drawn, so that a busy machine loses no picture.
        """
        self._due_s = max(self._due_s, time.monotonic() - 0.1)
        while self._due_s <= time.monotonic():
            if self._clock_out is not None and self.film is not None and self.film.is_behind(self.now_s()):
                return
            self._due_s += CYCLE_S / self._speed
            with self.lock:
                self._cycle()

    def _cycle(self) -> None:
        cell = self.cell
        q, dq, finger = cell.joints_rad(), cell.joint_speeds_rad_s(), cell.finger_rad()
        self._cycle_s = self._epoch_s + self._due_s - self._began_s
        now_s = self.now_s()
        command = self._arm.update(q, dq, now_s)
        if self._velocity.goes_on(now_s):
            command = self._velocity.update(self._cycles)
            self._arm.hold(command)
        cell.cycle(command, self._gripper.update(finger, now_s) / FINGER_CLOSED_RAD)
        self._cycles += 1
        self._note(q, dq, finger)
        if self._cycles % CYCLES_PER_JOINT_STATE == 0:
            self._tell(q, dq, finger)
        if self.film is not None:
            self.film.expose(now_s)

    def _tell(self, q: np.ndarray, dq: np.ndarray, finger: float) -> None:
        stamp = self.stamp()
        if self._clock_out is not None:
            self._clock_out.publish(Clock(clock=stamp))
        message = JointState(name=[self._prefix + FINGER, *(self._prefix + name for name in TOLD)])
        order = [JOINTS.index(name) for name in TOLD]
        message.header.stamp = stamp
        message.position, message.velocity = [finger, *q[order].tolist()], [0.0, *dq[order].tolist()]
        self._joint_states.publish(message)
        if self._cycles % CYCLES_PER_PLACE == 0:
            for name, place in (("tool", self.cell.tool_pose()[0]), ("cube", self.cell.cube_pose()[0])):
                pose = PoseStamped()
                pose.header.stamp, pose.header.frame_id = stamp, f"{self._prefix}base_link"
                pose.pose.position.x, pose.pose.position.y, pose.pose.position.z = place.tolist()
                self._places[name].publish(pose)

    def stamp(self, at_s: float | None = None) -> Time:
        """A moment of the robot's time, now if none is given."""
        at_s = self.now_s() if at_s is None else at_s
        return Time(sec=int(at_s), nanosec=int(at_s % 1 * 1e9))

    def _on_twist(self, message: TwistStamped) -> None:
        linear = message.twist.linear
        with self.lock:
            self._velocity.ask(np.array((linear.x, linear.y, linear.z)), message.twist.angular.z, self.now_s())

    def _on_gripper(self, message: Float64MultiArray) -> None:
        if len(message.data) == 1 and 0.0 <= message.data[0] <= FINGER_CLOSED_RAD:
            self._gripper.target = float(message.data[0])

    def _on_put_cube(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Where the parameter `cube` says; without it somewhere on the table where the tool is not."""
        asked = self.get_parameter_or("cube").value
        with self.lock:
            tool_m = self.cell.tool_pose()[0]
            while not asked:
                place_m = self._rng.uniform(CUBE_LOW_M, CUBE_HIGH_M)
                if np.linalg.norm(place_m - tool_m[:2]) > 0.1:
                    break
            else:
                place_m = np.array(asked[:2])
            self.cell.put_cube(place_m, asked[2] if asked else self._rng.uniform(-0.35, 0.35))
        response.success, response.message = True, json.dumps(place_m.tolist())
        return response

    def _note(self, q: np.ndarray, dq: np.ndarray, finger: float) -> None:
        tip = self.cell.tool_pose()[0]
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


class Film:
    """The cell's cameras: pictures of one moment, drawn beside the physics and stamped with when they were taken."""

    def __init__(self, driver: Driver, rate_hz: float) -> None:
        self._driver, self._period_s, self._next_s = driver, 1.0 / rate_hz, 0.0
        self._exposed: tuple[float, np.ndarray] | None = None
        self._draws = False
        self._woken = threading.Condition()
        reliable = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        self._images = {
            view.name: driver.create_publisher(
                CompressedImage, f"/cam_{view.name}/color/image_raw/compressed", reliable
            )
            for view in VIEWS
        }

    def is_behind(self, now_s: float) -> bool:
        """Whether pictures are due while those before are still being drawn."""
        with self._woken:
            return now_s >= self._next_s and (self._draws or self._exposed is not None)

    def expose(self, now_s: float) -> None:
        """Called in each cycle; what the cameras did not come to is left out."""
        if now_s >= self._next_s:
            self._next_s = max(self._next_s + self._period_s, now_s - self._period_s)
            with self._woken:
                self._exposed = now_s, self._driver.cell.data.qpos.copy()
                self._woken.notify()

    def run(self, going: Callable[[], bool]) -> None:
        """Draws and publishes, in a thread of its own, until `going` says no."""
        cell = Cell()
        while going():
            with self._woken:
                if self._exposed is None:
                    self._woken.wait(0.1)
                exposed, self._exposed = self._exposed, None
                self._draws = exposed is not None
            if exposed is not None:
                stamp = self._driver.stamp(exposed[0])
                cell.show(exposed[1])
                for view in VIEWS:
                    self._publish(view.name, cell.picture(view.name, WIDTH_PX, HEIGHT_PX), stamp)
                with self._woken:
                    self._draws = False
        cell.close()

    def _publish(self, view: str, picture: np.ndarray, stamp: Time) -> None:
        data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
        message = CompressedImage(format="bgr8; jpeg compressed bgr8", data=array.array("B", data))
        message.header.stamp, message.header.frame_id = stamp, f"cam_{view}_optical_frame"
        self._images[view].publish(message)


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
    parser.add_argument("--table", action="store_true", help="put the cube on the table, and show all as it looks")
    parser.add_argument("--speed", type=float, default=1.0, help="how fast its clock goes, which is then on /clock")
    parser.add_argument("--write-urdf", type=Path, help="write the description to this file, and end")
    given = parser.parse_args()
    cell = Cell(given.descriptions)
    if given.write_urdf:
        given.write_urdf.write_text(described(cell.model, given.prefix))
        sys.exit()
    be_served_first()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    driver = Driver(cell, given.prefix, given.gripper, given.from_desired, given.speed)
    if given.table:
        cell.put_cube(np.array((0.5, 0.05)), 0.1)
        driver.film = Film(driver, given.camera_rate)
    stream = None if given.table else Stream(driver, CAMERAS, given.camera_rate, compressed=True)

    def run_cameras() -> None:
        be_served_as_others()
        if stream is None:
            driver.film.run(lambda: not ended.is_set())
        else:
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
