"""Between plans and motors: follows the first step of each plan as a stream of setpoints within the limits."""

import sys
import time
from collections.abc import Mapping, Sequence

import numpy as np
from geometry_msgs.msg import PoseStamped, TwistStamped
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from jepa_planner.control.arm_executive import ArmExecutive, ArmSettings, Mode, Step
from jepa_planner.control.setpoints import JointPoint, Setpoint
from jepa_planner.core.status import OK, Status, StatusCode
from jepa_planner.msg import ArmState, Plan
from jepa_planner.nodes import description, qos
from jepa_planner.nodes.conversions import (
    ConversionError,
    duration_message,
    numbers,
    pose,
    rotation_from,
    seconds,
    time_message,
    vector,
)
from jepa_planner.nodes.frames import PUBLISH_TF, TcpFrames
from jepa_planner.nodes.parameters import Change, Parameter
from jepa_planner.nodes.planner_node import PlannerNode

BRAKING_TIMEOUT_S = 3.0
STATE_PERIOD_S, FRESH_S = 0.03, 0.1
"""Arm states are that far apart, save just after a motion, when the planner waits for the next."""
STROKES_BEYOND = 1.0
"""How far beyond open or closed a gripper may be found; further, its joint states are in other units or another's."""
SAME_CLOSURE = 1e-6
"""Plans and arm states carry closure as float32; what rounding makes of it is no command."""


class ArmNode(PlannerNode):
    """Takes `plan` and `joint_states`; sends setpoints, `gripper_command` and `arm_state`.

    All decisions are the ArmExecutive's. Services `~/stop` (latched) and `~/reset`.
    """

    PARAMETERS = (
        *description.PARAMETERS,
        Parameter("rate_hz", 100.0, "Setpoints per second.", 20.0, 1000.0),
        Parameter(
            "output", "joint_trajectory", "What setpoints are sent as.", choices=("joint_trajectory", "twist", "pose")
        ),
        Parameter("joint_state_timeout_s", 0.25, "A joint state older than this brakes the arm.", 0.02, 5.0),
        Parameter("observation_timeout_s", 5.0, "A plan from an observation older than this is refused.", 0.1, 600.0),
        Parameter("motion_share", 0.88, "Share of a step's duration that its motion takes at least.", 0.1, 1.0),
        Parameter(
            "max_tracking_error_m", 0.05, "Brake when the tcp is further than this from its setpoint.", 0.005, 0.5
        ),
        Parameter("resync_distance_m", 0.01, "A resting arm found further away was moved by others.", 0.001, 0.5),
        Parameter("speed_scale", 1.0, "Steps take 1/speed_scale of their duration.", 0.05, 1.0, change=Change.AT_REST),
        PUBLISH_TF,
    )

    def __init__(self, **options) -> None:
        self._executive: ArmExecutive | None = None
        super().__init__("arm_node", **options)

    @property
    def executive(self) -> ArmExecutive:
        """Of a configured node; raises RuntimeError for another."""
        if self._executive is None:
            raise RuntimeError("arm_node is not configured: it has no arm to decide for")
        return self._executive

    def configure(self) -> None:
        parameters = self.parameters
        arm = description.described_arm(self, parameters)
        settings = ArmSettings(
            joint_state_timeout_s=parameters["joint_state_timeout_s"],
            observation_timeout_s=parameters["observation_timeout_s"],
            motion_share=parameters["motion_share"],
            max_tracking_error_m=parameters["max_tracking_error_m"],
            resync_distance_m=parameters["resync_distance_m"],
            lead_tolerance_s=self.lead_tolerance_s(),
        )
        self._executive = ArmExecutive(arm.kinematics, arm.limits, parameters["rate_hz"], settings)
        self._arm_joints, self._fingers, self._base_frame = arm.joints, arm.gripper.joints, arm.base_frame
        self._open, self._closed = arm.gripper.open, arm.gripper.closed
        if arm.loose:
            self.get_logger().warning(f"{', '.join(arm.loose)} turn behind the arm and are not commanded")
        self._published_state: tuple | None = None
        self._published_at_s = -np.inf
        self._sent_closure: float | None = None
        self._send = self._make_output(parameters["output"])
        self._gripper = self.create_lifecycle_publisher(JointTrajectory, "gripper_command", qos.COMMAND)
        self._state = self.create_lifecycle_publisher(ArmState, "arm_state", qos.STATE)
        self._joint_states = self.create_subscription(JointState, "joint_states", self._on_joint_state, qos.SENSOR)
        self._frames = TcpFrames(self, parameters["publish_tf"])
        self._nothing_came = True
        self.executive.joint_state.explain(self.nothing_came_on([self._joint_states]))
        plans = self.create_subscription(Plan, "plan", self._on_plan, qos.COMMAND)
        changes = description.watch_description(self, arm, self._on_other_description)
        self._subscriptions_ = (self._joint_states, plans, *changes)
        self._services_ = (
            self.create_service(Trigger, "~/stop", self._on_stop),
            self.create_service(Trigger, "~/reset", self._on_reset),
        )
        simulated = self.get_parameter("use_sim_time").value  # a system clock that is set back would stop a timer
        self._pace = self.get_clock() if simulated else Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(self.executive.stream.period_s, self._tick, clock=self._pace)

    def deactivate(self) -> None:
        """Brakes and sends setpoints until the arm rests; paced by the wall clock, as simulated time may stand."""
        self.executive.hold("deactivated")
        now_s, pace_s, began_s, passed_s = self.now_s(), self._pace_s(), time.monotonic(), 0.0
        while self.executive.moving and passed_s < BRAKING_TIMEOUT_S:
            passed_s = time.monotonic() - began_s
            self._send_setpoint(self.executive.tick(now_s + passed_s, pace_s + passed_s))
            time.sleep(self.executive.stream.period_s)

    def cleanup(self) -> None:
        for subscription in self._subscriptions_:
            self.destroy_subscription(subscription)
        for service in self._services_:
            self.destroy_service(service)
        self.destroy_timer(self._timer)
        for publisher in (self._gripper, self._state, self._output):
            self.destroy_lifecycle_publisher(publisher)
        self._frames.destroy()
        self._executive = None

    def is_moving(self) -> bool:
        return self._executive is not None and self._executive.moving

    def health(self) -> tuple[Status, dict[str, object]]:
        executive, joint_state = self.executive, self.executive.joint_state
        if self._nothing_came:
            joint_state.explain(self.nothing_came_on([self._joint_states]))
        numbers_behind = {
            "mode": executive.mode.name,
            "plan": executive.accepted_plan_id,
            "moving": executive.moving,
            "joint_state_delay_s": round(joint_state.delay_s, 3),
        }
        if executive.mode is Mode.STOPPED:
            return Status(StatusCode.STOPPED, executive.reason), numbers_behind
        # Said here as well as in `arm_state`, which waits for simulated time to begin.
        for status in (joint_state.status(self.now_s()), joint_state.delay_status()):
            if not status.ok:
                return status, numbers_behind
        code = StatusCode.WAITING if executive.mode is Mode.WAITING else StatusCode.OK
        return Status(code, executive.reason), numbers_behind

    def _make_output(self, kind: str):
        if kind == "joint_trajectory":
            self._output = self.create_lifecycle_publisher(JointTrajectory, "joint_trajectory", qos.COMMAND)
            return self._joint_trajectory
        if kind == "twist":
            self._output = self.create_lifecycle_publisher(TwistStamped, "twist_command", qos.COMMAND)
            return self._twist
        self._output = self.create_lifecycle_publisher(PoseStamped, "pose_command", qos.COMMAND)
        return self._pose

    def _on_joint_state(self, message: JointState) -> None:
        if self._executive is None:  # came on its way while the node was cleaned up
            return
        self._nothing_came = False
        position = dict(zip(message.name, message.position, strict=False))
        if not (usable := self._usable(message.name, position)).ok:
            self._pass_over(usable)
            return
        q = np.array([position[name] for name in self._arm_joints])
        finger = sum(position[name] for name in self._fingers) / len(self._fingers) if self._fingers else self._open
        closure = (finger - self._open) / (self._closed - self._open)
        if abs(closure - 0.5) > 0.5 + STROKES_BEYOND:
            ends = f"gripper_open ({self._open:g}) and gripper_closed ({self._closed:g})"
            text = f"{' and '.join(self._fingers)} at {finger:g}, far from {ends}, in m or rad: mend either"
            self._pass_over(Status(StatusCode.UNUSABLE, text))
            return
        closure = float(np.clip(closure, 0.0, 1.0))
        self.executive.measured(self.now_s(), seconds(message.header.stamp), q, closure)
        if self._sent_closure is None and self.executive.stream.ready:
            self._sent_closure = self.executive.stream.closure  # a gripper that may hold something is let alone

    def _pass_over(self, why: Status) -> None:
        """Tells why a joint state cannot be used."""
        self.executive.joint_state.explain(why)
        self.get_logger().warning(why.text, throttle_duration_sec=5.0)

    def _usable(self, names: Sequence[str], position: Mapping[str, float]) -> Status:
        """Whether joints of these names and positions are this arm's, or why they are not."""
        needed = (*self._arm_joints, *self._fingers)
        if missing := [name for name in needed if name not in position]:
            text = f"joint state lacks {', '.join(missing)}; it has {', '.join(position) or 'no positions'}"
            return Status(StatusCode.UNUSABLE, text)
        if twice := [name for name in needed if names.count(name) > 1]:
            text = f"joint state holds {', '.join(twice)} more than once; expected one position for each joint"
            return Status(StatusCode.UNUSABLE, text)
        return OK

    def _on_plan(self, message: Plan) -> None:
        if not self.active:
            return
        if message.kind == Plan.KIND_HOLD:
            self.executive.hold("the planner asked to hold")
        elif not (message.poses and message.gripper_closure):
            self.executive.refuse(message.id, Status(StatusCode.MALFORMED, "it has no first step"))
            self.get_logger().warning(f"plan {message.id} has no first step")
        else:
            try:
                answer = self.executive.offer(self.now_s(), self._first_step(message))
            except ConversionError as error:
                answer = Status(StatusCode.MALFORMED, str(error))
                self.executive.refuse(message.id, answer)
            if not answer.ok:
                self.get_logger().warning(f"plan {message.id} refused: {answer.text}")
        self._publish_state(self.now_s())

    def _first_step(self, message: Plan) -> Step:
        """What a plan asks for first; raises ConversionError where that is no pose in this arm's frame."""
        if message.header.frame_id != self._base_frame:
            raise ConversionError(f"frame is {message.header.frame_id!r}, expected {self._base_frame!r}")
        return Step(
            plan_id=message.id,
            planned_at_s=seconds(message.header.stamp),
            observed_at_s=seconds(message.observed_at),
            valid_for_s=seconds(message.valid_for),
            duration_s=seconds(message.time_step) / self.parameters["speed_scale"],
            xyz_m=numbers(message.poses[0].position),
            rotation=rotation_from(message.poses[0].orientation),
            closure=message.gripper_closure[0],
        )

    def _on_other_description(self, what: str) -> None:
        """The limits of the arm as it is now are not known: it stops, latched."""
        self.get_logger().error(what)
        self.executive.stop(what)
        self._publish_state(self.now_s())

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.executive.stop("~/stop was called")
        response.success, response.message = True, "stopped; ~/reset releases it"
        self._publish_state(self.now_s())
        return response

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        status = self.executive.reset(self.now_s())
        response.success, response.message = status.ok, status.text or "ready"
        self._publish_state(self.now_s())
        return response

    def _pace_s(self) -> float:
        """The time by which the stream is paced."""
        return self._pace.now().nanoseconds * 1e-9

    def _tick(self) -> None:
        if not self.active:
            return
        now_s = self.now_s()
        self._send_setpoint(self.executive.tick(now_s, self._pace_s()))
        changed = self._published_state != self._summary()
        fresh = not self.executive.moving and 0.0 <= now_s - self.executive.rest_since_s < FRESH_S
        if changed or fresh or abs(now_s - self._published_at_s) >= STATE_PERIOD_S:
            self._publish_state(now_s)

    def _send_setpoint(self, setpoint: Setpoint | None) -> None:
        if setpoint is None:
            return
        self._send(setpoint)
        if self._fingers and (self._sent_closure is None or abs(setpoint.closure - self._sent_closure) > SAME_CLOSURE):
            self._sent_closure = setpoint.closure
            target = self._open + setpoint.closure * (self._closed - self._open)
            self._gripper.publish(self._trajectory(self._fingers[:1], [target], []))

    def _joint_trajectory(self, setpoint: Setpoint) -> None:
        """The setpoint, and behind it the way to rest: where nothing follows, the arm brakes by itself."""
        points = [JointPoint(0.0, setpoint.q_rad, setpoint.dq_rad_s)]
        if np.any(setpoint.dq_rad_s):
            points += self.executive.stream.way_to_rest()
        message = self._trajectory(self._arm_joints, points[0].q_rad.tolist(), points[0].dq_rad_s.tolist())
        message.points += [
            JointTrajectoryPoint(
                positions=point.q_rad.tolist(),
                velocities=point.dq_rad_s.tolist(),
                time_from_start=duration_message(self.executive.stream.period_s + point.after_s),
            )
            for point in points[1:]
        ]
        self._output.publish(message)

    def _trajectory(self, names: tuple[str, ...], positions: list[float], velocities: list[float]) -> JointTrajectory:
        """One point, one period ahead; a zero stamp means that it begins at once."""
        message = JointTrajectory(joint_names=list(names))
        message.header.frame_id = self._base_frame
        ahead = duration_message(self.executive.stream.period_s)
        message.points = [JointTrajectoryPoint(positions=positions, velocities=velocities, time_from_start=ahead)]
        return message

    def _twist(self, setpoint: Setpoint) -> None:
        message = TwistStamped()
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = self._base_frame
        message.twist.linear = vector(setpoint.linear_velocity_m_s)
        message.twist.angular = vector(setpoint.angular_velocity_rad_s)
        self._output.publish(message)

    def _pose(self, setpoint: Setpoint) -> None:
        message = PoseStamped()
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = self._base_frame
        message.pose = pose(setpoint.xyz_m, setpoint.rotation)
        self._output.publish(message)

    def _summary(self) -> tuple:
        executive = self.executive
        return executive.mode, executive.moving, executive.accepted_plan_id, executive.refused_plan_id

    def _publish_state(self, now_s: float) -> None:
        executive = self.executive
        message = ArmState(mode=int(executive.mode), moving=executive.moving, reason=executive.reason)
        message.header.frame_id = self._base_frame
        message.rest_since = time_message(executive.rest_since_s)
        message.plan_id, message.refused_plan_id = executive.accepted_plan_id, executive.refused_plan_id
        if executive.measurement is not None and executive.stream.ready:
            measured = executive.measurement
            message.header.stamp = time_message(measured.stamp_s)
            message.pose = pose(measured.xyz_m, measured.rotation)
            message.commanded_pose = pose(*executive.stream.pose())
            message.closure_commanded = executive.stream.closure
            message.closure_measured = measured.closure
        self._state.publish(message)
        self._frames.tell(message)
        self._published_state, self._published_at_s = self._summary(), now_s


def main() -> int:
    """Runs the node until SIGINT or SIGTERM."""
    from jepa_planner.nodes.running import run_node

    return run_node(ArmNode)


if __name__ == "__main__":
    sys.exit(main())
