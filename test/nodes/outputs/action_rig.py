"""Nodes around a robot whose arm and gripper are commanded by actions."""

from __future__ import annotations

from collections.abc import Callable

from controllers import ARM_ACTION, GRIPPER_ACTION, ActionRobot, GripperCommandRobot
from harness import TIMEOUT_S, Rig

from jepa_planner.nodes.arm_node import ArmNode


class ActionRig(Rig):
    robot_class = ActionRobot

    def on_robot(self, work: Callable[[], object]) -> None:
        """Does something in the robot's own thread."""
        assert self.thread(self.robot).call(work, TIMEOUT_S)

    def arm(self, **parameters: object) -> ArmNode:
        outputs = {"output": "follow_joint_trajectory", "gripper_output": "parallel_gripper_command"}
        actions = {"arm_action": ARM_ACTION, "gripper_action": GRIPPER_ACTION}
        return super().arm(**{**outputs, **actions, **parameters})


class GripperCommandRig(ActionRig):
    robot_class = GripperCommandRobot

    def arm(self, **parameters: object) -> ArmNode:
        return super().arm(**{"gripper_output": "gripper_command", **parameters})
