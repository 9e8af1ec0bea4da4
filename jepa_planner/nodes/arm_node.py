"""Between plans and motors: follows the first step of each plan as a stream of setpoints within the limits."""

import sys
import time
from collections.abc import Mapping, Sequence

import numpy as np
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from jepa_planner.control.arm_executive import FAULTS, ArmExecutive, Mode
from jepa_planner.control.arm_settings import ArmSettings
from jepa_planner.control.setpoints import Setpoint
from jepa_planner.control.step_checks import Step
from jepa_planner.core.status import OK, Status, StatusCode
from jepa_planner.msg import ArmState, Plan
from jepa_planner.nodes import description, qos
from jepa_planner.nodes.conversions import ConversionError, numbers, pose, rotation_from, seconds, time_message
from jepa_planner.nodes.frames import PUBLISH_TF, TcpFrames
from jepa_planner.nodes.outputs import audience, choice
from jepa_planner.nodes.outputs.action_output import ActionClients
from jepa_planner.nodes.outputs.joint_trajectory import AHEAD_S
from jepa_planner.nodes.outputs.servo import Servo
from jepa_planner.nodes.parameters import Change, Parameter
from jepa_planner.nodes.planner_node import PlannerNode, wait_until

BRAKING_TIMEOUT_S = 3.0
LOOK_PERIOD_S = 0.2
STATE_PERIOD_S, FRESH_S = 0.03, 0.1
"""Arm states are that far apart, save just after a motion, when the planner waits for the next."""
STROKES_BEYOND = 1.0
"""How far beyond open or closed a gripper may be found; further, its joint states are in other units or another's."""


class ArmNode(PlannerNode):
    """Takes `plan` and `joint_states`; sends commands for arm and gripper, and `arm_state`.

    All decisions are the ArmExecutive's; `outputs` knows where commands go. Services `~/stop` (latched) and `~/reset`.
    """

    PARAMETERS = (
        *description.PARAMETERS,
        Parameter("rate_hz", 100.0, "Setpoints per second.", 20.0, 1000.0),
        *choice.PARAMETERS,
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
        self._action_clients = ActionClients()
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
            ahead_s=AHEAD_S if parameters["output"] == choice.SETPOINTS else 0.0,
            takes_whole_motions=parameters["output"] == choice.WHOLE_MOTIONS,
        )
        self._executive = ArmExecutive(arm.kinematics, arm.limits, parameters["rate_hz"], settings)
        self._arm_joints, self._fingers, self._base_frame = arm.joints, arm.gripper.joints, arm.base_frame
        self._is_fixed = parameters["gripper_output"] == choice.NO_GRIPPER or not self._fingers
        self._ends = arm.gripper
        if arm.loose:
            self.get_logger().warning(f"{', '.join(arm.loose)} turn behind the arm and are not commanded")
        self._published_state: tuple | None = None
        self._published_at_s = -np.inf
        stream, self._course = self.executive.stream, 0
        clients, frame = self._action_clients, self._base_frame
        self._arm = choice.make_arm_output(self, clients, parameters, self._arm_joints, frame, stream)
        self._gripper = choice.make_gripper_output(self, clients, parameters, self._fingers, self._ends, frame, stream)
        self._state = self.create_lifecycle_publisher(ArmState, "arm_state", qos.STATE)
        self._joint_states = self.create_subscription(JointState, "joint_states", self._on_joint_state, qos.SENSOR)
        self._frames = TcpFrames(self, parameters["publish_tf"])
        self._nothing_came = True
        self.executive.joint_state.explain(self.nothing_came_on([self._joint_states]))
        plans = self.create_subscription(Plan, "plan", self._on_plan, qos.COMMAND)
        self._outputs = (self._arm, self._gripper)
        self._others = audience.OtherPublishers(self, self._outputs, plans.topic_name, self._state.topic_name)
        self._around = OK
        self._servo = Servo(parameters["servo"], parameters["output"]) if parameters["servo"] else None
        changes = description.watch_description(self, arm, self._on_other_description)
        self._subscriptions_ = (self._joint_states, plans, *changes)
        self._services_ = (
            self.create_service(Trigger, "~/stop", self._on_stop),
            self.create_service(Trigger, "~/reset", self._on_reset),
        )
        simulated = self.get_parameter("use_sim_time").value  # a system clock that is set back would stop a timer
        self._pace = self.get_clock() if simulated else Clock(clock_type=ClockType.STEADY_TIME)
        self._timers_ = (
            self.create_timer(self.executive.stream.period_s, self._tick, clock=self._pace),
            self.create_timer(LOOK_PERIOD_S, self._look_around, clock=Clock(clock_type=ClockType.STEADY_TIME)),
        )

    def activate(self) -> None:
        """Waits for somebody who takes the commands; raises RuntimeError where nobody does, or others send some too."""
        self._refuse_or_warn(self._others.at_activation(), self.parameters["allow_other_publishers"])
        if not (heard := self._nobody_listens()).ok:
            timeout_s = self.parameters["listener_timeout_s"]
            self.get_logger().info(f"waiting up to {timeout_s:g} s: {heard.text}")
            wait_until(lambda: self.going_down.is_set() or self._nobody_listens().ok, timeout_s, LOOK_PERIOD_S)
        self._refuse_or_warn(self._nobody_listens(), not self.parameters["require_listener"])
        if self._servo is not None:
            self._servo.start(self, self.parameters["listener_timeout_s"])

    def deactivate(self) -> None:
        """Brakes, and waits until the arm rests; paced by the wall clock, as simulated time may stand."""
        self.executive.hold("deactivated")
        now_s, pace_s, began_s, passed_s = self.now_s(), self._pace_s(), time.monotonic(), 0.0
        while self.executive.moving and passed_s < BRAKING_TIMEOUT_S:
            passed_s = time.monotonic() - began_s
            self._send_course(pace_s + passed_s)
            self._send_setpoint(self.executive.tick(now_s + passed_s, pace_s + passed_s), pace_s + passed_s)
            time.sleep(self.executive.stream.period_s)

    def cleanup(self) -> None:
        for subscription in self._subscriptions_:
            self.destroy_subscription(subscription)
        for service in self._services_:
            self.destroy_service(service)
        for timer in self._timers_:
            self.destroy_timer(timer)
        self.destroy_lifecycle_publisher(self._state)
        for output in self._outputs:
            output.destroy()
        self._frames.destroy()
        self._executive = None

    def destroy_node(self) -> None:
        """Ends the action clients with the node."""
        self._action_clients.destroy()
        super().destroy_node()

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
        for status in (self._around, executive.fault):
            if not status.ok:
                return status, numbers_behind
        # Said here as well as in `arm_state`, which waits for simulated time to begin.
        for status in (joint_state.status(self.now_s()), joint_state.delay_status()):
            if not status.ok:
                return status, numbers_behind
        code = StatusCode.WAITING if executive.mode is Mode.WAITING else StatusCode.OK
        return Status(code, executive.reason), numbers_behind

    def _on_joint_state(self, message: JointState) -> None:
        if self._executive is None:  # came on its way while the node was cleaned up
            return
        self._nothing_came = False
        position = dict(zip(message.name, message.position, strict=False))
        if not (usable := self._usable(message.name, position)).ok:
            self._pass_over(usable)
            return
        q = np.array([position[name] for name in self._arm_joints])
        closure = self._closure(position)
        if abs(closure - 0.5) > 0.5 + STROKES_BEYOND:
            finger = self._ends.position(closure)
            ends = f"gripper_open ({self._ends.open:g}) and gripper_closed ({self._ends.closed:g})"
            text = f"{' and '.join(self._fingers)} at {finger:g}, far from {ends}, in m or rad: mend either"
            self._pass_over(Status(StatusCode.UNUSABLE, text))
            return
        closure = float(np.clip(closure, 0.0, 1.0))
        self.executive.measured(self.now_s(), seconds(message.header.stamp), q, closure)
        if self._gripper.told is None and self.executive.stream.ready:
            self._gripper.told = self.executive.stream.closure  # a gripper that may hold something is let alone

    def _closure(self, position: Mapping[str, float]) -> float:
        """How far the gripper has closed, not bounded; a fixed one that no joint state tells of is open."""
        if not self._fingers or any(name not in position for name in self._fingers):
            return 0.0
        return self._ends.closure(sum(position[name] for name in self._fingers) / len(self._fingers))

    def _pass_over(self, why: Status) -> None:
        """Tells why a joint state cannot be used."""
        self.executive.joint_state.explain(why)
        self.get_logger().warning(why.text, throttle_duration_sec=5.0)

    def _usable(self, names: Sequence[str], position: Mapping[str, float]) -> Status:
        """Whether joints of these names and positions are this arm's, or why they are not."""
        needed = self._arm_joints if self._is_fixed else (*self._arm_joints, *self._fingers)
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
        stream = self.executive.stream
        kept = stream.closure if self._is_fixed and stream.ready else None
        return Step(
            plan_id=message.id,
            planned_at_s=seconds(message.header.stamp),
            observed_at_s=seconds(message.observed_at),
            valid_for_s=seconds(message.valid_for),
            duration_s=seconds(message.time_step) / self.parameters["speed_scale"],
            xyz_m=numbers(message.poses[0].position),
            rotation=rotation_from(message.poses[0].orientation),
            closure=message.gripper_closure[0] if kept is None else kept,
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
        now_s, pace_s = self.now_s(), self._pace_s()
        if not (failure := self._arm.failure(pace_s)).ok:
            self.executive.lose(now_s, failure)
        if not (failure := self._gripper.failure(pace_s)).ok:
            self.executive.fail(failure)
        self._send_course(pace_s)
        begun, ended = self._arm.begun, self._arm.ended and self._gripper.ended
        self._send_setpoint(self.executive.tick(now_s, pace_s, begun, ended), pace_s)
        changed = self._published_state != self._summary()
        fresh = not self.executive.moving and 0.0 <= now_s - self.executive.rest_since_s < FRESH_S
        if changed or fresh or abs(now_s - self._published_at_s) >= STATE_PERIOD_S:
            self._publish_state(now_s)

    def _nobody_listens(self) -> Status:
        return audience.nobody_listens(self, self._outputs)

    def _refuse_or_warn(self, status: Status, warn: bool) -> None:
        if status.ok:
            return
        if not warn:
            raise RuntimeError(status.text)
        self.get_logger().warning(status.text)

    def _look_around(self) -> None:
        """Notes who has come and gone since activation; what is no longer in order ends a motion."""
        if not self.active:
            return
        unheard, others = self._nobody_listens(), self._others.now()
        obstacle = unheard if self.parameters["require_listener"] else OK
        if obstacle.ok and not self.parameters["allow_other_publishers"]:
            obstacle = others
        around = others if unheard.ok else unheard
        if around != self._around and not around.ok:
            self.get_logger().warning(around.text)
        self._around, self.executive.obstacle = around, obstacle
        if self.executive.moving and self._arm.takes_whole_motions and not self._arm.is_listened_to():
            self.executive.lose(self.now_s(), unheard)
        elif not obstacle.ok:
            self.executive.hold(obstacle.text)

    def _send_course(self, pace_s: float) -> None:
        """Sends a motion that has just been taken, or what brakes one, where that is sent as a whole."""
        executive = self.executive
        if executive.course != self._course and executive.moving and self._arm.takes_whole_motions:
            self._arm.begin(executive.stream.way(), executive.mode is Mode.MOVING, pace_s)
        self._course = executive.course

    def _send_setpoint(self, setpoint: Setpoint | None, pace_s: float) -> None:
        if setpoint is not None:
            self._arm.send(setpoint)
            self._gripper.move(setpoint.closure, self.executive.stream.closure, pace_s)

    def _summary(self) -> tuple:
        executive = self.executive
        plans = executive.accepted_plan_id, executive.refused_plan_id
        return executive.mode, executive.moving, *plans, executive.trouble.code

    def _publish_state(self, now_s: float) -> None:
        executive = self.executive
        message = ArmState(mode=int(executive.mode), moving=executive.moving, reason=executive.reason)
        message.header.frame_id = self._base_frame
        message.rest_since = time_message(executive.rest_since_s)
        message.plan_id, message.refused_plan_id = executive.accepted_plan_id, executive.refused_plan_id
        message.fault, message.fault_reason = FAULTS.index(executive.trouble.code), executive.trouble.text
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
