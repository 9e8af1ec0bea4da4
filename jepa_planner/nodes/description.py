"""The arm that arm_node moves: from its limits file, its parameters and, where they say so, robot_description."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.subscription import Subscription
from std_msgs.msg import String

from jepa_planner.control.description_text import DescriptionText
from jepa_planner.control.gripper import Gripper
from jepa_planner.control.kinematics import ArmKinematics
from jepa_planner.control.limits import SafetyLimits, shipped_config
from jepa_planner.control.robot_description import read_arm
from jepa_planner.nodes import qos
from jepa_planner.nodes.parameters import Parameter, Parameters

PARAMETERS = (
    Parameter("limits_file", "", "Limits of every command, YAML; empty: those shipped for the Panda."),
    Parameter("base_frame", "panda_link0", "Frame of all poses, where the limits file names none."),
    Parameter(
        "robot_description_timeout_s", 10.0, "Longest wait for robot_description, where the limits file leaves the "
        "description to that topic.", 0.1, 600.0,
    ),
    Parameter(
        "gripper_joints", ["panda_finger_joint1", "panda_finger_joint2"],
        "Finger joints; the first is commanded. Where these three are as shipped, the limits file has the say.",
    ),
    Parameter("gripper_open", 0.04, "Position (m or rad) of a finger joint when the gripper is open.", -4.0, 4.0),
    Parameter("gripper_closed", 0.0, "Position of a finger joint when it is closed.", -4.0, 4.0),
)  # fmt: skip
_GRIPPER = ("gripper_joints", "gripper_open", "gripper_closed")
_SHIPPED = {parameter.name: parameter.default for parameter in PARAMETERS}


@dataclass(frozen=True)
class DescribedArm:
    """An arm with its limits; `joints`, the gripper's and `loose` are the driver's names, `base_frame` is of poses."""

    limits: SafetyLimits
    kinematics: ArmKinematics
    joints: tuple[str, ...]
    gripper: Gripper
    loose: tuple[str, ...]
    """Joints that turn behind the arm and are commanded by nobody here."""
    base_frame: str


def described_arm(node: Node, parameters: Parameters) -> DescribedArm:
    """What a node's parameters name; waits for the topic robot_description where the limits file leaves it to that.

    Raises ValueError for a file or a description that cannot be used, and where nothing comes.
    """
    limits, text = limits_of(parameters), None
    if limits.robot_description is None:
        text = _text_on(node, parameters["robot_description_timeout_s"])
    return arm_of(limits, text, parameters)


def limits_of(parameters: Parameters | Mapping[str, Any]) -> SafetyLimits:
    """Those of the file that parameters name, or those that ship; raises LimitsError."""
    file = parameters["limits_file"]
    return SafetyLimits.load(Path(file) if file else shipped_config("panda_limits.yaml"))


def arm_of(
    limits: SafetyLimits, text: DescriptionText | None, parameters: Parameters | Mapping[str, Any]
) -> DescribedArm:
    """The arm of limits and parameters; text: what came on robot_description, where the limits leave it to that.

    Raises ValueError for a description that cannot be used, and for names that do not fit it.
    """
    kinematics = limits.kinematics(text)
    names = limits.joint_names
    joints, gripper = names.of(kinematics.joint_names), _gripper(limits, parameters)
    if both := [name for name in gripper.joints if name in joints]:
        raise ValueError(f"gripper_joints {', '.join(both)} lie before tcp_frame {limits.tcp_frame!r}: choose another")
    silent = {*gripper.joints, *names.of(limits.gripper_mimic)}
    return DescribedArm(
        limits,
        kinematics,
        joints,
        gripper,
        tuple(name for name in names.of(kinematics.loose_joints) if name not in silent),
        _base_frame(limits, kinematics, parameters["base_frame"]),
    )


def _gripper(limits: SafetyLimits, parameters: Parameters | Mapping[str, Any]) -> Gripper:
    """The gripper by the driver's names: as the parameters say, where any of them was typed, else as the file does."""
    typed = any(parameters[name] != _SHIPPED[name] for name in _GRIPPER)
    if limits.gripper is None or typed:
        return Gripper(parameters["gripper_open"], parameters["gripper_closed"], tuple(parameters["gripper_joints"]))
    return replace(limits.gripper, joints=limits.joint_names.of(limits.gripper.joints))


def _base_frame(limits: SafetyLimits, kinematics: ArmKinematics, typed: str) -> str:
    """The name of the frame in which poses are, which other nodes and the model know."""
    if limits.base_frame is not None and typed == _SHIPPED["base_frame"]:
        return limits.base_frame
    kinematics.check_base_frame(typed)
    return typed


def _text_on(node: Node, timeout_s: float) -> DescriptionText:
    """What comes on robot_description; by a node of its own, as the one that waits is not spun meanwhile."""
    topic = node.resolve_topic_name("robot_description")
    heard: list[String] = []
    waiting = rclpy.create_node(
        f"{node.get_name()}_waits", context=node.context, use_global_arguments=False, start_parameter_services=False
    )
    executor = SingleThreadedExecutor(context=node.context)
    try:
        waiting.create_subscription(String, topic, heard.append, qos.LATCHED)
        executor.add_node(waiting)
        until_s = time.monotonic() + timeout_s
        while not heard and node.context.ok() and time.monotonic() < until_s:
            executor.spin_once(timeout_sec=0.1)
        if not heard:
            publishers = waiting.count_publishers(topic)
    finally:
        executor.shutdown()
        waiting.destroy_node()
    if heard:
        return DescriptionText(heard[-1].data, topic)
    why = "its publisher does not latch it (transient local)" if publishers else "nobody publishes it"
    raise ValueError(
        f"nothing came on {topic} within {timeout_s:g} s; {why}: start robot_state_publisher, remap robot_description, "
        "or name a file as robot_description in the limits file"
    )


def watch_description(node: Node, arm: DescribedArm, changed: Callable[[str], None]) -> tuple[Subscription, ...]:
    """Tells, in words, when the topic robot_description describes another arm than this; none where a file does."""
    if arm.limits.robot_description is not None:
        return ()

    def heard(message: String) -> None:
        topic = node.resolve_topic_name("robot_description")
        limits = arm.limits
        try:
            source = DescriptionText(message.data, topic)
            found = read_arm(source, limits.tcp_frame, limits.joint_margin_rad, limits.base_frame)
        except ValueError as error:
            changed(f"what came on {topic} describes this arm no more: {error}")
            return
        if not found.moves_as(arm.kinematics.description):
            changed(f"the arm that {topic} describes has changed: configure arm_node anew")

    return (node.create_subscription(String, "robot_description", heard, qos.LATCHED),)
