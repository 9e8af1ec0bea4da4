"""The simulated arm, cameras and table as a ROS 2 node: a robot's drivers, and services to set scenes up."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from jepa_planner.msg import GoalImage, GoalImages
from jepa_planner.srv import SetUpTask, TaskStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from jepa_planner.core.status import OK, Status, StatusCode
from jepa_planner.nodes import qos
from jepa_planner.nodes.conversions import array_to_image, pose, seconds, time_message
from jepa_planner.nodes.frames import PUBLISH_TF, CameraFrames, PlacedCamera, own_frame
from jepa_planner.nodes.parameters import Parameter, Parameters
from jepa_planner.nodes.planner_node import DIAGNOSTICS_PERIOD_S, diagnostics
from jepa_planner_sim.cameras import optical_pose
from jepa_planner_sim.envs import PandaTaskEnv
from jepa_planner_sim.joint_commands import FINGER_OPEN_M, JointCommands
from jepa_planner_sim.task_judge import TaskJudge
from jepa_planner_sim.tasks import TASKS

STEP_S = 0.01
CLOCK_START_S = 1.0
"""Simulated time zero would mean that no clock runs."""
MAX_STEPS_BEHIND = 5
COMMAND_QUIET_S = 0.2
BASE_FRAME = "panda_link0"

PARAMETERS = (
    Parameter("task", "pick_place", "Scene at the start.", choices=tuple(TASKS)),
    Parameter("seed", 1_000_000, "Seed of the scene at the start.", 0, 2**31 - 1),
    Parameter("speed", 1.0, "Simulated seconds per second, as far as the machine keeps up.", 0.05, 20.0),
    Parameter("image_rate_hz", 20.0, "Pictures per simulated second and camera.", 1.0, 100.0),
    Parameter("image_size_px", 64, "Width and height of the cameras' pictures.", 16, 1024),
    Parameter("video_size_px", 384, "Size of the pictures for people on `video/image_raw`.", 64, 1024),
    Parameter(
        "video_rate_hz", 10.0, "Pictures for people per simulated second, drawn while somebody subscribes.", 1.0, 50.0
    ),
    PUBLISH_TF,
)


class SimNode(Node):
    """Publishes `VIEW/image_raw`, `VIEW/camera_info`, `joint_states`, `tcp_pose`, `/clock`; obeys `joint_trajectory`,
    `gripper_command` and, between pictures that are due, `picture_wanted`; services `~/set_up_task`, `~/reset` and
    `~/task_status`; latches `goal_images` and `~/VIEW/pose`.
    """

    def __init__(self, **options) -> None:
        super().__init__("sim_node", **options)
        parameters = Parameters(self, PARAMETERS, is_configured=lambda: True)
        self._image_size_px = parameters["image_size_px"]
        self._video_size_px = parameters["video_size_px"]
        self._image_every = max(1, round(1.0 / parameters["image_rate_hz"] / STEP_S))
        self._video_every = max(1, round(1.0 / parameters["video_rate_hz"] / STEP_S))
        self._speed = parameters["speed"]
        self._env: PandaTaskEnv | None = None
        self._time_s = CLOCK_START_S
        self._picture_wanted_s = math.inf
        self._steps = 0
        self._goal_images = self.create_publisher(GoalImages, "goal_images", qos.LATCHED)
        self._camera_frames = CameraFrames(self, BASE_FRAME, parameters["publish_tf"])
        self._set_up(parameters["task"], parameters["seed"], "dense", {})
        self._clock_topic = self.create_publisher(ClockMessage, "/clock", qos.STREAM)
        self._joint_states = self.create_publisher(JointState, "joint_states", qos.STREAM)
        self._tcp_pose = self.create_publisher(PoseStamped, "tcp_pose", qos.STREAM)
        self._video = self.create_publisher(Image, "video/image_raw", qos.STREAM)
        self._images = {
            view: (
                self.create_publisher(Image, f"{view}/image_raw", qos.STREAM),
                self.create_publisher(CameraInfo, f"{view}/camera_info", qos.STREAM),
            )
            for view in self._world.cameras
        }
        self.create_subscription(JointTrajectory, "joint_trajectory", self._on_trajectory, qos.COMMAND)
        self.create_subscription(JointTrajectory, "gripper_command", self._on_gripper, qos.COMMAND)
        self.create_subscription(Time, "picture_wanted", self._on_picture_wanted, qos.COMMAND)
        self.create_service(SetUpTask, "~/set_up_task", self._on_set_up_task)
        self.create_service(Trigger, "~/reset", self._on_reset)
        self.create_service(TaskStatus, "~/task_status", self._on_task_status)
        self._wall = Clock(clock_type=ClockType.STEADY_TIME)
        self._due_s = self._wall_s()
        self.create_timer(STEP_S / self._speed, self._advance, clock=self._wall)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS)
        self._diagnosed = self._wall_s(), self._time_s
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._diagnose, clock=self._wall)

    def destroy_node(self) -> None:
        """Releases the physics server with the node."""
        if self._env is not None:
            self._env.close()
        super().destroy_node()

    @property
    def _world(self):
        return self._env.world

    def _set_up(self, task: str, seed: int, goal_images: str, options: dict) -> None:
        """Builds a scene; raises ValueError naming what was wrong with the request."""
        if self._env is None or self._env.task.name != task:
            env = PandaTaskEnv(task, image_size_px=self._image_size_px)
            if self._env is not None:
                self._env.close()
            self._env = env
        self._env.reset(seed=seed, options={**options, "goal_images": goal_images})
        self._request = (task, seed, goal_images, options)
        self._commands = JointCommands(self._world.joint_positions(), self._world.closure_commanded)
        self._judge = TaskJudge(self._env.task, self._env.goal_m)
        message = GoalImages(task=task, max_steps=self._env.task.max_steps)
        message.header.stamp = time_message(self._time_s)
        message.goals = [self._goal(images) for images in self._env.goal_images]
        self._goal_images.publish(message)
        self._goals = message
        cameras = [
            PlacedCamera(view, self._optical_frame(view), *optical_pose(self._world.view_matrix(view)))
            for view in self._world.cameras
        ]
        self._camera_frames.tell(cameras, message.header.stamp)

    def _goal(self, images: np.ndarray) -> GoalImage:
        stamp = time_message(self._time_s)
        cameras = list(self._world.cameras)
        framed = zip(images, map(self._optical_frame, cameras), strict=True)
        views = [array_to_image(pixels, stamp, frame) for pixels, frame in framed]
        return GoalImage(views=views, view_names=cameras)

    def _optical_frame(self, view: str) -> str:
        """Of a camera's pictures: z forward, x right, y down (REP 103)."""
        return own_frame(self, f"{view}_optical_frame")

    def _advance(self) -> None:
        """Catches up with the wall clock, but never by more than a few steps: a slow machine makes time run slower."""
        step_wall_s = STEP_S / self._speed
        now_s = self._wall_s()
        behind = min(MAX_STEPS_BEHIND, int((now_s - self._due_s) / step_wall_s))
        self._due_s = max(self._due_s + behind * step_wall_s, now_s - step_wall_s)
        for _ in range(behind):
            self._step()

    def _diagnose(self) -> None:
        """Healthy while simulated time runs at least half as fast as it was asked to."""
        now = self._wall_s(), self._time_s
        pace = (now[1] - self._diagnosed[1]) / max(1e-6, now[0] - self._diagnosed[0])
        self._diagnosed = now
        task, seed, *_ = self._request
        numbers = {"task": task, "seed": seed, "simulated_s": round(self._time_s, 2), "pace": round(pace, 2)}
        slow = Status(StatusCode.FAILED, f"the machine is too slow for speed {self._speed:g}")
        self._diagnostics.publish(diagnostics(self, OK if pace >= 0.5 * self._speed else slow, numbers))

    def _step(self) -> None:
        self._world.set_setpoint(*self._commands.tick(STEP_S))
        self._world.advance(STEP_S)
        self._time_s += STEP_S
        self._steps += 1
        self._judge.watch(self._world, STEP_S)
        stamp = time_message(self._time_s)
        self._clock_topic.publish(ClockMessage(clock=stamp))
        self._publish_arm(stamp)
        if self._steps % self._image_every == 0 or self._time_s >= self._picture_wanted_s:
            self._publish_images(stamp)
        if self._steps % self._video_every == 0 and self._video.get_subscription_count():
            picture = self._world.render_view("front", self._video_size_px, shadow=True)
            self._video.publish(array_to_image(picture, stamp, self._optical_frame("front")))

    def _publish_arm(self, stamp) -> None:
        world = self._world
        finger_m = FINGER_OPEN_M * (1.0 - world.closure_measured())
        message = JointState(name=[*world.kinematics.joint_names, *JointCommands.FINGERS])
        message.header.stamp = stamp
        message.position = [*world.joint_positions().tolist(), finger_m, finger_m]
        message.velocity = [*world.joint_velocities().tolist(), 0.0, 0.0]
        self._joint_states.publish(message)
        if self._tcp_pose.get_subscription_count():
            xyz, rotation = world.tcp_pose()
            message = PoseStamped(pose=pose(xyz, rotation))
            message.header.stamp, message.header.frame_id = stamp, BASE_FRAME
            self._tcp_pose.publish(message)

    def _publish_images(self, stamp) -> None:
        if self._time_s >= self._picture_wanted_s:
            self._picture_wanted_s = math.inf
        size = self._image_size_px
        for (view, (images, infos)), pixels in zip(self._images.items(), self._world.render(), strict=True):
            image = array_to_image(pixels, stamp, self._optical_frame(view))
            images.publish(image)
            k = self._world.cameras[view].intrinsics(size)
            info = CameraInfo(header=image.header, height=size, width=size, distortion_model="plumb_bob", d=[0.0] * 5)
            info.k, info.r = k.flatten().tolist(), np.eye(3).flatten().tolist()
            info.p = np.hstack([k, np.zeros((3, 1))]).flatten().tolist()
            infos.publish(info)

    def _on_trajectory(self, message: JointTrajectory) -> None:
        self._obey(lambda: self._commands.move_arm(message, self._world.kinematics.joint_names))

    def _on_picture_wanted(self, message: Time) -> None:
        self._picture_wanted_s = seconds(message)

    def _on_gripper(self, message: JointTrajectory) -> None:
        self._obey(lambda: self._commands.move_gripper(message))

    def _obey(self, command) -> None:
        try:
            command()
        except ValueError as error:
            self.get_logger().warning(f"command ignored: {error}", throttle_duration_sec=2.0)

    def _on_set_up_task(self, request: SetUpTask.Request, response: SetUpTask.Response) -> SetUpTask.Response:
        try:
            options = json.loads(request.options) if request.options else {}
            if not isinstance(options, dict) or "goal_images" in options:
                raise ValueError('options must be a JSON object such as {"vary": ["light"], "strength": 1.0}')
            if request.task not in TASKS:
                raise ValueError(f"unknown task {request.task!r}; known are {', '.join(TASKS)}")
            self._refuse_in_motion()
            self._set_up(request.task, request.seed, request.goal_images or "dense", options)
        except (ValueError, TypeError) as error:
            response.message = str(error)
            return response
        response.success, response.message = True, f"{request.task}, seed {request.seed}"
        response.goals, response.max_steps = self._goals.goals, self._goals.max_steps
        return response

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            self._refuse_in_motion()
            self._set_up(*self._request)
        except ValueError as error:
            response.message = str(error)
            return response
        response.success, response.message = True, f"{self._request[0]}, seed {self._request[1]}, as at the start"
        return response

    def _refuse_in_motion(self) -> None:
        """A scene that changes under a moving arm would be swept by it."""
        if self._commands.quiet_s < COMMAND_QUIET_S:
            raise ValueError("the arm is being commanded; stop it first")

    def _on_task_status(self, _: TaskStatus.Request, response: TaskStatus.Response) -> TaskStatus.Response:
        response.success = True
        response.message = self._judge.task.name
        response.solved, response.was_solved = self._judge.holds(self._world), self._judge.was_solved
        response.distance_m = self._judge.distance_m(self._world)
        return response

    def _wall_s(self) -> float:
        return self._wall.now().nanoseconds * 1e-9


def main() -> int:
    """Runs the node until SIGINT or SIGTERM."""
    from jepa_planner.nodes.running import run_node

    return run_node(SimNode)


if __name__ == "__main__":
    sys.exit(main())
