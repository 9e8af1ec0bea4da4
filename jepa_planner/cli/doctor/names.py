"""The names that the planner's nodes use, in full, as ROS 2 would make them of namespace and remaps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from jepa_planner.cli.doctor.heard import Settings, Use
from jepa_planner.core.message_types import ARM_STATE, JOINT_STATE, JOINT_TRAJECTORY, PLAN, POSE_STAMPED, TWIST_STAMPED
from jepa_planner.nodes import qos
from jepa_planner.nodes.image_input import TRANSPORTS

Remaps = Iterable[tuple[str, str]]
DESCRIPTION = "robot_description"
ARM = {
    "joint_trajectory": ("joint_trajectory", JOINT_TRAJECTORY),
    "follow_joint_trajectory": ("arm_action", "control_msgs/action/FollowJointTrajectory"),
    "twist": ("twist_command", TWIST_STAMPED),
    "pose": ("pose_command", POSE_STAMPED),
}
"""What arm_node sends by its parameter `output`: the topic, or the parameter that names the action, and the type."""
GRIPPER = {
    "joint_trajectory": ("gripper_command", JOINT_TRAJECTORY),
    "float64_multi_array": ("gripper_command", "std_msgs/msg/Float64MultiArray"),
    "gripper_command": ("gripper_action", "control_msgs/action/GripperCommand"),
    "parallel_gripper_command": ("gripper_action", "control_msgs/action/ParallelGripperCommand"),
}
"""The same of `gripper_output`, but for none."""


def full_name(name: str, node: str, namespace: str = "", remaps: Remaps = ()) -> str:
    """A name that a node uses, with its namespace; the first remap that fits replaces it.

    Remaps are FROM and TO; FROM may begin with NODE: and is then for that node alone.
    """
    expanded = _expand(name, node, namespace)
    for old, new in remaps:
        whose, _, plain = old.rpartition(":")
        if whose in ("", node) and _expand(plain, node, namespace) == expanded:
            return _expand(new, node, namespace)
    return expanded


def _expand(name: str, node: str, namespace: str) -> str:
    place = f"/{namespace.strip('/')}".rstrip("/")
    if name.startswith("/"):
        return name
    return f"{place}/{node}/{name[2:]}" if name.startswith("~/") else f"{place}/{name}"


def uses(
    settings: Settings,
    views: Sequence[str],
    namespace: str = "",
    remaps: Remaps = (),
    described: bool = True,
    has_gripper: bool = True,
) -> tuple[Use, ...]:
    """All names by which the planner hears a robot and moves it; views: of its model, in order. described: whether a
    file describes the arm, and not the topic robot_description.

    Raises ValueError where `image_topics` names another number of topics than the model has views.
    """
    remaps = list(remaps)
    topics = [topic for topic in settings["encoder_node"]["image_topics"] if topic]
    topics = topics or [f"{view}/image_raw" for view in views]
    if len(topics) != len(views):
        raise ValueError(f"image_topics names {len(topics)} topics; this model needs {len(views)}: {', '.join(views)}")
    message, ending = TRANSPORTS[settings["encoder_node"]["image_transport"]]
    pictures = f"sensor_msgs/msg/{message.__name__}"
    arm = settings["arm_node"]
    sent = [ARM[arm["output"]]]
    if has_gripper and arm["gripper_output"] in GRIPPER:
        sent.append(GRIPPER[arm["gripper_output"]])
    by_topic = () if described else (("arm_node", DESCRIPTION, "std_msgs/msg/String", False, qos.LATCHED, ""),)
    table = (
        *(("encoder_node", topic, pictures, False, qos.SENSOR, ending) for topic in topics),
        ("arm_node", "joint_states", JOINT_STATE, False, qos.SENSOR, ""),
        *by_topic,
        *(("arm_node", key, commands, True, qos.COMMAND, "") for key, commands in sent),
        ("arm_node", "arm_state", ARM_STATE, True, qos.STATE, ""),
        ("mpc_node", "plan", PLAN, True, qos.COMMAND, ""),
    )
    found = []
    for node, key, kind, sends, quality, ending in table:
        is_action = "/action/" in kind
        name = full_name(arm[key] if is_action else key, node, namespace, remaps) + ending
        found.append(Use(node, key, name, kind, sends, None if is_action else quality, ending, is_action))
    return tuple(found)


def as_run(uses: Sequence[Use], ends: Mapping[tuple[str, bool], Mapping[str, Sequence[str]]]) -> tuple[Use, ...]:
    """The same with the names under which running nodes use them, where these can be told apart.

    ends: topics with their types, by node and whether it sends. A node that is started with remaps is understood so
    without being told of them again.
    """
    found = list(uses)
    for (node, sends), topics in ends.items():
        mine = [use for use in found if (use.node, use.sends, use.is_action) == (node, sends, False)]
        for kind in {use.type for use in mine}:
            missing = [use for use in mine if use.type == kind and use.topic not in topics]
            expected = {use.topic for use in mine}
            strange = [topic for topic, types in topics.items() if kind in types and topic not in expected]
            for use, topic in _matched(missing, strange):
                found[found.index(use)] = replace(use, topic=topic)
    return tuple(found)


def _matched(missing: Sequence[Use], strange: Sequence[str]) -> list[tuple[Use, str]]:
    """One of each, or those whose names have the key's first part in them; nothing where that is no clear match."""
    if len(missing) == len(strange) == 1:
        return [(missing[0], strange[0])]
    pairs = [(use, topic) for use in missing for topic in strange if use.key.split("/")[0] in topic]
    is_clear = len(pairs) == len({use.key for use, _ in pairs}) == len({topic for _, topic in pairs})
    return pairs if is_clear else []
