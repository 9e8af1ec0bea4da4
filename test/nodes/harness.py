"""A robot made of publishers, and the nodes under test around it, all in one process over real DDS."""

from __future__ import annotations

import gc
import itertools
import os
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from geometry_msgs.msg import Pose
from jepa_planner.action import ReachGoalImage
from jepa_planner.msg import ArmState, GoalEvent, GoalImage, Plan
from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.time import Time
from sensor_msgs.msg import Image, JointState
from small_models import slot_encoder_config, small_contract, small_predictor
from small_planner import small_planner
from trajectory_msgs.msg import JointTrajectory

from jepa_planner.control.limits import SafetyLimits
from jepa_planner.model.bundle import save_bundle
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.nodes import qos
from jepa_planner.nodes.arm_node import ArmNode
from jepa_planner.nodes.client import GoalResult
from jepa_planner.nodes.conversions import array_to_image, duration_message, numbers, point
from jepa_planner.nodes.encoder_node import EncoderNode
from jepa_planner.nodes.mpc_node import MpcNode
from jepa_planner.nodes.planner_node import start, wait_until
from jepa_planner.nodes.predictor_node import PredictorNode
from jepa_planner.nodes.running import NodeThread
from jepa_planner.planning.progress import ProgressSettings
from jepa_planner_sim.joint_commands import JointCommands

LIMITS = SafetyLimits.panda()
POSTURE_RAD = np.array(LIMITS.posture_rad)
KINEMATICS = LIMITS.kinematics()
HOME_RAD = KINEMATICS.inverse(np.array([0.5, 0.0, 0.13]), np.eye(3), POSTURE_RAD)
FINGERS = ("panda_finger_joint1", "panda_finger_joint2")
TIMEOUT_S = 30.0
"""For what must happen sooner or later; a loaded machine is slow, not wrong."""
STALE_S = 2.0
"""Timeouts of the nodes under test: long enough that a loaded machine does not trip them by itself."""
_numbers = itertools.count()


def small_bundle(folder: Path, any_view: bool = False) -> str:
    """Random weights in the layout of the model that ships, so small that planning takes milliseconds.

    It never stalls, since nothing that its arm does changes what its cameras see.
    """
    contract = small_contract(encoder=slot_encoder_config(any_view=any_view))
    torch.manual_seed(0)
    save_bundle(folder, VideoEncoder(contract.encoder), small_predictor(), contract)
    small_planner(progress=ProgressSettings(patience=0)).save(folder)
    return str(folder)


def picture(seed: int = 0, size: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (size, size, 3), dtype=np.uint8)


def goal_of(*views: np.ndarray, budget: int = 0, tolerance: float = 0.0, stamp: Time | None = None) -> GoalImage:
    images = [array_to_image(view, None if stamp is None else stamp.to_msg()) for view in views]
    return GoalImage(views=images, step_budget=budget, tolerance=tolerance)


FAR = (picture(11), picture(12))
"""Goal pictures that the small model's random weights never reach."""
ENDLESS = goal_of(*FAR, budget=1000, tolerance=1e-9)


class Robot(Node):
    """Joint states and two cameras that can be silenced, frozen or broken; every command is kept and followed."""

    def __init__(self, namespace: str) -> None:
        super().__init__("robot", namespace=namespace)
        self.q_rad = HOME_RAD
        self._followed_at_s = time.monotonic()
        self.finger_m = 0.04
        self.joint_states_on = self.images_on = True
        self.follows = self.grips = True
        """Whether arm and gripper do what they are told."""
        self.views = [picture(1), picture(2)]
        self.image_stamp: Time | None = None
        self.arm_ahead_s, self.cameras_ahead_s = 0.0, [0.0, 0.0]
        """How far the clocks that stamp joint states and pictures are ahead of the nodes'."""
        self.joint_names = [*KINEMATICS.joint_names, *FINGERS]
        self.more_positions: list[float] = []
        self.encoding = "rgb8"
        self.images_skipped, self._image_turns = 0, 0
        """How many of the pictures that are due are left out after each, for slower cameras."""
        self.commands: list[JointTrajectory] = []
        self.grippers: list[JointTrajectory] = []
        self.arm_states: list[ArmState] = []
        self.plans: list[Plan] = []
        self.goal_events: list[GoalEvent] = []
        self._joints = self.create_publisher(JointState, "joint_states", qos.SENSOR)
        self._cameras = [self.create_publisher(Image, f"{view}/image_raw", qos.SENSOR) for view in ("front", "side")]
        self.create_subscription(JointTrajectory, "joint_trajectory", self._obey, 50)
        self.create_subscription(JointTrajectory, "gripper_command", self._grip, 50)
        self.create_subscription(ArmState, "arm_state", self.arm_states.append, 50)
        self.create_subscription(Plan, "plan", self.plans.append, 50)
        self.create_subscription(GoalEvent, "mpc_node/goal_events", self.goal_events.append, qos.EVENTS)
        self.create_timer(0.01, self._publish_joints)
        self.create_timer(0.04, self._publish_images)

    @property
    def q_rad(self) -> np.ndarray:
        """Where the joints are; setting it puts them there."""
        return self._q_rad

    @q_rad.setter
    def q_rad(self, q_rad: np.ndarray) -> None:
        self._q_rad, self._motors = np.array(q_rad), JointCommands(q_rad, 0.0)

    def _obey(self, message: JointTrajectory) -> None:
        self.commands.append(message)
        if self.follows:
            self._motors.move_arm(message, message.joint_names)

    def _grip(self, message: JointTrajectory) -> None:
        self.grippers.append(message)
        if self.grips:
            self.finger_m = message.points[0].positions[0]

    def _follow(self, passed_s: float) -> None:
        self._q_rad, _ = self._motors.tick(passed_s)

    def _publish_joints(self) -> None:
        before_s, self._followed_at_s = self._followed_at_s, time.monotonic()
        if self.follows:
            self._follow(self._followed_at_s - before_s)
        if self.joint_states_on:
            message = JointState(name=self.joint_names)
            message.header.stamp = self.stamp(self.arm_ahead_s).to_msg()
            message.position = [*self.q_rad.tolist(), self.finger_m, self.finger_m, *self.more_positions]
            self._joints.publish(message)

    def _publish_images(self) -> None:
        self._image_turns += 1
        if self.images_on and self._image_turns % (1 + self.images_skipped) == 0:
            for camera, view, ahead_s in zip(self._cameras, self.views, self.cameras_ahead_s, strict=True):
                image = array_to_image(view, (self.image_stamp or self.stamp(ahead_s)).to_msg())
                image.encoding = self.encoding
                camera.publish(image)

    def stamp(self, ahead_s: float) -> Time:
        return self.get_clock().now() + Duration(nanoseconds=round(ahead_s * 1e9))


class Rig:
    """Starts nodes in a namespace of their own and talks to them; `robot` stands for the hardware."""

    robot_class = Robot

    def __init__(self, bundle: str) -> None:
        self.namespace = f"/t{os.getpid()}_{next(_numbers)}"
        self.bundle = bundle
        self.encoder_parameters: dict[str, object] = {}
        self.hears_goals = False
        """Whether all events of goals are heard: each then begins once and ends once, one after the other."""
        self.robot = self.robot_class(self.namespace)
        self.threads = [NodeThread(self.robot, lambda: None)]
        self.reach = ActionClient(self.robot, ReachGoalImage, "reach_goal_image")

    @cached_property
    def plans(self) -> Publisher:
        """For plans of a test's own; where there is one, the planner's are one too many."""
        return self.robot.create_publisher(Plan, "plan", qos.COMMAND)

    def close(self) -> None:
        for thread in reversed(self.threads):
            if isinstance(thread.node, LifecycleNode):
                thread.call(thread.node.trigger_shutdown)
            thread.stop()
        self.threads.clear()
        self._assert_goals_begin_and_end_in_turn()
        gc.collect()  # DDS services end with their node's memory: hundreds at once hold the interpreter for seconds

    def run(self, *nodes: Node) -> None:
        start(nodes)
        self.threads += [NodeThread(node, lambda: None) for node in nodes]

    def thread(self, node: Node) -> NodeThread:
        return next(thread for thread in self.threads if thread.node is node)

    def options(self, **parameters: object) -> dict:
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        return {"namespace": self.namespace, "parameter_overrides": overrides}

    def arm(self, **parameters: object) -> ArmNode:
        node = ArmNode(**self.options(**{"joint_state_timeout_s": STALE_S, **parameters}))
        self.run(node)
        return node

    def planner(
        self, composed: bool = True, arm: dict | None = None, **parameters: object
    ) -> tuple[MpcNode, EncoderNode, PredictorNode]:
        """An arm node, and the planner around it with latents in this process or over topics."""
        encoder = EncoderNode(**self.options(model=self.bundle, **self.encoder_parameters))
        predictor = PredictorNode(**self.options(model=self.bundle))
        inside = {"encoder": encoder, "predictor": predictor} if composed else {}
        timeouts = {"image_timeout_s": STALE_S, "joint_state_timeout_s": STALE_S, "plan_valid_s": 5.0}
        mpc = MpcNode(**inside, **self.options(model=self.bundle, **{**timeouts, **parameters}))
        self.run(encoder, predictor, mpc)
        self.arm(**(arm or {}))
        self.ready(mpc)
        return mpc, encoder, predictor

    def ready(self, mpc: MpcNode) -> None:
        """Waits until goals can be sent, and all that is told of them is heard."""
        events = mpc._goals._events._publisher
        self.until(lambda: self.holding() and self.reach.server_is_ready() and events.get_subscription_count() > 0)
        self.hears_goals = True

    def until(self, condition: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
        assert wait_until(condition, timeout_s), f"did not happen within {timeout_s} s"

    def holding(self) -> bool:
        return bool(self.robot.arm_states) and self.robot.arm_states[-1].mode == ArmState.MODE_HOLDING

    def state(self) -> ArmState:
        return self.robot.arm_states[-1]

    def send_plan(self, number: int, by_m=(0.0, 0.0, 0.03), **changes: object) -> Plan:
        """A plan with one step from where the arm was told to be, made now from an observation of now."""
        state, now = self.state(), self.robot.get_clock().now().to_msg()
        plan = Plan(id=number, observed_at=now, gripper_closure=[state.closure_commanded])
        plan.header.stamp, plan.header.frame_id = now, "panda_link0"
        plan.valid_for, plan.time_step = duration_message(5.0), duration_message(0.25)
        target = point(numbers(state.commanded_pose.position) + np.array(by_m))
        plan.poses = [Pose(position=target, orientation=state.commanded_pose.orientation)]
        for name, value in changes.items():
            setattr(plan, name, value)
        self.plans.publish(plan)
        return plan

    def ask(self, request: Callable[[], object]):
        """Sends a request from the robot's own thread: from another, the answer can come before it is noted."""
        sent: list = []
        assert self.thread(self.robot).call(lambda: sent.append(request()), TIMEOUT_S)
        return sent[0]

    def send_goals(self, *goals: GoalImage, max_steps: int = 0):
        """Sends goals and returns the handle once they are accepted or rejected."""
        request = ReachGoalImage.Goal(goals=list(goals), max_steps=max_steps)
        sent = self.ask(lambda: self.reach.send_goal_async(request))
        self.until(sent.done)
        return sent.result()

    def result(self, handle) -> GoalResult:
        assert handle.accepted
        ended = self.ask(handle.get_result_async)
        self.until(ended.done)
        result = ended.result().result
        if self.hears_goals:
            self.until(lambda: self.told(handle)[-1:] and self.told(handle)[-1].kind == GoalEvent.ENDED)
            assert (self.told(handle)[-1].code, self.told(handle)[-1].message) == (result.code, result.message)
        return GoalResult.of(result)

    def told(self, handle) -> list[GoalEvent]:
        """The events of a goal so far."""
        return [event for event in list(self.robot.goal_events) if event.goal_id == bytes(handle.goal_id.uuid).hex()]

    def _assert_goals_begin_and_end_in_turn(self) -> None:
        events = self.robot.goal_events if self.hears_goals else []
        assert [event.kind for event in events] == [GoalEvent.BEGAN, GoalEvent.ENDED] * (len(events) // 2) + [
            GoalEvent.BEGAN
        ] * (len(events) % 2)
        assert all(begun.goal_id == ended.goal_id for begun, ended in zip(events[::2], events[1::2], strict=False))
        assert len({event.goal_id for event in events[::2]}) == len(events[::2])

    def commands_settle(self, quiet_s: float = 0.4) -> int:
        """Waits until no more commands come and returns how many there were."""
        while True:
            count = len(self.robot.commands)
            time.sleep(quiet_s)
            if len(self.robot.commands) == count:
                return count

    def assert_at_rest(self) -> None:
        """The arm was brought to rest, and nothing is sent any more."""
        self.commands_settle()
        self.until(lambda: not self.state().moving)
        if self.robot.commands:
            assert np.all(np.array(self.robot.commands[-1].points[0].velocities) == 0.0)


def moves(rig: Rig) -> list[Plan]:
    return [plan for plan in rig.robot.plans if plan.kind == Plan.KIND_MOVE]


def under_way(rig: Rig, after: int = 2) -> ClientGoalHandle:
    """Starts an endless goal and gives it back once the arm has taken some plans."""
    handle = rig.send_goals(ENDLESS)
    rig.until(lambda: len(moves(rig)) >= after)
    return handle
