"""The parameters that say where the arm's commands go, and the outputs that they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rclpy.lifecycle import LifecycleNode

from jepa_planner.control.gripper import Ends
from jepa_planner.control.setpoint_stream import SetpointStream
from jepa_planner.nodes.outputs.action_output import ActionClients
from jepa_planner.nodes.outputs.follow_joint_trajectory import FollowJointTrajectoryOutput
from jepa_planner.nodes.outputs.gripper import FixedGripper
from jepa_planner.nodes.outputs.gripper_array import GripperArrayOutput
from jepa_planner.nodes.outputs.gripper_command import GripperCommandOutput
from jepa_planner.nodes.outputs.gripper_trajectory import GripperTrajectoryOutput
from jepa_planner.nodes.outputs.joint_trajectory import JointTrajectoryOutput
from jepa_planner.nodes.outputs.output import ArmOutput, GripperOutput
from jepa_planner.nodes.outputs.parallel_gripper_command import ParallelGripperCommandOutput
from jepa_planner.nodes.outputs.pose import PoseOutput
from jepa_planner.nodes.outputs.twist import TwistOutput
from jepa_planner.nodes.parameters import Parameter, Parameters

ARM_OUTPUTS = ("joint_trajectory", "follow_joint_trajectory", "twist", "pose")
GRIPPER_OUTPUTS = ("joint_trajectory", "parallel_gripper_command", "gripper_command", "float64_multi_array", "none")
SETPOINTS, WHOLE_MOTIONS, NO_GRIPPER = *ARM_OUTPUTS[:2], GRIPPER_OUTPUTS[-1]

PARAMETERS = (
    Parameter("output", "joint_trajectory", "What setpoints are sent as.", choices=ARM_OUTPUTS),
    Parameter(
        "arm_action",
        "joint_trajectory_controller/follow_joint_trajectory",
        "Action that takes whole motions, with output follow_joint_trajectory.",
    ),
    Parameter(
        "gripper_output", "joint_trajectory", "What gripper commands are sent as; none: it is fixed.",
        choices=GRIPPER_OUTPUTS,
    ),
    Parameter(
        "gripper_action",
        "gripper_controller/gripper_cmd",
        "Action that takes gripper commands, with gripper_output parallel_gripper_command or gripper_command.",
    ),
    Parameter(
        "gripper_command_open",
        0.0,
        "Command (m or rad) that opens the gripper, where commands have other units than its joint state; with "
        "gripper_command_closed the same as this: gripper_open.",
        -1000.0,
        1000.0,
    ),
    Parameter("gripper_command_closed", 0.0, "Command that closes it; likewise.", -1000.0, 1000.0),
    Parameter(
        "gripper_commanded_fingers", 1, "So many of gripper_joints, from the first on, are commanded.", 1, 8
    ),
    Parameter("gripper_max_effort", 0.0, "Greatest effort (N or Nm) of gripper actions; 0: theirs.", 0.0, 1000.0),
    Parameter("servo", "", "MoveIt Servo's node, to be switched to output twist or pose and unpaused; empty: none."),
    Parameter(
        "listener_timeout_s",
        30.0,
        "Longest wait of an activation for somebody who takes the commands, and for Servo.",
        0.0,
        600.0,
    ),
    Parameter("require_listener", True, "Take no plans while nobody takes the commands; false: only warn."),
    Parameter("allow_other_publishers", False, "Take plans though others publish commands or plans too."),
)  # fmt: skip


def make_arm_output(
    node: LifecycleNode,
    clients: ActionClients,
    parameters: Parameters,
    joints: tuple[str, ...],
    frame: str,
    stream: SetpointStream,
) -> ArmOutput:
    """The output that the parameter `output` asks for, in a frame; raises ValueError where it cannot be had."""
    kind = parameters["output"]
    if kind == WHOLE_MOTIONS:
        return FollowJointTrajectoryOutput(node, clients, joints, frame, stream.period_s)
    if kind == "twist":
        return TwistOutput(node, frame)
    if kind == "pose":
        return PoseOutput(node, frame)
    return JointTrajectoryOutput(node, joints, frame, stream)


def make_gripper_output(
    node: LifecycleNode,
    clients: ActionClients,
    parameters: Parameters,
    fingers: Sequence[str],
    measured: Ends,
    frame: str,
    stream: SetpointStream,
) -> GripperOutput:
    """The output that the parameter `gripper_output` asks for; raises ValueError where it cannot be had.

    fingers: none, where the arm has no gripper. measured: the ends of the gripper's joint state.
    """
    kind: Any = parameters["gripper_output"] if fingers else NO_GRIPPER
    if kind == NO_GRIPPER:
        return FixedGripper()
    count = parameters["gripper_commanded_fingers"]
    if count > len(fingers):
        raise ValueError(f"gripper_commanded_fingers is {count}, but gripper_joints names {', '.join(fingers)} only")
    given = parameters["gripper_command_open"], parameters["gripper_command_closed"]
    ends = measured if given[0] == given[1] else Ends(*given)
    effort = parameters["gripper_max_effort"]
    if kind == "gripper_command":
        return GripperCommandOutput(node, clients, ends, effort)
    if kind == "parallel_gripper_command":
        rate_per_s = stream.limits.gripper_rate_per_s
        return ParallelGripperCommandOutput(node, clients, fingers[0], ends, effort, rate_per_s)
    if kind == "float64_multi_array":
        return GripperArrayOutput(node, count, ends)
    return GripperTrajectoryOutput(node, fingers[:count], ends, frame, stream.period_s)
