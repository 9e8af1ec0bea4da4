"""What arm_node tells, as the planner takes it."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Pose

from jepa_planner.control.arm_executive import FAULTS, Mode
from jepa_planner.control.kinematics import rpy_from_rotation
from jepa_planner.core.status import OK, Status, StatusCode
from jepa_planner.msg import ArmState
from jepa_planner.nodes.conversions import ConversionError, numbers, rotation_from, seconds
from jepa_planner.nodes.state_buffer import ArmReport


def xyz_rpy(message: Pose) -> np.ndarray:
    """A pose as models know it, [6]: m, and rad extrinsic xyz; raises ConversionError where it is none."""
    return np.concatenate([numbers(message.position), rpy_from_rotation(rotation_from(message.orientation))])


def arm_report(message: ArmState) -> ArmReport:
    """What arm_node said; raises ConversionError where that holds no pose, or no mode."""
    try:
        mode = Mode(message.mode)
    except ValueError as error:
        raise ConversionError(
            f"mode is {message.mode}; expected one of {', '.join(map(str, map(int, Mode)))}"
        ) from error
    if message.fault >= len(FAULTS):
        raise ConversionError(f"fault is {message.fault}; expected 0 to {len(FAULTS) - 1}")
    code = FAULTS[message.fault]
    return ArmReport(
        stamp_s=seconds(message.header.stamp),
        mode=mode,
        moving=message.moving,
        reason=message.reason,
        rest_since_s=seconds(message.rest_since),
        plan_id=message.plan_id,
        refused_plan_id=message.refused_plan_id,
        pose=xyz_rpy(message.pose),
        commanded_pose=xyz_rpy(message.commanded_pose),
        closure_commanded=message.closure_commanded,
        closure_measured=message.closure_measured,
        fault=OK if code is StatusCode.OK else Status(code, message.fault_reason),
    )
